"""Stored pixels of one image from the bytes of its file; a rejection with a reason otherwise."""

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
)

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom import codestream as codestreams
from mammo_ray.dicom.codecs import (
    CODEC_ERRORS,
    DECODERS,
    JPEG,
    JPEG_2000,
    JPEG_LS,
    Decoder,
    Frame,
    Samples,
)
from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.frames import encapsulated_frame, native_frame
from mammo_ray.dicom.grayscale_facts import GrayscaleFacts, plain_facts, read_grayscale
from mammo_ray.dicom.parsing import ParsedHeader, parse_header
from mammo_ray.dicom.pixel_format import PixelFormat, read_pixel_format
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_NATIVE = {
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
}


@dataclass(frozen=True)
class DecodedImage:
    """One image as it was stored.

    Attributes:
        stored: (rows, columns), uint8, uint16, int8 or int16: stored values, unused bits removed.
        decoder: name of the decoder that gave the pixels.
        grayscale: what turns stored values into gray levels.
        chest_wall: side of the picture, L or R, where the header puts it; None if it does not.
        sop_uid: SOP Instance UID (0008,0018) of the file, None where it has none.
        notes: oddities that were accepted.
    """

    stored: NDArray[np.integer]
    decoder: str
    grayscale: GrayscaleFacts
    chest_wall: Literal["L", "R"] | None
    sop_uid: str | None
    notes: tuple[str, ...]


def decode_image(content: bytes, config: DecodeConfig) -> DecodedImage:
    """Decode a whole DICOM file held in memory.

    Args:
        content: the file.
        config: limits.

    Raises:
        ImageRejected: with the reason, when the file does not give every pixel it promises.
    """
    header = parse_header(content, complete=True)
    if header is None:  # only ever for a part of a file
        raise ImageRejected(RejectionReason.HEADER_TRUNCATED, "the header is not whole")
    pixel_format = read_pixel_format(header, config.max_megapixels)
    try:
        samples, decoder, precision, notes = _decode(header, pixel_format)
        stored = _stored_values(samples, pixel_format, precision)
    except MemoryError as error:
        raise ImageRejected(
            RejectionReason.OUT_OF_MEMORY,
            f"{pixel_format.rows} x {pixel_format.columns} pixels do not fit into memory",
        ) from error
    elements = Elements(header.dataset)
    if pixel_format.samples == 1:
        grayscale = read_grayscale(elements, pixel_format)
    else:
        notes.append(f"colour ({pixel_format.photometric}) was turned to gray")
        grayscale = plain_facts(pixel_format)
    chest_wall = _chest_wall(elements)
    sop_uid = elements.text("SOPInstanceUID")
    return DecodedImage(stored, decoder, grayscale, chest_wall, sop_uid, (*notes, *elements.notes))


def _chest_wall(elements: Elements) -> Literal["L", "R"] | None:
    """Where Patient Orientation (0020,0020) puts the chest wall (PS3.3 C.7.6.1.1.1).

    Its first value is the way along a row to the right: towards anterior, the nipple, or posterior.
    """
    towards_right = next(iter(elements.texts("PatientOrientation")), "")[:1]
    sides: dict[str, Literal["L", "R"]] = {"A": "L", "P": "R"}
    return sides.get(towards_right)


def _decode(header: ParsedHeader, pixel_format: PixelFormat) -> tuple[Samples, str, int, list[str]]:
    """Samples, name of the decoder, bits that carry the value, and notes."""
    syntax = pixel_format.transfer_syntax
    if syntax in _NATIVE:
        content, notes = native_frame(header, pixel_format)
        return _native_samples(content, header, pixel_format), "native", 0, notes
    if syntax not in DECODERS:
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_TRANSFER_SYNTAX,
            f"TransferSyntaxUID (0002,0010) is {syntax[:64]!r}, for which there is no decoder",
        )
    frame, notes = _checked_frame(encapsulated_frame(header), pixel_format)
    decoder = DECODERS[syntax]
    samples = _decoded(decoder, frame)
    precision = frame.codestream.precision if frame.codestream else 0
    return samples, decoder.name, precision, notes


