"""Every decoder, keyed by transfer syntax, each under one small contract.

A decoder takes a whole checked frame and its format and gives the samples as they were encoded,
`(rows, columns)` or `(rows, columns, 3)`. It may raise anything in `CODEC_ERRORS`. There is one for
a syntax and none behind it: what a strict decoder refuses as damaged a lenient one fills up.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

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

from mammo_ray.dicom import jpeg_2000, jpeg_blocks, jpeg_probe, jpeg_scan
from mammo_ray.dicom.codestream import Codestream
from mammo_ray.dicom.parsing import PARSE_ERRORS
from mammo_ray.dicom.pixel_format import PixelFormat

Samples = NDArray[np.integer]

# imagecodecs' own errors are RuntimeErrors.
CODEC_ERRORS = PARSE_ERRORS

JPEG = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1})
JPEG_2000 = frozenset({JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K})


@dataclass(frozen=True)
class Frame:
    """One compressed frame, checked.

    Attributes:
        encapsulated: its bytes; a view into the file only for RLE.
        codestream: its start, None for RLE.
        levels: resolution levels to leave out, at most those of the codestream.
    """

    encapsulated: bytes | memoryview
    pixel_format: PixelFormat
    codestream: Codestream | None
    levels: int = 0

    @property
    def content(self) -> bytes:
        """The frame as bytes, without a copy where they already are."""
        return bytes(self.encapsulated)

    @property
    def codestream_2000(self) -> Codestream:
        """The start of a JPEG 2000 codestream.

        Raises:
            ValueError: the frame has none.
        """
        if self.codestream is None:
            raise ValueError("the frame has no codestream")
        return self.codestream


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
    jpeg_blocks.check_length(frame.content)
    scan = jpeg_scan.check_scans(frame.content)
    decode = functools.partial(imagecodecs.jpeg8_decode, colorspace=space)
    if scan is not None:
        return jpeg_probe.decode_lossless(frame.content, scan, decode)
    return jpeg_blocks.decode_counted(frame.content, decode)


def _jpeg_ls(frame: Frame) -> Samples:
    return np.asarray(imagecodecs.jpegls_decode(frame.content))


def _jpeg_2000(frame: Frame) -> Samples:
    return jpeg_2000.openjpeg_samples(frame.content, frame.codestream_2000, frame.levels)


def _high_throughput(frame: Frame) -> Samples:
    codestream = frame.codestream_2000
    promised = frame.pixel_format.transfer_syntax in (HTJ2KLossless, HTJ2KLosslessRPCL)
    lossless = promised and codestream.reversible is not False
    return jpeg_2000.openjph_samples(frame.content, codestream, frame.levels, lossless=lossless)


def _run_lengths(frame: Frame) -> Samples:
    """RLE (PS3.5 annex G): one plane a sample, its bytes put together by imagecodecs."""
    pixel_format = frame.pixel_format
    dtype = np.dtype(f"u{pixel_format.bits_allocated // 8}")
    # imagecodecs takes any buffer; its types do not say so.
    decoded = imagecodecs.dicomrle_decode(cast("bytes", frame.encapsulated), dtype)
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
