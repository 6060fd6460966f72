"""Stored pixels of an image file or of any file, and what they say about what it is."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.codecs import CODEC_ERRORS
from mammo_ray.dicom.decode import DecodedImage, LeaveOut, decode_image, whole
from mammo_ray.dicom.grayscale_facts import GrayscaleFacts
from mammo_ray.errors import ImageRejected
from mammo_ray.image_files.formats import ImageFormat
from mammo_ray.image_files.header import image_header, is_image_file, require_format
from mammo_ray.image_files.image_header import ImageHeader, Ranges, Samples, unsupported
from mammo_ray.schema import RejectionReason

_PREFIX = 132  # bytes that tell every format
_NEAR = 8 / 255  # of the brightest value: how far JPEG moves the pixels of a mask
_MOST_VALUES = 32


def decode_file(content: bytes, config: DecodeConfig, leave_out: LeaveOut = whole) -> DecodedImage:
    """Decode a whole DICOM or image file held in memory, whichever it is.

    Args:
        content: the file.
        config: limits.
        leave_out: how many resolution levels may be left out, as in `decode_image`.

    Raises:
        ImageRejected: with the reason, when the file does not give every pixel it promises.
    """
    if is_image_file(content[:_PREFIX]):
        return decode_image_file(content, config)
    return decode_image(content, config, leave_out=leave_out)


def decode_image_file(content: bytes, config: DecodeConfig) -> DecodedImage:
    """Decode a whole image file held in memory; colour becomes gray, alpha is dropped.

    Args:
        content: the file.
        config: limits.

    Raises:
        ImageRejected: with the reason, when the file does not give every pixel it promises.
    """
    header = image_header(Ranges.of(content))
    image_format = require_format(content[:_PREFIX])
    _check_header(header, config.max_megapixels)
    try:
        stored, notes = _decoded(content, header, image_format)
    except MemoryError as error:
        raise ImageRejected(
            RejectionReason.OUT_OF_MEMORY,
            f"{header.rows} x {header.columns} pixels do not fit into memory",
        ) from error
    used = int(stored.max()).bit_length()
    if 0 < used < header.bits - 1 and header.bits > 8:
        notes.append(f"the brightest value takes {used} of {header.bits} bits: the image is dark")
    grayscale = GrayscaleFacts(8 * stored.itemsize, header.bits, False, "MONOCHROME2")
    return DecodedImage(stored, image_format.decoder, grayscale, None, None, tuple(notes))


def pixel_facts(content: bytes, config: DecodeConfig) -> dict[str, Any]:
    """Facts of the pixels of a whole DICOM or image file, in columns of `schema.EXAMINED`.

    Stored values are counted from the lowest that their bits allow, and judged by the brightest
    one of the file: a mask of 0 and 1 is two-valued, and a dark 12-bit crop in 16 bits is not.

    Returns:
        `rows`, `columns` and `bits` (nominal, a sample); `near_binary`, the share of pixels within
        8/255 of the brightest value from 0 or from that value, and 1 where a file has one or two
        values; `foreground`, the share above half of the brightest value; `gray_values`, the
        distinct stored values, None where there are more than 32.

    Raises:
        ImageRejected: the file does not give every pixel it promises.
    """
    image = decode_file(content, config)
    values, counts = count_values(image.stored)
    heights = values - lowest_value(image.grayscale)
    top, pixels = int(heights[-1]), int(counts.sum())
    is_near = (heights <= top * _NEAR) | (heights >= top * (1 - _NEAR))
    near_binary = 1.0 if len(values) <= 2 else float(counts[is_near].sum() / pixels)
    return {
        "rows": image.stored.shape[0],
        "columns": image.stored.shape[1],
        "bits": image.grayscale.bits_stored,
        "near_binary": near_binary,
        "foreground": float(counts[2 * heights > top].sum() / pixels),
        "gray_values": values.tolist() if len(values) <= _MOST_VALUES else None,
    }


def count_values(stored: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct values of 8 or 16 bits, rising, and how many pixels have each."""
    lowest = int(np.iinfo(stored.dtype).min)
    counts = np.zeros(1 << (8 * stored.itemsize), np.int64)
    for rows in np.array_split(stored, max(1, stored.size >> 22)):  # 32 MB of indices at a time
        counts += np.bincount(rows.ravel().astype(np.intp) - lowest, minlength=len(counts))
    places = np.flatnonzero(counts)
    return (places + lowest).astype(np.int64), counts[places]


def lowest_value(facts: GrayscaleFacts) -> int:
    """The lowest stored value that the nominal bits allow."""
    return -(1 << (facts.bits_stored - 1)) if facts.signed else 0


def _check_header(header: ImageHeader, max_megapixels: float) -> None:
    megapixels = header.rows * header.columns / 1e6
    if megapixels > max_megapixels:
        raise ImageRejected(
            RejectionReason.IMAGE_TOO_LARGE,
            f"the header says {header.rows} x {header.columns} = {megapixels:.1f} megapixels, "
            f"at most {max_megapixels:g}",
        )
    if header.bits > 16:
        raise unsupported(f"{header.bits} bits a sample, expected at most 16")


def _decoded(
    content: bytes, header: ImageHeader, image_format: ImageFormat
) -> tuple[Samples, list[str]]:
    """Gray samples of the right shape and type, and notes."""
    try:
        samples, notes = image_format.decode(content, header)
        stored = _gray(samples, notes)
        _check_samples(stored, header)
    except CODEC_ERRORS as error:
        message = " ".join(str(error).split())[:120]
        raise ImageRejected(
            RejectionReason.DECODE_FAILED,
            f"{image_format.decoder} failed: {type(error).__name__}: {message}",
        ) from error
    return stored, notes


def _gray(samples: Samples, notes: list[str]) -> Samples:
    """Gray samples, the luma (ITU-R BT.601) of colour; notes are added in place."""
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        notes.append("alpha was dropped")
        samples = samples[..., :-1]
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if samples.ndim == 3:
        notes.append("colour was turned to gray")
        samples = np.asarray(cv2.cvtColor(np.ascontiguousarray(samples), cv2.COLOR_RGB2GRAY))
    return np.ascontiguousarray(samples)


def _check_samples(stored: Samples, header: ImageHeader) -> None:
    if stored.shape != (header.rows, header.columns):
        raise ValueError(f"shape {stored.shape}, expected {(header.rows, header.columns)}")
    if stored.dtype not in (np.uint8, np.uint16) or header.bits > 8 * stored.itemsize:
        raise ValueError(f"type {stored.dtype}, expected {header.bits} bits")
