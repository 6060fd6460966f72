"""JPEG files (ITU-T T.81): the checks of the DICOM side around libjpeg-turbo."""

import struct

import imagecodecs
import numpy as np

from mammo_ray.dicom import jpeg_scan
from mammo_ray.dicom.codestream import read_jpeg
from mammo_ray.errors import ImageRejected
from mammo_ray.image_files.image_header import (
    ImageHeader,
    Ranges,
    Samples,
    invalid,
    require_size,
    truncated,
    unsupported,
)
from mammo_ray.schema import RejectionReason

MEDIA_TYPE = "image/jpeg"
_MAGIC = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_FIRST_LOOK = 4096  # bytes; most files have their frame header (SOF) in them
_GROWTH = 16


def starts(prefix: bytes) -> bool:
    """Whether a file starts as a JPEG file does."""
    return prefix.startswith(_MAGIC)


def read_header(ranges: Ranges) -> ImageHeader:
    """The frame header (SOF), wherever thumbnails and profiles put it.

    Raises:
        ImageRejected: there is none, or it is of no use.
    """
    length = _FIRST_LOOK
    while True:
        content = ranges.up_to(length)
        try:
            stream = read_jpeg(content)
            break
        except (ImageRejected, struct.error) as error:
            if len(content) < ranges.size:
                length *= _GROWTH
                continue
            reason = RejectionReason.HEADER_TRUNCATED
            raise ImageRejected(reason, "the JPEG file has no frame header (SOF)") from error
    require_size(stream.rows, stream.columns)
    if not 2 <= stream.precision <= 16:
        raise invalid(f"the JPEG frame header says {stream.precision} bits a sample")
    return ImageHeader(MEDIA_TYPE, stream.rows, stream.columns, stream.precision, stream.components)


def decode(content: bytes, header: ImageHeader) -> tuple[Samples, list[str]]:
    """Gray samples, the luma of a colour image, and notes.

    Raises:
        ImageRejected: the stream is damaged or cut short, or has four components.
    """
    if header.channels not in (1, 3):
        raise unsupported(f"a JPEG of {header.channels} components, expected 1 or 3")
    if not content.rstrip(b"\0\xff").endswith(_END):
        raise truncated(f"the JPEG file of {len(content)} bytes does not end with ffd9 (EOI)")
    scan = jpeg_scan.check_scans(content)
    space = "GRAYSCALE" if header.channels == 3 and header.bits == 8 else None
    samples = np.asarray(imagecodecs.jpeg8_decode(content, outcolorspace=space))
    if scan is not None and header.channels == 1:
        jpeg_scan.check_samples(samples, scan)
    notes = ["colour was turned to gray"] if space else []
    return samples, notes
