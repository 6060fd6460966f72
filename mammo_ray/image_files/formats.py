"""Every format of image files, each under one small contract."""

from collections.abc import Callable
from dataclasses import dataclass

from mammo_ray.image_files import bmp, jpeg, netpbm, png, tiff
from mammo_ray.image_files.image_header import ImageHeader, Ranges, Samples


@dataclass(frozen=True)
class ImageFormat:
    """One format.

    Attributes:
        starts: whether a file with these first 16 bytes is of this format.
        read_header: the header, from as few bytes as it needs.
        decode: samples `(rows, columns)` or `(rows, columns, channels)` of a whole file, and notes;
            it may raise anything in `dicom.codecs.CODEC_ERRORS`.
        decoder: name of what decodes, recorded beside the pixels that it gave.
    """

    starts: Callable[[bytes], bool]
    read_header: Callable[[Ranges], ImageHeader]
    decode: Callable[[bytes, ImageHeader], tuple[Samples, list[str]]]
    decoder: str


_FORMATS = (
    ImageFormat(png.starts, png.read_header, png.decode, "imagecodecs.png"),
    ImageFormat(jpeg.starts, jpeg.read_header, jpeg.decode, "imagecodecs.jpeg8"),
    ImageFormat(netpbm.starts, netpbm.read_header, netpbm.decode, "netpbm"),
    ImageFormat(tiff.starts, tiff.read_header, tiff.decode, "tiff"),
    ImageFormat(bmp.starts, bmp.read_header, bmp.decode, "bmp"),
)


def format_of(prefix: bytes) -> ImageFormat | None:
    """The format of a file that starts with these bytes, 16 or more; None: of no format here."""
    return next((entry for entry in _FORMATS if entry.starts(prefix)), None)
