"""The bytes of one frame of an image: uncompressed, or put together from its fragments.

Encapsulated pixel data (PS3.5 annex A.4) is a basic offset table and fragments, each an item, and
a sequence delimiter at the end. A file that ends before the delimiter is truncated, whatever its
fragments hold.
"""

import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mammo_ray.dicom.elements import Elements
from mammo_ray.dicom.parsing import UNDEFINED_LENGTH, ParsedHeader
from mammo_ray.dicom.pixel_format import PixelFormat
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason

_ITEM = 0xFFFEE000
_SEQUENCE_END = 0xFFFEE0DD
_ITEM_HEADER = 8  # bytes
# SOI and SOC; EOI and EOC are one marker.
_STARTS = (b"\xff\xd8", b"\xff\x4f", b"\x00\x00\x00\x0cjP")
_END = b"\xff\xd9"


class _Item(NamedTuple):
    """The value of an item, and where in the pixel data the item starts."""

    offset: int
    value: memoryview


def native_frame(
    header: ParsedHeader, pixel_format: PixelFormat, frame: int = 0
) -> tuple[memoryview, list[str]]:
    """The bytes of an uncompressed frame, exactly as many as the header asks for, and notes.

    Samples of 8 bits in words of a big-endian file come back in their order (PS3.5 section 8.1.1).

    Raises:
        ImageRejected: the element or the file is shorter than the header asks for.
    """
    if header.pixel_length == UNDEFINED_LENGTH:
        raise ImageRejected(
            RejectionReason.HEADER_INVALID,
            "PixelData (7FE0,0010) has undefined length, but the transfer syntax "
            f"{pixel_format.transfer_syntax} is not encapsulated",
        )
    size = pixel_format.bytes_expected
    expected = size * pixel_format.frames
    is_swapped = (
        pixel_format.big_endian and pixel_format.bits_allocated == 8 and header.pixel_vr == "OW"
    )
    least = expected + expected % 2 if is_swapped else expected
    there = len(header.body) - header.pixel_offset
    if header.pixel_length < least or there < header.pixel_length:
        frames = f"{pixel_format.frames} frames of " if pixel_format.frames > 1 else ""
        raise ImageRejected(
            RejectionReason.PIXEL_DATA_TRUNCATED,
            f"PixelData (7FE0,0010) declares {header.pixel_length} bytes and the file holds "
            f"{there}; expected {expected} for {frames}{pixel_format.rows} x "
            f"{pixel_format.columns} x {pixel_format.samples} samples of "
            f"{pixel_format.bits_allocated} bits",
        )
    notes = []
    if header.pixel_length > expected + expected % 2:
        beyond = "the frame" if pixel_format.frames == 1 else "the frames"
        notes.append(f"PixelData has {header.pixel_length - expected} bytes beyond {beyond}")
    content = memoryview(header.body)[header.pixel_offset :][:least]
    if is_swapped:
        content = _swapped(content)
    return content[frame * size : (frame + 1) * size], notes


def _swapped(content: memoryview) -> memoryview:
    """The bytes of every word in the other order."""
    swapped = bytearray(len(content))
    swapped[0::2], swapped[1::2] = content[1::2], content[0::2]
    return memoryview(swapped)


def encapsulated_frame(
    header: ParsedHeader, pixel_format: PixelFormat, frame: int = 0
) -> bytes | memoryview:
    """The fragments of a frame, joined where there are several.

    Which fragments make a frame is told by the basic or the extended offset table (PS3.5 A.4,
    PS3.3 C.7.6.3.1.8). Without one, each fragment is a frame, or a frame ends with its end marker.

    Raises:
        ImageRejected: the items are damaged, cut short, or do not make the number of frames.
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
    table, fragments = items[0].value, items[1:]
    if len(table) > 4 and pixel_format.frames == 1:
        raise _frames_differ(f"the basic offset table has {len(table) // 4} frames", 1)
    if pixel_format.frames > 1:
        edges = _frame_edges(table, fragments, header, pixel_format.frames)
        fragments = fragments[edges[frame] : edges[frame + 1]]
    if len(fragments) == 1:
        return fragments[0].value
    return b"".join(fragment.value for fragment in fragments)


def _frame_edges(
    table: memoryview, fragments: list[_Item], header: ParsedHeader, frames: int
) -> Sequence[int]:
    """The number of the first fragment of every frame, and of the end."""
    if len(table) > 0:
        return _edges_at(_offsets(bytes(table), "L", "basic", frames), fragments)
    elements = Elements(header.dataset)
    extended = elements.raw_bytes("ExtendedOffsetTable")
    if extended is not None:
        return _edges_at(_offsets(extended, "Q", "extended", frames), fragments)
    if len(fragments) == frames:
        return range(frames + 1)
    starts = [0]
    for number, (before, after) in enumerate(itertools.pairwise(fragments), start=1):
        ends = bytes(before.value[-64:]).rstrip(b"\x00\xff").endswith(_END)
        if ends and bytes(after.value[:6]).startswith(_STARTS):
            starts.append(number)
    if len(starts) != frames:
        found = f"{len(fragments)} fragments without an offset table make {len(starts)} frames"
        raise _frames_differ(found, frames)
    return [*starts, len(fragments)]


def _offsets(table: bytes, letter: str, name: str, frames: int) -> list[int]:
    """The offsets of a table, one for each frame."""
    size = struct.calcsize(f"<{letter}")
    if len(table) != size * frames:
        raise _frames_differ(f"the {name} offset table has {len(table) // size} frames", frames)
    return list(struct.unpack(f"<{frames}{letter}", table))


def _edges_at(offsets: list[int], fragments: list[_Item]) -> list[int]:
    """Numbers of the fragments at offsets that count from the first fragment's item."""
    first = fragments[0].offset
    numbers = {fragment.offset - first: number for number, fragment in enumerate(fragments)}
    edges = [numbers.get(offset, -1) for offset in offsets] + [len(fragments)]
    if edges[0] != 0 or any(start >= end for start, end in itertools.pairwise(edges)):
        raise ImageRejected(
            RejectionReason.HEADER_INVALID,
            "the offset table does not lead to fragments in rising order, from the first one",
        )
    return edges


def _items(body: bytes, offset: int) -> Iterator[_Item]:
    """The items from `offset` to the sequence delimiter."""
    view = memoryview(body)
    while True:
        if offset + _ITEM_HEADER > len(body):
            raise _truncated(len(body), "before the sequence delimiter (FFFE,E0DD)")
        group, element, length = struct.unpack_from("<HHL", body, offset)
        tag = group << 16 | element
        start, offset = offset, offset + _ITEM_HEADER
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise ImageRejected(
                RejectionReason.PIXEL_DATA_TRUNCATED,
                f"byte {start} of the file holds tag ({group:04X},{element:04X}), expected "
                "an item (FFFE,E000) or the sequence delimiter (FFFE,E0DD)",
            )
        if length > len(body) - offset:
            raise _truncated(len(body), f"inside an item of {length} bytes at {offset}")
        yield _Item(start, view[offset : offset + length])
        offset += length


def _frames_differ(found: str, frames: int) -> ImageRejected:
    return ImageRejected(RejectionReason.UNSUPPORTED_PIXEL_FORMAT, f"{found}, expected {frames}")


def _truncated(size: int, where: str) -> ImageRejected:
    return ImageRejected(
        RejectionReason.PIXEL_DATA_TRUNCATED, f"the file ends at byte {size} {where}"
    )
