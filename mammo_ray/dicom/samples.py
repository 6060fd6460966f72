"""From a decoder's samples to stored values: signs, unused bits, and colour to gray."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray.dicom.codecs import JPEG, Samples
from mammo_ray.dicom.pixel_format import PixelFormat
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason


def native_samples(content: memoryview, pixel_format: PixelFormat) -> Samples:
    """Samples of an uncompressed frame: (rows, columns) or (rows, columns, 3).

    Raises:
        ImageRejected: YBR_FULL_422 with an odd number of columns.
    """
    order = ">" if pixel_format.big_endian else "<"
    samples = np.frombuffer(content, f"{order}u{pixel_format.bits_allocated // 8}")
    rows, columns, count = pixel_format.rows, pixel_format.columns, pixel_format.samples
    if pixel_format.photometric == "YBR_FULL_422":
        if columns % 2:
            raise ImageRejected(
                RejectionReason.UNSUPPORTED_PIXEL_FORMAT,
                f"Columns (0028,0011) is {columns} in YBR_FULL_422, expected an even number",
            )
        # Two of luma, then a blue and a red difference (PS3.3 C.7.6.3.1.2).
        return samples.reshape(rows, columns // 2, 4)[..., :2].reshape(rows, columns)
    if count == 1:
        return samples.reshape(rows, columns)
    if pixel_format.planar:
        return np.moveaxis(samples.reshape(count, rows, columns), 0, -1)
    return samples.reshape(rows, columns, count)


def stored_values(
    samples: Samples, pixel_format: PixelFormat, precision: int
) -> NDArray[np.integer]:
    """Gray stored values in the type that the header declares.

    Only the value's own bits count: those of the codestream's precision, else Bits Stored up to
    High Bit (PS3.5 section 8.1.1; overlays of old files lie in the others). The sign is the
    header's, since JPEG and JPEG-LS cannot carry one.

    Args:
        samples: (rows, columns), or (rows, columns, 3) of colour.
        pixel_format: of the header.
        precision: bits of a codestream's sample, 0 where there is none.

    Raises:
        ImageRejected: colour samples of another type than uint8 or uint16; a sample beyond the
            codestream's own precision, as damage leaves it.
    """
    if samples.ndim == 3:
        return _gray_of_colour(samples, pixel_format)
    has_range = precision > 0 and samples.dtype.kind == "u"
    if has_range and precision < 8 * samples.itemsize and samples.max() >> precision:
        raise ImageRejected(
            RejectionReason.DECODE_FAILED,
            f"a sample is {samples.max()}, the codestream has {precision} bits a sample",
        )
    width = pixel_format.bits_allocated
    bits = precision or pixel_format.bits_stored
    lowest_bit = 0 if precision else pixel_format.high_bit + 1 - pixel_format.bits_stored
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    # Signed samples in a narrower type keep their value when they are widened.
    values = native.astype(f"{native.dtype.kind}{width // 8}", copy=False).view(f"u{width // 8}")
    if pixel_format.signed:
        to_top = np.left_shift(values, width - bits - lowest_bit, dtype=values.dtype)
        return np.asarray(np.right_shift(to_top.view(f"i{width // 8}"), width - bits))
    if bits == width or has_range:
        return values
    if lowest_bit:
        values = np.right_shift(values, lowest_bit)
    highest = (1 << bits) - 1
    return np.bitwise_and(values, highest) if values.max() > highest else values


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