def _checked_frame(content: bytes, pixel_format: PixelFormat) -> tuple[Frame, list[str]]:
    """The frame after the checks of its family, and notes."""
    syntax = pixel_format.transfer_syntax
    notes: list[str] = []
    codestream: codestreams.Codestream | None = None
    if syntax in JPEG_2000:
        content, boxed = codestreams.unbox(content)
        if boxed:
            notes.append("the JPEG 2000 codestream was wrapped in JP2 boxes")
        codestream = codestreams.read_jpeg_2000(content)
    elif syntax in JPEG or syntax in JPEG_LS:
        codestream = codestreams.read_jpeg(content)
    else:
        codestreams.check_rle(content, pixel_format)
    if codestream is not None:
        notes += codestreams.check(codestream, content, pixel_format)
    if syntax in JPEG_2000:
        codestreams.check_tile_parts(content)
    return Frame(content, pixel_format, codestream), notes


def _decoded(decoder: Decoder, frame: Frame) -> Samples:
    """Samples of the right shape and type."""
    try:
        samples = decoder.decode(frame)
        _check_samples(samples, frame.pixel_format)
    except CODEC_ERRORS as error:
        message = " ".join(str(error).split())[:120]
        raise ImageRejected(
            RejectionReason.DECODE_FAILED,
            f"{decoder.name} failed: {type(error).__name__}: {message}",
        ) from error
    return samples


def _check_samples(samples: Samples, pixel_format: PixelFormat) -> None:
    shape: tuple[int, ...] = (pixel_format.rows, pixel_format.columns)
    if pixel_format.samples > 1:
        shape = (*shape, pixel_format.samples)
    if samples.shape != shape:
        raise ValueError(f"shape {samples.shape}, expected {shape}")
    if samples.dtype.kind not in "iu" or samples.itemsize * 8 > pixel_format.bits_allocated:
        raise ValueError(f"type {samples.dtype}, expected {pixel_format.bits_allocated} bits")


def _native_samples(
    content: memoryview, header: ParsedHeader, pixel_format: PixelFormat
) -> Samples:
    """Samples of an uncompressed frame."""
    if pixel_format.photometric == "YBR_FULL_422":
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_PIXEL_FORMAT,
            "PhotometricInterpretation (0028,0004) is YBR_FULL_422 without compression",
        )
    order = ">" if pixel_format.big_endian else "<"
    samples = np.frombuffer(content, f"{order}u{pixel_format.bits_allocated // 8}")
    if pixel_format.big_endian and pixel_format.bits_allocated == 8 and header.pixel_vr == "OW":
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_PIXEL_FORMAT,
            "PixelData (7FE0,0010) is 8-bit samples in big-endian words",
        )
    rows, columns, count = pixel_format.rows, pixel_format.columns, pixel_format.samples
    if count == 1:
        return samples.reshape(rows, columns)
    if pixel_format.planar:
        return np.moveaxis(samples.reshape(count, rows, columns), 0, -1)
    return samples.reshape(rows, columns, count)


def _stored_values(
    samples: Samples, pixel_format: PixelFormat, precision: int
) -> NDArray[np.integer]:
    """Gray stored values in the type that the header declares.

    Only the value's own bits count: those of the codestream's precision, else Bits Stored up to
    High Bit (PS3.5 section 8.1.1; overlays of old files lie in the others). The sign is the
    header's, since JPEG and JPEG-LS cannot carry one.
    """
    if samples.ndim == 3:
        return _gray_of_colour(samples, pixel_format)
    width = pixel_format.bits_allocated
    bits = precision or pixel_format.bits_stored
    lowest_bit = 0 if precision else pixel_format.high_bit + 1 - pixel_format.bits_stored
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    # Signed samples in a narrower type keep their value when they are widened.
    values = native.astype(f"{native.dtype.kind}{width // 8}", copy=False).view(f"u{width // 8}")
    if pixel_format.signed:
        to_top = np.left_shift(values, width - bits - lowest_bit, dtype=values.dtype)
        return np.asarray(np.right_shift(to_top.view(f"i{width // 8}"), width - bits))
    if bits == width:
        return values
    return np.asarray(np.bitwise_and(np.right_shift(values, lowest_bit), (1 << bits) - 1))


def _gray_of_colour(samples: Samples, pixel_format: PixelFormat) -> NDArray[np.integer]:
    """Luma (ITU-R BT.601) of a colour image, (rows, columns)."""
    if samples.dtype not in (np.uint8, np.uint16):
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_PIXEL_FORMAT, f"colour samples are {samples.dtype}"
        )
    native = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder("="), copy=False))
    is_luma_first = pixel_format.photometric == "YBR_FULL" and (
        pixel_format.transfer_syntax not in JPEG
    )
    if is_luma_first:
        return np.ascontiguousarray(native[..., 0])
    return np.asarray(cv2.cvtColor(native, cv2.COLOR_RGB2GRAY))
