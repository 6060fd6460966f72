"""Uncompressed BMP: 1, 4 and 8 bits with a palette, 24 and 32 bits of colour."""

import struct

import numpy as np

from mammo_ray.image_files.image_header import (
    ImageHeader,
    Ranges,
    Samples,
    damaged,
    invalid,
    require_size,
    truncated,
    unpack_bits,
    unsupported,
)

MEDIA_TYPE = "image/bmp"
_INFORMATION_SIZES = {40, 52, 56, 64, 108, 124}  # of BITMAPINFOHEADER and its successors
_PALETTED = {1, 4, 8}


def starts(prefix: bytes) -> bool:
    """Whether a file starts as a BMP does; two letters alone also start many a text."""
    return prefix[:2] == b"BM" and prefix[6:10] == bytes(4) and prefix[14:15] in {
        bytes([size]) for size in _INFORMATION_SIZES
    }  # fmt: skip


def read_header(ranges: Ranges) -> ImageHeader:
    """The information header; its colours have 8 bits each.

    Raises:
        ImageRejected: cut short, or contradicts itself.
    """
    columns, rows, planes, bits, _ = _information(ranges.read(0, 54))
    require_size(abs(rows), columns)
    if planes != 1 or bits not in {*_PALETTED, 16, 24, 32}:
        raise invalid(f"the BMP header says {planes} planes of {bits} bits")
    return ImageHeader(MEDIA_TYPE, abs(rows), columns, 8, 1 if bits <= 8 else 3)


def decode(content: bytes, header: ImageHeader) -> tuple[Samples, list[str]]:
    """RGB samples (rows, columns, 3), or gray ones where the palette is gray, and notes.

    Raises:
        ImageRejected: compressed, of 16 bits a pixel, or cut short.
    """
    columns, signed_rows, _, bits, compression = _information(content)
    if compression != 0 or bits == 16:
        raise unsupported(f"a BMP of {bits} bits with compression {compression}, expected none")
    (start,) = struct.unpack_from("<L", content, 10)
    stride = (columns * bits + 31) // 32 * 4  # rows are padded to four bytes
    if start + stride * header.rows > len(content):
        raise truncated(f"the file ends at byte {len(content)}, inside its pixels")
    rows = np.frombuffer(content, np.uint8, stride * header.rows, start)
    rows = rows.reshape(header.rows, stride)
    if signed_rows > 0:  # the last row comes first
        rows = rows[::-1]
    if bits not in _PALETTED:
        pixels = rows[:, : columns * bits // 8].reshape(header.rows, columns, bits // 8)
        notes = ["the fourth byte of every pixel was dropped"] if bits == 32 else []
        return np.ascontiguousarray(pixels[..., 2::-1]), notes
    indices = rows[:, :columns] if bits == 8 else unpack_bits(rows, bits, columns)
    palette = _palette(content, start, bits)
    if int(indices.max()) >= len(palette):
        raise damaged(f"a pixel names colour {int(indices.max())} of {len(palette)}")
    if (palette == palette[:, :1]).all():
        return palette[:, 0][indices], []
    return palette[indices], []


def _information(content: bytes) -> tuple[int, int, int, int, int]:
    """Columns, rows (negative: top row first), planes, bits a pixel and compression."""
    columns, rows, planes, bits, compression = struct.unpack_from("<llHHL", content, 18)
    return columns, rows, planes, bits, compression


def _palette(content: bytes, start: int, bits: int) -> Samples:
    """The colours (entries, 3) as RGB; they stand between the headers and the pixels."""
    (information,) = struct.unpack_from("<L", content, 14)
    (said,) = struct.unpack_from("<L", content, 46)
    first, entries = 14 + information, said or 1 << bits
    if entries > 1 << bits or first + 4 * entries > start:
        raise invalid(f"a BMP palette of {entries} colours does not stand before the pixels")
    colours = np.frombuffer(content, np.uint8, 4 * entries, first).reshape(entries, 4)
    return np.ascontiguousarray(colours[:, 2::-1])
