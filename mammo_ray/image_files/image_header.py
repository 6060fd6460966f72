"""What the start of an image file says, and the byte ranges that it is read from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

Samples = NDArray[np.unsignedinteger]  # (rows, columns) or (rows, columns, channels), 8 or 16 bit

_FIRST_READ = 64 * 1024  # bytes; holds the header of nearly every file
_MOST_ROWS = 1 << 20  # also columns; the cap on megapixels is stricter and comes before decoding


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image file.

    Attributes:
        media_type: such as `image/png`.
        rows, columns: size in pixels.
        bits: nominal bits of one sample, 1 to 16.
        channels: samples a pixel, before a palette is applied and alpha is dropped.
    """

    media_type: str
    rows: int
    columns: int
    bits: int
    channels: int


class Ranges:
    """Byte ranges of one file; what a header needs is read, the first 64 KiB at once.

    Args:
        fetch: `fetch(start, length)` gives that range of the file.
        size: length of the file in bytes.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self.size = size
        self._start = fetch(0, min(_FIRST_READ, size)) if size else b""

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The ranges of a file held in memory."""
        return cls(lambda start, length: content[start : start + length], len(content))

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes.

        Raises:
            ImageRejected: the file ends before.
        """
        content = self._start[start : start + length]
        if len(content) < length and start + length <= self.size:
            content = self._fetch(start, length)
        if len(content) < length:
            raise ImageRejected(
                RejectionReason.HEADER_TRUNCATED,
                f"the file ends at byte {self.size}; its header needs {length} bytes at {start}",
            )
        return content

    def up_to(self, length: int) -> bytes:
        """The first bytes of the file, as many as it has."""
        return self.read(0, min(length, self.size))


def invalid(detail: str) -> ImageRejected:
    """The rejection of a header that contradicts itself or its format."""
    return ImageRejected(RejectionReason.HEADER_INVALID, detail)


def unsupported(detail: str) -> ImageRejected:
    """The rejection of pixels that are stored in a way that is not read."""
    return ImageRejected(RejectionReason.UNSUPPORTED_PIXEL_FORMAT, detail)


def truncated(detail: str) -> ImageRejected:
    """The rejection of pixels that are not all there."""
    return ImageRejected(RejectionReason.PIXEL_DATA_TRUNCATED, detail)


def damaged(detail: str) -> ImageRejected:
    """The rejection of pixels that are there and wrong."""
    return ImageRejected(RejectionReason.DECODE_FAILED, detail)


def require_size(rows: int, columns: int) -> None:
    """Refuse a size that no image has.

    Raises:
        ImageRejected: a side is 0 or absurdly long.
    """
    if not (0 < rows <= _MOST_ROWS and 0 < columns <= _MOST_ROWS):
        raise invalid(f"the header says {rows} x {columns} pixels (rows x columns)")


def unpack_bits(packed: NDArray[np.uint8], bits: int, columns: int) -> NDArray[np.uint8]:
    """Samples of 1, 2 or 4 bits, the first in the high bits, of rows padded to whole bytes.

    Args:
        packed: (rows, bytes a row).
        bits: of a sample.
        columns: samples a row.
    """
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    samples = (packed[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    return samples.reshape(len(packed), -1)[:, :columns]
