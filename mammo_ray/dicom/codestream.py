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
        levels: resolution levels of JPEG 2000 that a decoder can leave out; 0 where it has none
            or where they cannot be told.
        reversible: whether the wavelet of JPEG 2000 is (5/3), None where it cannot be told.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None
    has_colour_marker: bool = False
    levels: int = 0
    reversible: bool | None = None


def read_jpeg(frame: bytes) -> Codestream:
    """The frame header of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2, T.87 C.2.2).

    Raises:
        ImageRejected: it does not start with SOI or has no frame header.
    """
    if not frame.startswith(b"\xff\xd8"):
        raise mismatch(f"the frame starts with {frame[:2].hex()}, expected ffd8 (SOI)")
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
    raise mismatch("the JPEG stream has no frame header (SOF)")


def check_rle(frame: bytes | memoryview, pixel_format: PixelFormat) -> None:
    """Check the RLE header (PS3.5 annex G.5): decoders follow its offsets out of the frame.

    Raises:
        ImageRejected: not one segment a byte of a sample, or a segment outside the frame.
    """
    if len(frame) < _RLE_HEADER:
        raise mismatch(f"the RLE frame has {len(frame)} bytes, less than its header of 64")
    count, *offsets = struct.unpack_from("<16L", frame)
    expected = pixel_format.samples * pixel_format.bits_allocated // 8
    if count != expected:
        raise mismatch(f"the RLE frame has {count} segments, expected {expected}")
    edges = [*offsets[:count], len(frame)]
    if edges[0] != _RLE_HEADER or any(a >= b for a, b in itertools.pairwise(edges)):
        raise mismatch(
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
        raise mismatch(
            f"the codestream is {found[0]} x {found[1]} x {found[2]}; the header says "
            f"{expected[0]} x {expected[1]} x {expected[2]} (rows x columns x samples)"
        )
    if not 1 < codestream.precision <= pixel_format.bits_allocated:
        raise mismatch(
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


def mismatch(detail: str) -> ImageRejected:
    """The rejection of a frame that is not what its header or its syntax says."""
    return ImageRejected(RejectionReason.CODESTREAM_MISMATCH, detail)
