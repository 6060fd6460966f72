"""Whether the entropy-coded data of a JPEG stream is whole (ITU-T T.81 annexes B and H).

libjpeg only warns about damage: it fills what is missing with an even gray, or garbage, and answers
as if all were well. Two things can be known without it: which markers may stand inside a scan, and,
where compression is lossless, how many bits the samples that came out must have taken.
"""

import re
import struct
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_DHT, _EOI, _SOS, _DRI, _DNL = 0xC4, 0xD9, 0xDA, 0xDD, 0xDC
_RESTARTS = range(0xD0, 0xD8)
_LOSSLESS = 0xC3  # SOF3
_IMPOSSIBLE = 255  # bits of a difference that the Huffman table does not have
_AFTER_SCAN = {_EOI, _SOS, _DHT, _DRI, _DNL, *range(0xE0, 0xFF)}
_MARKER = re.compile(rb"\xff+[^\x00\xff]")

Table = dict[int, int]  # bits of a code by its symbol


@dataclass
class _Stream:
    """What the segments before a scan set."""

    restart_interval: int = 0
    is_lossless: bool = False
    tables: dict[int, Table] = field(default_factory=dict)


@dataclass(frozen=True)
class LosslessScan:
    """The one scan of a gray lossless image without restarts.

    Attributes:
        bits: entropy-coded bits, padding included, stuffed bytes not.
        padding: at most so many of them belong to no sample.
        precision: bits of a sample.
        predictor: selection value, 1 to 7 (T.81 table H.1).
        point_transform: low bits that were not coded.
        table: Huffman table of the differences' categories.
    """

    bits: int
    padding: int
    precision: int
    predictor: int
    point_transform: int
    table: Table


def check_scans(frame: bytes) -> LosslessScan | None:
    """Walk every marker of a JPEG stream that starts with SOI.

    Returns:
        The scan whose bits can be counted, None where they cannot.

    Raises:
        ImageRejected: a marker that may not stand where it stands, or data after the end.
    """
    stream, precision = _Stream(), 0
    found: list[LosslessScan | None] = []
    offset = 2
    while True:
        match = _MARKER.match(frame, offset)
        if match is None:
            raise _damaged(f"byte {offset} of the JPEG stream is no marker")
        marker, offset = frame[match.end() - 1], match.end()
        if marker == _EOI:
            if frame[offset:].strip(b"\0\xff"):
                raise _damaged(f"the JPEG stream goes on after its end (EOI) at byte {offset}")
            return found[0] if len(found) == 1 else None
        segment = _segment(frame, offset)
        offset += 2 + len(segment)
        if marker == _DHT:
            stream.tables.update(_huffman_tables(segment))
        elif marker == _DRI:
            (stream.restart_interval,) = struct.unpack_from(">H", segment)
        elif 0xC0 <= marker <= 0xCF and marker != 0xCC:
            stream.is_lossless, precision = marker == _LOSSLESS, segment[0]
        elif marker == _SOS:
            end = _scan_end(frame, offset, stream.restart_interval)
            found.append(_lossless_scan(frame[offset:end], segment, stream, precision))
            offset = end


def check_samples(samples: NDArray[np.unsignedinteger], scan: LosslessScan) -> None:
    """Compare the bits that the samples take with those that are there.

    A lossless stream is a function of its samples: each costs the code of its difference's category
    and as many bits as the category (T.81 H.1.2.2). A truncated or damaged stream gives samples
    that take more or fewer. What changes a difference within its category cannot be seen.

    Raises:
        ValueError: they differ.
    """
    shifted = np.right_shift(samples.astype(np.uint16, copy=False), scan.point_transform)
    cost = cv2.LUT(_differences(shifted, scan), _costs(scan.table))
    taken = int(cost.sum(dtype=np.int64))
    if not 0 <= scan.bits - taken <= scan.padding:
        raise ValueError(f"the samples take {taken} bits, the scan has {scan.bits}")


def _segment(frame: bytes, offset: int) -> bytes:
    """The parameters of a marker segment."""
    length = int.from_bytes(frame[offset : offset + 2], "big")
    if length < 2 or offset + length > len(frame):
        raise _damaged(f"a JPEG segment of {length} bytes at byte {offset} of {len(frame)}")
    return frame[offset + 2 : offset + length]


