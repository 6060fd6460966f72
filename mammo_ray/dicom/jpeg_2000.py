"""Decoders of JPEG 2000 and HTJ2K, in full or with resolution levels left out.

A codestream holds its image as a small one and the details of every doubling (ITU-T T.800 annex F),
so that a decoder can stop early: each level left out halves rows and columns and costs a quarter.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from mammo_ray.dicom.codestream import Codestream
from mammo_ray.dicom.codestream_2000 import SSIZ_OFFSET, SSIZ_STEP

Samples = NDArray[np.integer]

# More bits than any sample has, so that imagecodecs gives 32-bit numbers.
_WIDE_BITS = 20


def openjpeg_samples(frame: bytes, codestream: Codestream, levels: int) -> Samples:
    """Samples of a JPEG 2000 codestream, `levels` resolution levels left out."""
    if levels:
        return _lower_resolution(frame, codestream, levels)
    return np.asarray(imagecodecs.jpeg2k_decode(frame, numthreads=1))


def openjph_samples(
    frame: bytes, codestream: Codestream, levels: int, *, lossless: bool
) -> Samples:
    """Samples of an HTJ2K codestream, `levels` resolution levels left out.

    Args:
        frame: the codestream.
        codestream: its start.
        levels: at most those of the codestream.
        lossless: whether every sample is known to lie within the precision.

    Raises:
        ValueError: components or tiles that have coding styles of their own, unless lossless.
    """
    if lossless and not levels:
        with _raised_if_unraisable():
            return np.asarray(imagecodecs.htj2k_decode(frame))
    return _clipped(frame, codestream, levels)


def centered_on_blocks(stored: Samples, levels: int) -> Samples:
    """A reduced image moved so that a pixel stands for the middle of its block.

    What a wavelet keeps of a block of `2**levels` pixels a side lies on its first one (T.800
    F.3.1), half a block away from where a resized image has it.

    Args:
        stored: (rows, columns) uint8, uint16 or int16.
        levels: that were left out.
    """
    share = (1 - 2.0**-levels) / 2  # of the way to the next pixel
    kernel = np.array([0, 1 - share, share])
    return np.asarray(cv2.sepFilter2D(stored, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE))


class _Reduced(ImageFile.ImageFile):
    """A gray codestream that Pillow's OpenJPEG decodes without its last levels."""

    format = "JPEG2000"

    def __init__(self, frame: bytes, codestream: Codestream, levels: int) -> None:
        self._wanted = frame, codestream, levels
        super().__init__(BytesIO(frame))

    def _open(self) -> None:
        frame, codestream, levels = self._wanted
        self._mode = "L" if codestream.precision <= 8 else "I;16"
        self._size = _halved(codestream.columns, levels), _halved(codestream.rows, levels)
        arguments = ("j2k", levels, 0, -1, len(frame))
        self.tile = [ImageFile._Tile("jpeg2k", (0, 0, *self._size), 0, arguments)]


def _halved(size: int, levels: int) -> int:
    """Rows or columns after `levels` halvings, each rounded up (T.800 B-15)."""
    return -(-size >> levels)


def _lower_resolution(frame: bytes, codestream: Codestream, levels: int) -> Samples:
    """Samples of a gray, unsigned codestream; Pillow moves them to the top of 8 or 16 bits."""
    if codestream.components != 1 or codestream.signed:
        raise ValueError("levels are left out of unsigned gray codestreams alone")
    samples: Samples = np.asarray(_Reduced(frame, codestream, levels))
    return np.asarray(np.right_shift(samples, 8 * samples.itemsize - codestream.precision))


def _clipped(frame: bytes, codestream: Codestream, levels: int) -> Samples:
    """Samples within the precision.

    A lossy wavelet overshoots at edges, and so does a lossless one where levels are left out.
    OpenJPH leaves it there, and imagecodecs wraps it around: black gets white specks. So the
    codestream is given more bits, and what they change is taken back: a reversible wavelet gives
    the same numbers above another middle, an irreversible one numbers in other units (T.800 E-3).
    """
    if codestream.reversible is None:
        raise ValueError("components or tiles have coding styles of their own")
    wide = bytearray(frame)
    depths = range(SSIZ_OFFSET, SSIZ_OFFSET + SSIZ_STEP * codestream.components, SSIZ_STEP)
    for depth in depths:
        wide[depth] = (wide[depth] & 0x80) | (_WIDE_BITS - 1)
    with _raised_if_unraisable():
        decoded = np.asarray(imagecodecs.htj2k_decode(bytes(wide), skipres=levels or None))
    values: NDArray[np.int32] = decoded.view(np.int32)
    precision = codestream.precision
    middle = 0 if codestream.signed else 1 << (precision - 1)
    if not codestream.signed:
        values -= 1 << (_WIDE_BITS - 1)
    if not codestream.reversible:
        shift = _WIDE_BITS - precision
        values += 1 << (shift - 1)  # rounds
        values >>= shift
    values += middle
    lowest = 0 if middle else -(1 << (precision - 1))
    np.clip(values, lowest, lowest + (1 << precision) - 1, out=values)
    narrow: Samples = values.astype(_sample_type(codestream))
    return narrow


def _sample_type(codestream: Codestream) -> np.dtype[Any]:
    kind = "i" if codestream.signed else "u"
    return np.dtype(f"{kind}{1 if codestream.precision <= 8 else 2}")


@contextmanager
def _raised_if_unraisable() -> Iterator[None]:
    """Raise what a decoder can only print.

    imagecodecs' HTJ2K decoder meets OpenJPH's errors in a function that cannot raise: they are
    printed and given to `sys.unraisablehook`, and the array comes back half filled, as if all
    were well.
    """
    lost: list[str] = []
    hooks = sys.unraisablehook, sys.excepthook
    sys.unraisablehook = lambda event: lost.append(str(event.exc_value))
    sys.excepthook = lambda _kind, error, _traceback: lost.append(str(error))
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = hooks
    if lost:
        raise RuntimeError(lost[0])
