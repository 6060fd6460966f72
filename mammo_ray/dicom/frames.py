"""The bytes of the one frame of an image: uncompressed, or put together from its fragments.

Encapsulated pixel data (PS3.5 annex A.4) is a basic offset table and fragments, each an item, and
a sequence delimiter at the end. A file that ends before the delimiter is truncated, whatever its
fragments hold.
"""

import struct
from collections.abc import Iterator

from mammo_ray.dicom.parsing import UNDEFINED_LENGTH, ParsedHeader
from mammo_ray.dicom.pixel_format import PixelFormat
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_ITEM = 0xFFFEE000
_SEQUENCE_END = 0xFFFEE0DD


def native_frame(header: ParsedHeader, pixel_format: PixelFormat) -> tuple[memoryview, list[str]]:
    """The bytes of an uncompressed frame, exactly as many as the header asks for, and notes.

    Raises:
        ImageRejected: the element or the file is shorter than the header asks for.
    """
    if header.pixel_length == UNDEFINED_LENGTH:
        raise ImageRejected(
            RejectionReason.HEADER_INVALID,
            "PixelData (7FE0,0010) has undefined length, but the transfer syntax "
            f"{pixel_format.transfer_syntax} is not encapsulated",
        )
    expected = pixel_format.bytes_expected
    there = len(header.body) - header.pixel_offset
    if header.pixel_length < expected or there < header.pixel_length:
        raise ImageRejected(
            RejectionReason.PIXEL_DATA_TRUNCATED,
            f"PixelData (7FE0,0010) declares {header.pixel_length} bytes and the file holds "
            f"{there}; expected {expected} for {pixel_format.rows} x {pixel_format.columns} x "
            f"{pixel_format.samples} samples of {pixel_format.bits_allocated} bits",
        )
    notes = []
    if header.pixel_length > expected + expected % 2:
        notes.append(f"PixelData has {header.pixel_length - expected} bytes beyond the frame")
    start = header.pixel_offset
    return memoryview(header.body)[start : start + expected], notes


def encapsulated_frame(header: ParsedHeader) -> bytes:
    """All fragments of a single-frame image, joined.

    Raises:
        ImageRejected: the items are damaged, cut short, or hold more than one frame.
    """
    if header.pixel_length != UNDEFINED_LENGTH:
        raise ImageRejected(
            RejectionReason.HEADER_INVALID,
            f"PixelData (7FE0,0010) has length {header.pixel_length}, but the transfer syntax "
            f"{header.transfer_syntax} is encapsulated: expected undefined length",
        )
    items = list(_items(header.body, header.pixel_offset))
    if len(items) < 2:
        raise ImageRejected(
            RejectionReason.PIXEL_DATA_TRUNCATED,
            f"PixelData (7FE0,0010) has {len(items)} items, expected an offset table and a frame",
        )
    offset_table, *fragments = items
    if len(offset_table) > 4:
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_PIXEL_FORMAT,
            f"the basic offset table has {len(offset_table) // 4} frames, expected 1",
        )
    return b"".join(fragments)


def _items(body: bytes, offset: int) -> Iterator[memoryview]:
    """The values of the items from `offset` to the sequence delimiter."""
    view = memoryview(body)
    while True:
        if offset + 8 > len(body):
            raise _truncated(len(body), "before the sequence delimiter (FFFE,E0DD)")
        group, element, length = struct.unpack_from("<HHL", body, offset)
        tag = group << 16 | element
        offset += 8
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise ImageRejected(
                RejectionReason.PIXEL_DATA_TRUNCATED,
                f"byte {offset - 8} of the file holds tag ({group:04X},{element:04X}), expected "
                "an item (FFFE,E000) or the sequence delimiter (FFFE,E0DD)",
            )
        if length > len(body) - offset:
            raise _truncated(len(body), f"inside an item of {length} bytes at {offset}")
        yield view[offset : offset + length]
        offset += length


def _truncated(size: int, where: str) -> ImageRejected:
    return ImageRejected(
        RejectionReason.PIXEL_DATA_TRUNCATED, f"the file ends at byte {size} {where}"
    )
