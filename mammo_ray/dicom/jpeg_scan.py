"""Whether the entropy-coded data of a JPEG stream is whole (ITU-T T.81 annexes B and H).

libjpeg only warns about damage: it fills what is missing with an even gray, or garbage, and answers
as if all were well. Two things can be known without it: which markers may stand inside a scan, and,
where compression is lossless, how many bits the samples that came out must have taken.
"""

import functools
import re
import struct
from collections.abc import Callable, Iterator
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
_WORD = 8  # bytes looked at at once
_ROWS_AT_A_TIME = 64

Table = dict[int, int]  # bits of a code by its symbol


@dataclass
class _Stream:
    """What the segments before a scan set."""

    restart_interval: int = 0
    is_lossless: bool = False
    precision: int = 0
    rows_offset: int = 0
    tables: dict[int, Table] = field(default_factory=dict)


@dataclass(frozen=True)
class _Escapes:
    """Where ff stands in a stream (T.81 B.1.1.5), rising; an ff before an ff only fills.

    Attributes:
        stuffed: (n,) int64, before a 00: one byte of data.
        markers: (m,) int64, before anything else: a marker, unless it stands in a segment.
    """

    stuffed: NDArray[np.int64]
    markers: NDArray[np.int64]


@dataclass(frozen=True)
class _Data:
    """The entropy-coded data of a scan.

    Attributes:
        bits: padding included, stuffed bytes not.
        padding: at most so many of them belong to no sample.
        end: where it ends in the stream, fill bytes left out.
        tail: its last two bytes, stuffed bytes left out.
    """

    bits: int
    padding: int
    end: int
    tail: bytes


@dataclass(frozen=True)
class LosslessScan:
    """The one scan of a gray lossless image without restarts.

    Attributes:
        data: what its samples must take.
        precision: bits of a sample.
        predictor: selection value, 1 to 7 (T.81 table H.1).
        point_transform: low bits that were not coded.
        table: Huffman table of the differences' categories.
        rows_offset: where in the stream the frame header says how many rows there are.
    """

    data: _Data
    precision: int
    predictor: int
    point_transform: int
    table: Table
    rows_offset: int


def check_scans(frame: bytes) -> LosslessScan | None:
    """Walk every marker of a JPEG stream that starts with SOI.

    Returns:
        The scan whose bits can be counted, None where they cannot.

    Raises:
        ImageRejected: a marker that may not stand where it stands, or data after the end.
    """
    escapes = _find_escapes(frame)
    stream = _Stream()
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
            stream.is_lossless, stream.precision = marker == _LOSSLESS, segment[0]
            stream.rows_offset = offset - len(segment) + 1
        elif marker == _SOS:
            end = _scan_end(frame, offset, escapes, stream.restart_interval)
            data = functools.partial(_entropy_coded_data, frame, offset, end, escapes)
            found.append(_lossless_scan(data, segment, stream))
            offset = end


def check_samples(samples: NDArray[np.unsignedinteger], scan: LosslessScan) -> None:
    """Compare the bits that the samples take with those that are there.

    A lossless stream is a function of its samples: each costs the code of its difference's category
    and as many bits as the category (T.81 H.1.2.2). A truncated or damaged stream gives samples
    that take more or fewer. What changes a difference within its category cannot be seen.

    Raises:
        ValueError: they differ, or there is no such predictor.
    """
    if not 1 <= scan.predictor <= 7:
        raise ValueError(f"predictor {scan.predictor}, expected 1 to 7")
    words = samples.astype(np.uint16, copy=False)
    shifted = np.right_shift(words, scan.point_transform) if scan.point_transform else words
    costs = _costs(scan.table)
    magnitudes = _magnitudes(shifted, scan)
    taken = int(sum(cv2.sumElems(cv2.LUT(some, costs))[0] for some in magnitudes))
    if not 0 <= scan.data.bits - taken <= scan.data.padding:
        raise ValueError(f"the samples take {taken} bits, the scan has {scan.data.bits}")


def _segment(frame: bytes, offset: int) -> bytes:
    """The parameters of a marker segment."""
    length = int.from_bytes(frame[offset : offset + 2], "big")
    if length < 2 or offset + length > len(frame):
        raise _damaged(f"a JPEG segment of {length} bytes at byte {offset} of {len(frame)}")
    return frame[offset + 2 : offset + length]


