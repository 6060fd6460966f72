"""Deflated data sets (PS3.5 annex A.5), inflated no further than their header asks for.

A kilobyte can hold a megabyte of zeros. So the header is inflated first, and then as many bytes as
its pixels take; whatever does not end there is refused.
"""

import zlib
from dataclasses import replace

from mammo_ray.dicom.parsing import ParsedHeader, inflate
from mammo_ray.dicom.pixel_format import PixelFormat
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_MOST_AFTER_PIXELS = 1 << 20  # bytes: padding, signatures


def with_pixels(header: ParsedHeader, pixel_format: PixelFormat) -> ParsedHeader:
    """The header with all of its data set inflated; any other than a deflated one as it is.

    Raises:
        ImageRejected: the data set does not end soon after its pixels, or is damaged.
    """
    if header.inflated:
        return header
    pixels = pixel_format.bytes_expected * pixel_format.frames
    most = header.pixel_offset + pixels + _MOST_AFTER_PIXELS
    try:
        body, ended = inflate(header.deflated, most)
    except zlib.error as error:
        raise _truncated(f"is damaged: {error}") from error
    if not ended:
        raise _truncated(f"does not end within {len(body)} bytes")
    return replace(header, body=body, deflated=b"", inflated=True)


def _truncated(what: str) -> ImageRejected:
    return ImageRejected(RejectionReason.PIXEL_DATA_TRUNCATED, f"the deflated data set {what}")
