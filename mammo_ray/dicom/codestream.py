"""What a compressed codestream says about itself, and the checks before any decoder sees it.

Decoders believe a codestream: a tiny file that declares 65500 x 65500 makes them allocate 4 GB,
and a truncated JPEG lossless stream decodes to garbage without an error. So its size must be the
header's, its precision must fit, and it must reach its end marker.
"""

import itertools
import struct
from dataclasses import dataclass

from mammo_ray.dicom.pixel_format import PixelFormat
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_RLE_HEADER = 64  # bytes
_END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_TILE_PART = b"\xff\x90"  # SOT
_BOX_SIGNATURE = b"\x00\x00\x00\x0cjP  "
# SOF0 to SOF15 without DHT, JPG and DAC (ITU-T T.81 table B.1), and SOF55 of JPEG-LS (T.87).
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_STANDALONE_MARKERS = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True)
class Codestream:
    """The start of a codestream.

    Attributes:
        precision: bits of one sample.
        signed: whether samples are signed; None where the format cannot say (JPEG, JPEG-LS).
        has_colour_marker: a JFIF or Adobe marker tells the colour space.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None
    has_colour_marker: bool = False


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
    raise _mismatch("the JP2 boxes hold no codestream (jp2c)")


def read_jpeg(frame: bytes) -> Codestream:
    """The frame header of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2, T.87 C.2.2).

    Raises:
        ImageRejected: it does not start with SOI or has no frame header.
    """
    if not frame.startswith(b"\xff\xd8"):
        raise _mismatch(f"the frame starts with {frame[:2].hex()}, expected ffd8 (SOI)")
    offset, has_colour_marker = 2, False
    while offset + 4 <= len(frame) and frame[offset] == 0xFF:
        marker = frame[offset + 1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        if marker in _STANDALONE_MARKERS:
            offset += 2
            continue
        (length,) = struct.unpack_from(">H", frame, offset + 2)
        if marker in _FRAME_MARKERS and offset + 10 <= len(frame):
            precision, rows, columns, components = struct.unpack_from(">BHHB", frame, offset + 4)
            return Codestream(rows, columns, components, precision, None, has_colour_marker)
        if marker in (0xD9, 0xDA):  # the end, or entropy-coded data
            break
        has_colour_marker |= marker in (0xE0, 0xEE)
        offset += 2 + length
    raise _mismatch("the JPEG stream has no frame header (SOF)")


def read_jpeg_2000(frame: bytes) -> Codestream:
    """The SIZ segment of a JPEG 2000 codestream (ITU-T T.800 A.5.1).

    Raises:
        ImageRejected: it does not start with SOC and SIZ.
    """
    if not frame.startswith(b"\xff\x4f\xff\x51") or len(frame) < 43:
        raise _mismatch(f"the frame starts with {frame[:4].hex()}, expected ff4fff51 (SOC, SIZ)")
    right, bottom, left, top = struct.unpack_from(">4L", frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    depth = frame[42]
    return Codestream(
        rows=bottom - top,
        columns=right - left,
        components=components,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
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
        raise _mismatch(f"JPEG 2000 tiles of {height} x {width}")
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
            raise _mismatch(f"a JPEG 2000 tile-part has {length} bytes")
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


def check_rle(frame: bytes, pixel_format: PixelFormat) -> None:
    """Check the RLE header (PS3.5 annex G.5): decoders follow its offsets out of the frame.

    Raises:
        ImageRejected: not one segment a byte of a sample, or a segment outside the frame.
    """
    if len(frame) < _RLE_HEADER:
        raise _mismatch(f"the RLE frame has {len(frame)} bytes, less than its header of 64")
    count, *offsets = struct.unpack_from("<16L", frame)
    expected = pixel_format.samples * pixel_format.bits_allocated // 8
    if count != expected:
        raise _mismatch(f"the RLE frame has {count} segments, expected {expected}")
    edges = [*offsets[:count], len(frame)]
    if edges[0] != _RLE_HEADER or any(a >= b for a, b in itertools.pairwise(edges)):
        raise _mismatch(
            f"the RLE segments start at {offsets[:count]} in a frame of {len(frame)} bytes, "
            "expected 64 first and then rising"
        )


def check(codestream: Codestream, frame: bytes, pixel_format: PixelFormat) -> list[str]:
    """Notes on what differs from the header but can be read.

    Raises:
        ImageRejected: the size or the samples differ from the header, the precision does not fit
            Bits Allocated, or the end marker is missing.
    """
    found = (codestream.rows, codestream.columns, codestream.components)
    expected = (pixel_format.rows, pixel_format.columns, pixel_format.samples)
    if found != expected:
        raise _mismatch(
            f"the codestream is {found[0]} x {found[1]} x {found[2]}; the header says "
            f"{expected[0]} x {expected[1]} x {expected[2]} (rows x columns x samples)"
        )
    if not 1 < codestream.precision <= pixel_format.bits_allocated:
        raise _mismatch(
            f"the codestream has {codestream.precision} bits a sample; "
            f"BitsAllocated (0028,0100) is {pixel_format.bits_allocated}"
        )
    if not frame.rstrip(b"\x00\xff").endswith(_END):
        raise ImageRejected(
            RejectionReason.PIXEL_DATA_TRUNCATED,
            f"the codestream of {len(frame)} bytes does not end with ffd9 (EOI or EOC)",
        )
    notes = []
    if codestream.precision != pixel_format.bits_stored:
        notes.append(
            f"the codestream has {codestream.precision} bits a sample, "
            f"BitsStored (0028,0101) is {pixel_format.bits_stored}"
        )
    if codestream.signed is not None and codestream.signed != pixel_format.signed:
        notes.append(
            f"the codestream is {'signed' if codestream.signed else 'unsigned'}, "
            f"PixelRepresentation (0028,0103) is {int(pixel_format.signed)}"
        )
    return notes


def _mismatch(detail: str) -> ImageRejected:
    return ImageRejected(RejectionReason.CODESTREAM_MISMATCH, detail)