def _scan_end(frame: bytes, start: int, restart_interval: int) -> int:
    """Where the marker after a scan stands; restarts inside come in their order."""
    data = np.frombuffer(frame, np.uint8, offset=start)
    # 00 after ff is stuffed, ff after ff fills (T.81 B.1.1.5).
    places = np.flatnonzero((data[:-1] == 0xFF) & (data[1:] != 0) & (data[1:] != 0xFF))
    for restarts, place in enumerate(places):
        marker, offset = int(data[place + 1]), start + int(place)
        if marker in _AFTER_SCAN:
            return offset
        if not restart_interval or marker != _RESTARTS[restarts % 8]:
            raise _damaged(f"marker ff{marker:02x} inside a JPEG scan, at byte {offset}")
    raise _damaged("the JPEG scan has no end")


def _huffman_tables(segment: bytes) -> dict[int, Table]:
    """Bits of every code of every table of a DHT segment (T.81 B.2.4.2)."""
    tables: dict[int, Table] = {}
    while len(segment) >= 17:
        destination, counts = segment[0], segment[1:17]
        lengths = [bits for bits, count in enumerate(counts, start=1) for _ in range(count)]
        symbols = segment[17 : 17 + len(lengths)]
        if len(symbols) < len(lengths):
            raise _damaged("a Huffman table is cut short")
        tables[destination] = dict(zip(symbols, lengths, strict=True))
        segment = segment[17 + len(lengths) :]
    return tables


def _lossless_scan(
    data: bytes, segment: bytes, stream: _Stream, precision: int
) -> LosslessScan | None:
    """The scan if it is lossless, of one component and without restarts."""
    is_counted = stream.is_lossless and not stream.restart_interval and segment[:1] == b"\x01"
    if not is_counted or len(segment) < 6:
        return None
    table = stream.tables.get(segment[2] >> 4)
    if table is None:
        raise _damaged(f"the scan names Huffman table {segment[2] >> 4}, which is not there")
    data = data.rstrip(b"\xff")  # fill bytes of the marker after it
    bits = 8 * (len(data) - data.count(b"\xff\x00"))
    padding = 15 if data.endswith(b"\0") else 7  # a zero byte more, as some encoders write
    return LosslessScan(bits, padding, precision, segment[3], segment[5] & 0x0F, table)


def _differences(samples: NDArray[np.uint16], scan: LosslessScan) -> NDArray[np.uint16]:
    """Sample minus prediction, modulo 2**16 (T.81 H.1.2.1)."""
    differences = np.empty_like(samples)
    middle = 1 << (scan.precision - scan.point_transform - 1)
    differences[0, 0] = (int(samples[0, 0]) - middle) & 0xFFFF
    np.subtract(samples[0, 1:], samples[0, :-1], out=differences[0, 1:])
    np.subtract(samples[1:, 0], samples[:-1, 0], out=differences[1:, 0])
    left, above, corner = samples[1:, :-1], samples[:-1, 1:], samples[:-1, :-1]
    predicted = _predicted(left, above, corner, scan.predictor)
    np.subtract(samples[1:, 1:], predicted, out=differences[1:, 1:])
    return differences


def _predicted(
    left: NDArray[np.uint16], above: NDArray[np.uint16], corner: NDArray[np.uint16], predictor: int
) -> NDArray[np.uint16]:
    """The prediction of T.81 table H.1."""
    if predictor in (1, 2, 3):
        return (left, above, corner)[predictor - 1]
    if predictor == 4:
        return left + above - corner
    a, b, c = (samples.astype(np.int32) for samples in (left, above, corner))
    if predictor == 5:
        return (a + ((b - c) >> 1)).astype(np.uint16)
    if predictor == 6:
        return (b + ((a - c) >> 1)).astype(np.uint16)
    if predictor == 7:
        return ((a + b) >> 1).astype(np.uint16)
    raise ValueError(f"predictor {predictor}, expected 1 to 7")


def _costs(table: Table) -> NDArray[np.uint8]:
    """Bits of every difference modulo 2**16: of its category's code, and of the category."""
    difference = np.arange(1 << 16)
    magnitude = np.minimum(difference, (1 << 16) - difference)
    category = np.ceil(np.log2(magnitude + 1)).astype(np.intp)
    bits = np.full(17, _IMPOSSIBLE, np.uint8)
    for symbol, length in table.items():
        if symbol <= 16:  # category 16 is one value, without further bits
            bits[symbol] = length + symbol % 16
    return np.asarray(bits[category])


def _damaged(detail: str) -> ImageRejected:
    return ImageRejected(RejectionReason.CODESTREAM_MISMATCH, detail)
