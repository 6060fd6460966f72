"""What a JPEG 2000 or HTJ2K codestream says about itself, and the walk through its tile-parts."""

import struct
from collections.abc import Iterator

from mammo_ray.dicom.codestream import Codestream, mismatch
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

SSIZ_OFFSET = 42  # of the first component's depth, from the start of the codestream
SSIZ_STEP = 3  # bytes from one component's depth to the next

_BOX_SIGNATURE = b"\x00\x00\x00\x0cjP  "
_SOD, _EOC = 0xFF93, 0xFFD9
_SOT, _COD, _COC = 0xFF90, 0xFF52, 0xFF53
_END = b"\xff\xd9"
_TILE_PART = b"\xff\x90"
_MOST_LEVELS = 32  # ITU-T T.800 table A.15


def unbox(frame: bytes) -> tuple[bytes, bool]:
    """The JPEG 2000 codestream in a frame, and whether JP2 boxes were taken off.

    DICOM forbids the boxes (PS3.5 annex A.4.4); some archives have them.

    Raises:
        ImageRejected: boxes without a codestream.
    """
    if not frame.startswith(_BOX_SIGNATURE):
        return frame, False
    offset = 0
    while offset + 8 <= len(frame):
        length, kind = struct.unpack_from(">L4s", frame, offset)
        start = offset + 8
        if length == 1 and offset + 16 <= len(frame):
            length, start = struct.unpack_from(">Q", frame, offset + 8)[0], offset + 16
        end = len(frame) if length == 0 else offset + length
        if kind == b"jp2c":
            return frame[start:end], True
        if end < start:
            break
        offset = end
    raise mismatch("the JP2 boxes hold no codestream (jp2c)")


def read_jpeg_2000(frame: bytes) -> Codestream:
    """The SIZ and COD segments of a JPEG 2000 codestream (ITU-T T.800 A.5.1 and A.6.1).

    Raises:
        ImageRejected: it does not start with SOC and SIZ.
    """
    if not frame.startswith(b"\xff\x4f\xff\x51") or len(frame) < 45:
        raise mismatch(f"the frame starts with {frame[:4].hex()}, expected ff4fff51 (SOC, SIZ)")
    right, bottom, left, top = struct.unpack_from(">4L", frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    depth, *subsampling = frame[SSIZ_OFFSET : SSIZ_OFFSET + SSIZ_STEP]
    levels, reversible = _coding_style(frame)
    is_plain = (left, top) == (0, 0) and subsampling == [1, 1]
    return Codestream(
        rows=bottom - top,
        columns=right - left,
        components=components,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        levels=levels if is_plain else 0,
        reversible=reversible,
    )


def check_tile_parts(frame: bytes) -> None:
    """Walk the tile-parts of a JPEG 2000 codestream (ITU-T T.800 A.4.2).

    OpenJPEG decodes what a shortened codestream still has. But each tile-part says how long it is,
    so that they must lead from one to the next, through every tile, to the end marker.

    Raises:
        ImageRejected: they do not, or a tile is missing.
    """
    size = len(frame)
    right, bottom, _, _, width, height, left, top = struct.unpack_from(">8L", frame, 8)
    if not width or not height or right <= left or bottom <= top:
        raise mismatch(f"JPEG 2000 tiles of {height} x {width}")
    expected = -(-(right - left) // width) * -(-(bottom - top) // height)
    offset, tiles = 2, set()
    while frame[offset : offset + 2] not in (_TILE_PART, _END) and offset + 4 <= size:
        offset += 2 + int(struct.unpack_from(">H", frame, offset + 2)[0])  # the main header
    while frame[offset : offset + 2] == _TILE_PART and offset + 12 <= size:
        tile, length = struct.unpack_from(">HL", frame, offset + 4)
        tiles.add(tile)
        # 0: up to the end marker, which stands before any padding.
        offset = offset + length if length else len(frame.rstrip(b"\x00\xff")) - len(_END)
        if 0 < length < 14:
            raise mismatch(f"a JPEG 2000 tile-part has {length} bytes")
    if frame[offset : offset + 2] != _END:
        raise ImageRejected(
            RejectionReason.PIXEL_DATA_TRUNCATED,
            f"the JPEG 2000 tile-parts lead to byte {offset} of {size}, which is not ffd9 (EOC)",
        )
    if len(tiles) != expected:
        raise ImageRejected(
            RejectionReason.PIXEL_DATA_TRUNCATED,
            f"the JPEG 2000 codestream has {len(tiles)} tiles, expected {expected}",
        )


def _coding_style(frame: bytes) -> tuple[int, bool | None]:
    """Wavelet levels and whether the wavelet is reversible.

    Both are unknown where a component or a tile has a coding style of its own.
    """
    styles = [(marker, offset) for marker, offset in _segments(frame) if marker in (_COD, _COC)]
    if len(styles) != 1 or styles[0][0] != _COD or styles[0][1] + 14 > len(frame):
        return 0, None
    offset = styles[0][1]
    levels, wavelet = frame[offset + 9], frame[offset + 13]
    return (levels if levels <= _MOST_LEVELS else 0), wavelet == 1


def _segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Marker and offset of every segment of the main header and of the tile-part headers.

    It ends where the codestream does not lead on; `check_tile_parts` tells what is wrong with it.
    """
    offset, part_end = 2, 0
    while offset + 12 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, offset)
        if marker == _SOT:
            part_length = struct.unpack_from(">L", frame, offset + 6)[0]
            part_end = offset + part_length if part_length >= 14 else len(frame)
        elif marker == _SOD and part_end > offset:
            offset = part_end
            continue
        elif marker in (_SOD, _EOC) or length < 2:
            return
        else:
            yield marker, offset
        offset += 2 + length