def _find_escapes(frame: bytes) -> _Escapes:
    """Every ff of a stream; most words have none, so that they are looked for by the word."""
    data = np.frombuffer(frame, np.uint8)
    is_escape = np.empty(-(-len(data) // _WORD) * _WORD, bool)
    np.equal(data, 0xFF, out=is_escape[: len(data)])
    is_escape[len(data) :] = False
    words = np.flatnonzero(is_escape.view(np.uint64) != 0)
    inside = is_escape.reshape(-1, _WORD)[words]
    places = (words[:, np.newaxis] * _WORD + np.arange(_WORD))[inside]
    places = places[places < len(data) - 1]
    following = data[places + 1]
    is_stuffed = following == 0
    return _Escapes(places[is_stuffed], places[~is_stuffed & (following != 0xFF)])


def _scan_end(frame: bytes, start: int, escapes: _Escapes, restart_interval: int) -> int:
    """Where the marker after a scan stands; restarts inside come in their order."""
    first = int(np.searchsorted(escapes.markers, start))
    for restarts, offset in enumerate(escapes.markers[first:].tolist()):
        marker = frame[offset + 1]
        if marker in _AFTER_SCAN:
            return int(offset)
        if not restart_interval or marker != _RESTARTS[restarts % 8]:
            raise _damaged(f"marker ff{marker:02x} inside a JPEG scan, at byte {offset}")
    raise _damaged("the JPEG scan has no end")


def _entropy_coded_data(frame: bytes, start: int, end: int, escapes: _Escapes) -> _Data:
    """What lies between two places."""
    while end > start and frame[end - 1] == 0xFF:  # fill bytes of the marker after it
        end -= 1
    first, last = np.searchsorted(escapes.stuffed, [start, end - 1])
    # A zero byte more, as some encoders write.
    padding = 15 if end > start and frame[end - 1] == 0 else 7
    tail = frame[max(start, end - 6) : end].replace(b"\xff\x00", b"\xff")[-2:]
    return _Data(8 * (end - start - int(last - first)), padding, end, tail)


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
    read_data: Callable[[], _Data], segment: bytes, stream: _Stream
) -> LosslessScan | None:
    """The scan if it is lossless, of one component and without restarts."""
    is_counted = stream.is_lossless and not stream.restart_interval and segment[:1] == b"\x01"
    if not is_counted or len(segment) < 6:
        return None
    table = stream.tables.get(segment[2] >> 4)
    if table is None:
        raise _damaged(f"the scan names Huffman table {segment[2] >> 4}, which is not there")
    return LosslessScan(
        data=read_data(),
        precision=stream.precision,
        predictor=segment[3],
        point_transform=segment[5] & 0x0F,
        table=table,
        rows_offset=stream.rows_offset,
    )


def _magnitudes(samples: NDArray[np.uint16], scan: LosslessScan) -> Iterator[NDArray[np.uint16]]:
    """Size of sample minus prediction (T.81 H.1.2.1), a few rows at a time to stay in the cache.

    The first row is predicted from the left and the first column from above. A difference counts
    modulo 2**16, and so does its size here: its category is that of its complement.
    """
    middle = 1 << (scan.precision - scan.point_transform - 1)
    yield np.array([[abs(int(samples[0, 0]) - middle)]], np.uint16)
    if samples.shape[1] > 1:
        yield _absolute_difference(samples[:1, 1:], samples[:1, :-1])
    if samples.shape[0] > 1:
        yield _absolute_difference(samples[1:, :1], samples[:-1, :1])
    if min(samples.shape) > 1:
        for top in range(1, len(samples), _ROWS_AT_A_TIME):
            rows = samples[top - 1 : top + _ROWS_AT_A_TIME]
            left, above, corner = rows[1:, :-1], rows[:-1, 1:], rows[:-1, :-1]
            prediction = predicted(left, above, corner, scan.predictor)
            yield _absolute_difference(rows[1:, 1:], prediction)


def _absolute_difference(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return np.asarray(cv2.absdiff(a, b), dtype=np.uint16)


def predicted(
    left: NDArray[np.uint16], above: NDArray[np.uint16], corner: NDArray[np.uint16], predictor: int
) -> NDArray[np.uint16]:
    """The prediction of T.81 table H.1, predictor 1 to 7; arrays of one shape."""
    if predictor in (1, 2, 3):
        return (left, above, corner)[predictor - 1]
    if predictor == 4:
        return left + above - corner
    a, b, c = (samples.astype(np.int32) for samples in (left, above, corner))
    if predictor == 5:
        return (a + ((b - c) >> 1)).astype(np.uint16)
    if predictor == 6:
        return (b + ((a - c) >> 1)).astype(np.uint16)
    return ((a + b) >> 1).astype(np.uint16)


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
