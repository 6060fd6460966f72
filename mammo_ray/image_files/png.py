"""PNG (ISO/IEC 15948): its header, the checks of its chunks, its samples."""

import struct
import zlib

import imagecodecs
import numpy as np

from mammo_ray.image_files.image_header import (
    ImageHeader,
    Ranges,
    Samples,
    damaged,
    invalid,
    require_size,
    truncated,
    unsupported,
)

MEDIA_TYPE = "image/png"
_MAGIC = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
# Allowed bit depths and samples of every colour type (ISO/IEC 15948 table 11.1).
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def starts(prefix: bytes) -> bool:
    """Whether a file starts as a PNG file does."""
    return prefix.startswith(_MAGIC)


def read_header(ranges: Ranges) -> ImageHeader:
    """The IHDR chunk; samples of a palette have the 8 bits of its colours.

    Raises:
        ImageRejected: cut short, or not a header of PNG.
    """
    content = ranges.read(len(_MAGIC), 25)
    length, kind, columns, rows, depth, colour = struct.unpack_from(">L4sLLBB", content)
    if kind != b"IHDR" or length != 13 or zlib.crc32(content[4:21]) != _last_four(content):
        raise invalid("the first chunk is no sound IHDR")
    if depth not in _DEPTHS.get(colour, set()):
        raise invalid(f"IHDR has colour type {colour} with {depth} bits a sample")
    require_size(rows, columns)
    bits = 8 if colour == _PALETTE else depth
    return ImageHeader(MEDIA_TYPE, rows, columns, bits, _CHANNELS[colour])


def decode(content: bytes, header: ImageHeader) -> tuple[Samples, list[str]]:
    """Samples as they were encoded, and notes.

    Raises:
        ImageRejected: a chunk is damaged or missing, or the file holds an animation.
    """
    notes = _check_chunks(content)
    samples = np.asarray(imagecodecs.png_decode(content))
    if header.bits < 8:  # the codec stretches them to 8 bits
        samples //= np.uint8(255 // ((1 << header.bits) - 1))
    return samples, notes


def _check_chunks(content: bytes) -> list[str]:
    """Walk every chunk to IEND; a checksum or a length that is wrong ends the walk."""
    offset, kinds = len(_MAGIC), set()
    while offset + 12 <= len(content):
        length, kind = struct.unpack_from(">L4s", content, offset)
        end = offset + 12 + length
        if end > len(content):
            break
        if zlib.crc32(content[offset + 4 : end - 4]) != _last_four(content[end - 4 : end]):
            raise damaged(f"the checksum of a PNG chunk at byte {offset} is wrong")
        kinds.add(kind)
        offset = end
        if kind == b"IEND":
            if b"acTL" in kinds:
                raise unsupported("an animated PNG, expected one image")
            beyond = len(content) - offset
            return [f"the PNG file has {beyond} bytes beyond its end"] if beyond else []
    raise truncated(f"the PNG file of {len(content)} bytes does not reach its end (IEND)")


def _last_four(content: bytes) -> int:
    return int.from_bytes(content[-4:], "big")
