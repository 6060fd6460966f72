"""Which pixels of a mask file mean which class."""

import numpy as np
from numpy.typing import NDArray

from mammo_ray.dicom.decode import DecodedImage
from mammo_ray.image_files.decode import count_values, lowest_value
from mammo_ray.preprocess.outlines import Mask

_NEAR = 8 / 255  # of the nominal range: how far JPEG moves the pixels of a class
# So large a share of the marked pixels, at one gray value, is a class and no trace of JPEG.
_CLASS_SHARE = 0.05
_CLASS_PIXELS = 16


class MaskUnusable(Exception):
    """A mask that would say what nobody drew; the message says why."""


def classes_of(image: DecodedImage, values: tuple[int, ...] | None) -> Mask:
    """The class of every pixel of a decoded mask file.

    Args:
        image: the mask file.
        values: the gray values of class 1, 2 ...; a pixel between them takes the nearest, 0 being
            background. None: what lies above half of the nominal range is class 1, as is the
            brighter value of a file that holds 0 and one other.

    Returns:
        (rows, columns) uint8.

    Raises:
        MaskUnusable: the file has gray values that are no class, or marked pixels of no class.
    """
    found, counts = count_values(image.stored)
    classes = _threshold(image, found) if values is None else _nearest(image, found, counts, values)
    marked = found[found > 0]
    if marked.size and not classes.any():
        expected = "above half of the range" if values is None else f"near {list(values)}"
        raise MaskUnusable(f"its gray values reach {int(marked[-1])}, but none is {expected}")
    lowest = int(np.iinfo(image.stored.dtype).min)
    table: Mask = np.zeros(1 << (8 * image.stored.itemsize), np.uint8)
    table[found - lowest] = classes
    mask: Mask = table[image.stored.astype(np.intp) - lowest] if lowest else table[image.stored]
    return mask


def _threshold(image: DecodedImage, found: NDArray[np.int64]) -> Mask:
    """Class 1 or background of every gray value found."""
    if len(found) == 2 and found[0] == 0:
        return (found > 0).astype(np.uint8)
    top = (1 << image.grayscale.bits_stored) - 1
    return (2 * (found - lowest_value(image.grayscale)) > top).astype(np.uint8)


def _nearest(
    image: DecodedImage,
    found: NDArray[np.int64],
    counts: NDArray[np.int64],
    values: tuple[int, ...],
) -> Mask:
    """The class of every gray value found."""
    if len(values) > 255:
        raise MaskUnusable(f"{len(values)} classes, expected at most 255")
    listed = np.array((0, *values), np.int64)
    distances = np.abs(found[:, None] - listed)  # (values found, classes)
    marked = int(counts[found > 0].sum())
    far = distances.min(axis=1) > _NEAR * ((1 << image.grayscale.bits_stored) - 1)
    unnamed = found[far & (counts > max(_CLASS_PIXELS, _CLASS_SHARE * marked))]
    if unnamed.size:
        raise MaskUnusable(
            f"its gray value {int(unnamed[0])} is none of the classes {list(values)}"
        )
    nearest: Mask = distances.argmin(axis=1).astype(np.uint8)
    return nearest
