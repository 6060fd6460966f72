"""Decoding of lossless JPEG with proof that its samples used up its data exactly (T.81 annex H).

To count the bits of every sample takes a tenth of the decoding. It is enough to see what libjpeg
reads after the last one. So the frame header is made to promise a row more, and some known bits are
put behind the data: where the added row holds what those bits say, the samples before it took all
of the data and no more. Where it does not, or where that says little, the bits are counted.
"""

import struct
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mammo_ray.dicom.jpeg_scan import LosslessScan, Table, check_samples, predicted

Samples = NDArray[np.unsignedinteger]

_END = b"\xff\xd9"
_MOST_ROWS = 65500  # that libjpeg decodes
_BITS = bytes.fromhex("5ac36d934be127953a96c55a")  # no ff among them
_EVIDENCE = 48  # bits at least that must have been read as expected: chance does it once in 2**48


def decode_lossless(
    frame: bytes, scan: LosslessScan, decode: Callable[[bytes], Samples]
) -> Samples:
    """The samples of a stream whose one scan is lossless and of one component.

    Args:
        frame: the stream.
        scan: what `check_scans` found in it.
        decode: libjpeg, from a stream to samples.

    Raises:
        ValueError: the samples take fewer or more bits than there are.
        RuntimeError: whatever `decode` raises.
    """
    rows, columns = struct.unpack_from(">HH", frame, scan.rows_offset)
    # Samples of 8 bits wrap around where damage leads out of their range, and the count shows it.
    is_probed = scan.precision > 8 and rows < _MOST_ROWS and 1 <= scan.predictor <= 7
    if not is_probed or min(rows, columns) < 2:
        samples = decode(frame)
        check_samples(samples, scan)
        return samples
    longer = decode(_with_probe(frame, scan, rows))
    samples = longer[:rows]
    if not _is_read_after(longer[rows - 1 :], scan):
        check_samples(samples, scan)
    return samples


def _with_probe(frame: bytes, scan: LosslessScan, rows: int) -> bytes:
    """The stream with a row more in its header and more bits at the end of its data."""
    content = memoryview(frame)
    before, data = content[: scan.rows_offset], content[scan.rows_offset + 2 : scan.data.end]
    return b"".join([before, struct.pack(">H", rows + 1), data, _BITS, _END])


def _is_read_after(last_rows: Samples, scan: LosslessScan) -> bool:
    """Whether the last of two rows holds what stands after the data.

    The last byte of the data may have some bits that belong to no sample.
    """
    found = _last_differences(last_rows, scan).tolist()
    tail, probe = _as_text(scan.data.tail), _as_text(_BITS)
    codes = _codes(scan.table)
    for padding in range(min(scan.data.padding, len(tail)) + 1):
        read = 0
        for difference, (expected, place) in zip(
            found, _read(tail[len(tail) - padding :] + probe, codes), strict=False
        ):
            if difference != expected:
                break
            read = place
        if read - padding >= _EVIDENCE:
            return True
    return False


def _last_differences(last_rows: Samples, scan: LosslessScan) -> NDArray[np.uint16]:
    """Sample minus prediction of the second of two rows, modulo 2**16 (T.81 H.1.2.1)."""
    above, row = np.right_shift(last_rows.astype(np.uint16), scan.point_transform)
    predictions = np.empty_like(row)
    predictions[0] = above[0]
    predictions[1:] = predicted(row[:-1], above[1:], above[:-1], scan.predictor)
    return np.asarray(row - predictions)


def _as_text(content: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in content)


def _read(bits: str, codes: dict[str, int]) -> Iterator[tuple[int, int]]:
    """Differences modulo 2**16 that bits code, each with the place where it ends (T.81 H.2)."""
    place = 0
    while place < len(bits):
        end = next((end for end in range(place + 1, place + 17) if bits[place:end] in codes), None)
        if end is None:
            return
        category = codes[bits[place:end]]
        place = end + category % 16
        if place > len(bits):
            return
        value = int(bits[end:place] or "0", 2)
        if category == 16:
            value = 1 << 15
        elif category and not value >> (category - 1):
            value -= (1 << category) - 1
        yield value & 0xFFFF, place


def _codes(table: Table) -> dict[str, int]:
    """Category of every code, as text of zeros and ones (T.81 annex C)."""
    codes: dict[str, int] = {}
    code, bits = 0, 0
    for category, length in table.items():
        code, bits = code << (length - bits), length
        codes[f"{code:0{length}b}"] = category
        code += 1
    return codes
