"""How a header describes its pixels (PS3.3 C.7.6.3), checked before anything is allocated."""

from dataclasses import dataclass

from pydicom.uid import ExplicitVRBigEndian

from mammo_ray.dicom.elements import Elements, name_of
from mammo_ray.dicom.parsing import PIXEL_DATA, ParsedHeader, quiet_pydicom, tag_text
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_GRAY = {"MONOCHROME1", "MONOCHROME2"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}


@dataclass(frozen=True)
class PixelFormat:
    """The image pixel module of one image.

    Attributes:
        bits_allocated: 8 or 16, the bits of one stored sample.
        bits_stored: nominal bits of one sample, at most `bits_allocated`.
        high_bit: position of the most significant nominal bit.
        signed: Pixel Representation (0028,0103) is 1.
        planar: colour samples lie plane by plane.
        frames: Number of Frames (0028,0008).
    """

    transfer_syntax: str
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    photometric: str
    frames: int = 1

    @property
    def bytes_expected(self) -> int:
        """Bytes of the uncompressed frame."""
        # YBR_FULL_422 has one pair of colour differences for two pixels (PS3.3 C.7.6.3.1.2).
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8

    @property
    def big_endian(self) -> bool:
        """Whether uncompressed samples have their high byte first."""
        return self.transfer_syntax == ExplicitVRBigEndian


@quiet_pydicom()
def read_pixel_format(
    header: ParsedHeader, max_megapixels: float, frame: int | None = None
) -> PixelFormat:
    """The checked pixel format of a header.

    A multi-frame image is refused unless a frame is asked for: a frame of a tomosynthesis stack is
    no mammogram, so none may stand for the stack.

    Args:
        header: of the file.
        max_megapixels: most pixels of a frame.
        frame: number of the frame that is wanted, from 0; None for the only one.

    Raises:
        ImageRejected: no pixels, a missing or impossible element, a format that is not supported,
            or more pixels than allowed.
    """
    if header.pixel_tag is None:
        raise ImageRejected(
            RejectionReason.NO_PIXEL_DATA, "the file ends after its header: no PixelData"
        )
    if header.pixel_tag != PIXEL_DATA:
        raise _unsupported(
            f"pixels are {tag_text(header.pixel_tag)}, floating point; expected (7FE0,0010)"
        )
    if header.transfer_syntax is None:
        raise ImageRejected(
            RejectionReason.HEADER_INVALID,
            "TransferSyntaxUID (0002,0010) is absent: the pixels cannot be told apart",
        )
    elements = Elements(header.dataset)
    bits_stored = _required(elements, "BitsStored", range(1, 65536))
    pixel_format = PixelFormat(
        transfer_syntax=header.transfer_syntax,
        rows=_required(elements, "Rows", range(1, 65536)),
        columns=_required(elements, "Columns", range(1, 65536)),
        samples=_optional(elements, "SamplesPerPixel", 1),
        bits_allocated=_required(elements, "BitsAllocated", range(1, 65536)),
        bits_stored=bits_stored,
        high_bit=_optional(elements, "HighBit", bits_stored - 1),
        signed=_optional(elements, "PixelRepresentation", 0) == 1,
        planar=_optional(elements, "PlanarConfiguration", 0) == 1,
        photometric=(elements.text("PhotometricInterpretation") or "").upper(),
        frames=_optional(elements, "NumberOfFrames", 1),
    )
    _check_size(pixel_format, max_megapixels)
    _check_frames(pixel_format.frames, frame)
    _check_supported(pixel_format)
    return pixel_format


def _check_size(pixel_format: PixelFormat, max_megapixels: float) -> None:
    megapixels = pixel_format.rows * pixel_format.columns / 1e6
    if megapixels > max_megapixels:
        raise ImageRejected(
            RejectionReason.IMAGE_TOO_LARGE,
            f"Rows (0028,0010) x Columns (0028,0011) is {pixel_format.rows} x "
            f"{pixel_format.columns} = {megapixels:.1f} megapixels, at most {max_megapixels:g}",
        )


def _check_frames(frames: int, frame: int | None) -> None:
    if frame is None and frames != 1:
        raise _unsupported(f"{name_of('NumberOfFrames')} is {frames}, expected 1")
    if frame is not None and not 0 <= frame < frames:
        raise _unsupported(f"{name_of('NumberOfFrames')} is {frames}: there is no frame {frame}")


def _check_supported(pixel_format: PixelFormat) -> None:
    if pixel_format.bits_allocated not in (8, 16):
        raise _unsupported(
            f"{name_of('BitsAllocated')} is {pixel_format.bits_allocated}, expected 8 or 16"
        )
    if pixel_format.bits_stored > pixel_format.bits_allocated:
        raise _invalid(
            "BitsStored", pixel_format.bits_stored, f"at most {pixel_format.bits_allocated}"
        )
    lowest = pixel_format.bits_stored - 1
    if pixel_format.high_bit not in range(lowest, pixel_format.bits_allocated):
        raise _invalid(
            "HighBit", pixel_format.high_bit, f"{lowest} to {pixel_format.bits_allocated - 1}"
        )
    allowed = {1: _GRAY, 3: _COLOUR}.get(pixel_format.samples, set())
    if pixel_format.photometric not in allowed:
        raise _unsupported(
            f"{name_of('PhotometricInterpretation')} is {pixel_format.photometric[:16]!r} with "
            f"{pixel_format.samples} samples; expected MONOCHROME1 or 2 with 1, RGB or YBR with 3"
        )


def _required(elements: Elements, keyword: str, allowed: range) -> int:
    value = elements.integer(keyword)
    if value is None:
        raise ImageRejected(
            RejectionReason.HEADER_INVALID, f"{name_of(keyword)} is absent or no integer"
        )
    if value not in allowed:
        raise _invalid(keyword, value, f"{allowed.start} to {allowed.stop - 1}")
    return value


def _optional(elements: Elements, keyword: str, default: int) -> int:
    """The value of an element whose absence has one meaning."""
    if elements.text(keyword) is None:
        return default
    value = elements.integer(keyword)
    if value is None:
        raise ImageRejected(RejectionReason.HEADER_INVALID, f"{name_of(keyword)} is no integer")
    return value


def _invalid(keyword: str, found: int, expected: str) -> ImageRejected:
    return ImageRejected(
        RejectionReason.HEADER_INVALID, f"{name_of(keyword)} is {found}, expected {expected}"
    )


def _unsupported(detail: str) -> ImageRejected:
    return ImageRejected(RejectionReason.UNSUPPORTED_PIXEL_FORMAT, detail)
