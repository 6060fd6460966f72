"""Stored pixels of one image from the bytes of its file; a rejection with a reason otherwise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom import codestream as codestreams
from mammo_ray.dicom import codestream_2000, zero_runs
from mammo_ray.dicom.codecs import (
    CODEC_ERRORS,
    DECODERS,
    JPEG_2000,
    Decoder,
    Frame,
    Samples,
)
from mammo_ray.dicom.deflated import with_pixels
from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.frames import encapsulated_frame, native_frame
from mammo_ray.dicom.functional_groups import elements_of_frame
from mammo_ray.dicom.grayscale_facts import GrayscaleFacts, plain_facts, read_grayscale
from mammo_ray.dicom.jpeg_2000 import centered_on_blocks
from mammo_ray.dicom.parsing import ParsedHeader, parse_header
from mammo_ray.dicom.pixel_format import PixelFormat, read_pixel_format
from mammo_ray.dicom.samples import native_samples, stored_values
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_NATIVE = {
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
}


LeaveOut = Callable[[int, int], int]


@dataclass(frozen=True)
class DecodedImage:
    """One image as it was stored.

    Attributes:
        stored: (rows, columns), uint8, uint16, int8 or int16: stored values, unused bits removed.
            With `levels` left out, a value stands for a block of `2**levels` pixels a side.
        decoder: name of the decoder that gave the pixels, and the share of a side that it decoded.
        grayscale: what turns stored values into gray levels.
        chest_wall: side of the picture, L or R, where the header puts it; None if it does not.
        sop_uid: SOP Instance UID (0008,0018) of the file, None where it has none.
        notes: oddities that were accepted.
        levels: resolution levels that were left out; 0 for every pixel of the file.
        whole_size: rows and columns of the image in the file where levels were left out.
    """

    stored: NDArray[np.integer]
    decoder: str
    grayscale: GrayscaleFacts
    chest_wall: Literal["L", "R"] | None
    sop_uid: str | None
    notes: tuple[str, ...]
    levels: int = 0
    whole_size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the image in the file."""
        rows, columns = self.stored.shape
        return self.whole_size or (rows, columns)


def whole(_rows: int, _columns: int) -> int:
    """No resolution level may be left out."""
    return 0


def decode_image(
    content: bytes, config: DecodeConfig, *, frame: int | None = None, leave_out: LeaveOut = whole
) -> DecodedImage:
    """Decode an image of a whole DICOM file held in memory.

    Args:
        content: the file.
        config: limits.
        frame: number of a frame of a multi-frame file, from 0; None for the only frame.
        leave_out: how many resolution levels may be left out of an image of so many rows and
            columns; fewer are where its transfer syntax or its codestream has fewer, and none
            where pixel padding would be mixed with the pixels beside it.

    Raises:
        ImageRejected: with the reason, when the file does not give every pixel it promises.
    """
    header = parse_header(content, complete=True)
    if header is None:  # only ever for a part of a file
        raise ImageRejected(RejectionReason.HEADER_TRUNCATED, "the header is not whole")
    pixel_format = read_pixel_format(header, config.max_megapixels, frame)
    levels = leave_out(pixel_format.rows, pixel_format.columns)
    image = _image(header, pixel_format, frame or 0, levels)
    if image.levels and _holds_padding(image):
        return _image(header, pixel_format, frame or 0, 0)
    return image


def _image(
    header: ParsedHeader, pixel_format: PixelFormat, frame: int, most_levels: int
) -> DecodedImage:
    """A frame decoded with at most so many resolution levels left out."""
    try:
        pixels = _decode(header, pixel_format, frame, most_levels)
        stored = stored_values(pixels.samples, pixel_format, pixels.precision)
        if pixels.levels:
            stored = centered_on_blocks(stored, pixels.levels)
    except MemoryError as error:
        raise ImageRejected(
            RejectionReason.OUT_OF_MEMORY,
            f"{pixel_format.rows} x {pixel_format.columns} pixels do not fit into memory",
        ) from error
    elements = elements_of_frame(header.dataset, frame)
    notes = pixels.notes
    if pixel_format.samples == 1:
        grayscale = read_grayscale(elements, pixel_format)
    else:
        notes.append(f"colour ({pixel_format.photometric}) was turned to gray")
        grayscale = plain_facts(pixel_format)
    scale = f" at 1/{1 << pixels.levels}" if pixels.levels else ""
    return DecodedImage(
        stored=stored,
        decoder=f"{pixels.decoder}{scale}",
        grayscale=grayscale,
        chest_wall=_chest_wall(elements),
        sop_uid=elements.text("SOPInstanceUID"),
        notes=(*notes, *elements.notes),
        levels=pixels.levels,
        whole_size=(pixel_format.rows, pixel_format.columns) if pixels.levels else None,
    )


