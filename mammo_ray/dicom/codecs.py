"""Every decoder, keyed by transfer syntax, each under one small contract.

A decoder takes a whole checked frame and its format and gives the samples as they were encoded,
`(rows, columns)` or `(rows, columns, 3)`. It may raise anything in `CODEC_ERRORS`. There is one for
a syntax and none behind it: what a strict decoder refuses as damaged a lenient one fills up.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from mammo_ray.dicom import jpeg_scan
from mammo_ray.dicom.codestream import Codestream
from mammo_ray.dicom.parsing import PARSE_ERRORS
from mammo_ray.dicom.pixel_format import PixelFormat

Samples = NDArray[np.integer]

# imagecodecs' own errors are RuntimeErrors.
CODEC_ERRORS = PARSE_ERRORS

JPEG = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1})
JPEG_LS = frozenset({JPEGLSLossless, JPEGLSNearLossless})
JPEG_2000 = frozenset({JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K})


@dataclass(frozen=True)
class Frame:
    """One compressed frame, checked; `codestream` is None for RLE."""

    content: bytes
    pixel_format: PixelFormat
    codestream: Codestream | None


@dataclass(frozen=True)
class Decoder:
    """A named decoder; the name is recorded beside the pixels that it gave."""

    name: str
    decode: Callable[[Frame], Samples]


def _turbo_jpeg(frame: Frame) -> Samples:
    pixel_format, codestream = frame.pixel_format, frame.codestream
    # Without a marker libjpeg takes three components for YCbCr; the header knows better.
    is_plain_rgb = (
        pixel_format.photometric == "RGB"
        and codestream is not None
        and not codestream.has_colour_marker
    )
    space = "RGB" if is_plain_rgb else None
    scan = jpeg_scan.check_scans(frame.content)
    samples = np.asarray(imagecodecs.jpeg8_decode(frame.content, colorspace=space))
    if scan is not None and samples.ndim == 2:
        jpeg_scan.check_samples(samples, scan)
    return samples


def _jpeg_ls(frame: Frame) -> Samples:
    return np.asarray(imagecodecs.jpegls_decode(frame.content))


def _jpeg_2000(frame: Frame) -> Samples:
    return np.asarray(imagecodecs.jpeg2k_decode(frame.content, numthreads=1))


def _high_throughput(frame: Frame) -> Samples:
    with _raised_if_unraisable():
        return np.asarray(imagecodecs.htj2k_decode(frame.content))


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


def _run_lengths(frame: Frame) -> Samples:
    """RLE (PS3.5 annex G): one plane a sample, its bytes put together by imagecodecs."""
    pixel_format = frame.pixel_format
    dtype = np.dtype(f"u{pixel_format.bits_allocated // 8}")
    decoded = imagecodecs.dicomrle_decode(frame.content, dtype)
    if len(decoded) != pixel_format.bytes_expected:
        raise ValueError(f"{len(decoded)} bytes decoded, expected {pixel_format.bytes_expected}")
    planes = np.frombuffer(decoded, dtype).reshape(
        pixel_format.samples, pixel_format.rows, pixel_format.columns
    )
    return planes[0] if pixel_format.samples == 1 else np.moveaxis(planes, 0, -1)


_TURBO = Decoder("imagecodecs.jpeg8", _turbo_jpeg)
_CHARLS = Decoder("imagecodecs.jpegls", _jpeg_ls)
_OPENJPEG = Decoder("imagecodecs.jpeg2k", _jpeg_2000)
_OPENJPH = Decoder("imagecodecs.htj2k", _high_throughput)
_PACKBITS = Decoder("imagecodecs.dicomrle", _run_lengths)

DECODERS: Mapping[str, Decoder] = {
    RLELossless: _PACKBITS,
    JPEGBaseline8Bit: _TURBO,
    JPEGExtended12Bit: _TURBO,
    JPEGLossless: _TURBO,
    JPEGLosslessSV1: _TURBO,
    JPEGLSLossless: _CHARLS,
    JPEGLSNearLossless: _CHARLS,
    JPEG2000Lossless: _OPENJPEG,
    JPEG2000: _OPENJPEG,
    HTJ2KLossless: _OPENJPH,
    HTJ2KLosslessRPCL: _OPENJPH,
    HTJ2K: _OPENJPH,
}
