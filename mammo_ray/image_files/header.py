"""What an image file says of itself, from one small read of its start."""

from collections.abc import Callable

from mammo_ray.errors import ImageRejected
from mammo_ray.image_files.formats import ImageFormat, format_of
from mammo_ray.image_files.image_header import ImageHeader, Ranges
from mammo_ray.schema import RejectionReason

_PREFIX = 16  # bytes


def is_image_file(prefix: bytes) -> bool:
    """Whether a file that starts so is a PNG, JPEG, PGM, PPM, TIFF or BMP.

    Args:
        prefix: the first bytes: 16 tell the formats apart; with 132 a DICOM file whose preamble
            is the start of a TIFF (PS3.10 section 7.1) is known for a DICOM file.
    """
    if prefix[128:132] == b"DICM":
        return False
    return format_of(prefix) is not None


def read_image_header(fetch: Callable[[int, int], bytes], size: int) -> dict[str, object]:
    """Manifest columns that an image file's header fills, and its `bits`.

    Args:
        fetch: `fetch(start, length)` gives that range of the file.
        size: length of the file in bytes.

    Returns:
        `rows`, `columns`, `transfer_syntax` (the media type) and `bits` (nominal, a sample).

    Raises:
        ImageRejected: the file is empty, of another format, or cut inside its header, or its
            header contradicts itself.
    """
    header = image_header(Ranges(fetch, size))
    return {
        "rows": header.rows,
        "columns": header.columns,
        "transfer_syntax": header.media_type,
        "bits": header.bits,
    }


def image_header(ranges: Ranges) -> ImageHeader:
    """The header of an image file.

    Raises:
        ImageRejected: as `read_image_header` does.
    """
    if not ranges.size:
        raise ImageRejected(RejectionReason.EMPTY_FILE, "the file has 0 bytes")
    return require_format(ranges.up_to(_PREFIX)).read_header(ranges)


def require_format(prefix: bytes) -> ImageFormat:
    """The format of a file that starts with these bytes.

    Raises:
        ImageRejected: none that is read here.
    """
    image_format = format_of(prefix)
    if image_format is None:
        raise ImageRejected(
            RejectionReason.UNKNOWN_FORMAT,
            f"the file starts with {prefix[:8].hex()}, expected PNG, JPEG, PGM, PPM, TIFF or BMP",
        )
    return image_format