def _holds_padding(image: DecodedImage) -> bool:
    """Whether any pixel is padding."""
    if image.grayscale.padding is None:
        return False
    return bool(cv2.countNonZero(cv2.inRange(image.stored, *image.grayscale.padding)))


def _chest_wall(elements: Elements) -> Literal["L", "R"] | None:
    """Where Patient Orientation (0020,0020) puts the chest wall (PS3.3 C.7.6.1.1.1).

    Its first value is the way along a row to the right: towards anterior, the nipple, or posterior.
    """
    towards_right = next(iter(elements.texts("PatientOrientation")), "")[:1]
    sides: dict[str, Literal["L", "R"]] = {"A": "L", "P": "R"}
    return sides.get(towards_right)


@dataclass(frozen=True)
class _Pixels:
    """What a decoder gave: samples, the bits that carry their value, the levels left out."""

    samples: Samples
    decoder: str
    precision: int
    levels: int
    notes: list[str]


def _decode(
    header: ParsedHeader, pixel_format: PixelFormat, frame: int, most_levels: int
) -> _Pixels:
    """A frame in its transfer syntax."""
    syntax = pixel_format.transfer_syntax
    if syntax in _NATIVE:
        header = with_pixels(header, pixel_format)
        content, notes = native_frame(header, pixel_format, frame)
        return _Pixels(native_samples(content, pixel_format), "native", 0, 0, notes)
    if syntax not in DECODERS:
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_TRANSFER_SYNTAX,
            f"TransferSyntaxUID (0002,0010) is {syntax[:64]!r}, for which there is no decoder",
        )
    encapsulated = encapsulated_frame(header, pixel_format, frame)
    checked, notes = _checked_frame(encapsulated, pixel_format, most_levels)
    decoder = DECODERS[syntax]
    precision = checked.codestream.precision if checked.codestream else 0
    return _Pixels(_decoded(decoder, checked), decoder.name, precision, checked.levels, notes)


def _checked_frame(
    encapsulated: bytes | memoryview, pixel_format: PixelFormat, most_levels: int
) -> tuple[Frame, list[str]]:
    """The frame after the checks of its family, and notes."""
    syntax = pixel_format.transfer_syntax
    if syntax == RLELossless:  # hardly more than a copy itself, so that it is not copied first
        codestreams.check_rle(encapsulated, pixel_format)
        return Frame(encapsulated, pixel_format, None), []
    content = bytes(encapsulated)
    notes: list[str] = []
    if syntax in JPEG_2000:
        content, boxed = codestream_2000.unbox(content)
        if boxed:
            notes.append("the JPEG 2000 codestream was wrapped in JP2 boxes")
        codestream = codestream_2000.read_jpeg_2000(content)
    else:
        codestream = codestreams.read_jpeg(content)
    notes += codestreams.check(codestream, content, pixel_format)
    if syntax in JPEG_2000:
        codestream_2000.check_tile_parts(content)
        zero_runs.check_zero_runs(content)
    levels = _levels(codestream, pixel_format, most_levels)
    return Frame(content, pixel_format, codestream, levels), notes


def _levels(
    codestream: codestreams.Codestream | None, pixel_format: PixelFormat, most_levels: int
) -> int:
    """Resolution levels to leave out: of gray images, where nothing is signed."""
    if codestream is None or pixel_format.samples > 1 or pixel_format.signed or codestream.signed:
        return 0
    return min(most_levels, codestream.levels)


def _decoded(decoder: Decoder, frame: Frame) -> Samples:
    """Samples of the right shape and type."""
    try:
        samples = decoder.decode(frame)
        _check_samples(samples, frame)
    except CODEC_ERRORS as error:
        message = " ".join(str(error).split())[:120]
        raise ImageRejected(
            RejectionReason.DECODE_FAILED,
            f"{decoder.name} failed: {type(error).__name__}: {message}",
        ) from error
    return samples


def _check_samples(samples: Samples, frame: Frame) -> None:
    pixel_format = frame.pixel_format
    sides = (pixel_format.rows, pixel_format.columns)
    shape: tuple[int, ...] = tuple(-(-side >> frame.levels) for side in sides)
    if pixel_format.samples > 1:
        shape = (*shape, pixel_format.samples)
    if samples.shape != shape:
        raise ValueError(f"shape {samples.shape}, expected {shape}")
    if samples.dtype.kind not in "iu" or samples.itemsize * 8 > pixel_format.bits_allocated:
        raise ValueError(f"type {samples.dtype}, expected {pixel_format.bits_allocated} bits")
