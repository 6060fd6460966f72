"""TIFF 6.0 of one page, read strip by strip.

libtiff fills what it cannot decode with zeros and warns; here every strip or tile must lie inside
the file and give exactly its bytes.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

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

MEDIA_TYPE = "image/tiff"
_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 8, 32946, 32773
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_FORMATS = {1: "B", 3: "H", 4: "L"}  # BYTE, SHORT, LONG
_MOST_ENTRIES = 1000
_MOST_VALUES = 1 << 20


@dataclass(frozen=True)
class _Tags:
    """The numbers of the one image file directory."""

    order: str
    values: dict[int, tuple[int, ...]]
    next_directory: int

    def one(self, tag: int, default: int) -> int:
        return self.values.get(tag, (default,))[0]


@dataclass(frozen=True)
class _Piece:
    """A strip or tile: its bytes in the file, and its place and size in the image."""

    offset: int
    length: int
    top: int
    left: int
    rows: int
    columns: int


def starts(prefix: bytes) -> bool:
    """Whether a file starts as a TIFF file does."""
    return prefix.startswith(_MAGICS)


def read_header(ranges: Ranges) -> ImageHeader:
    """Size, bits and channels of the first page.

    Raises:
        ImageRejected: BigTIFF, a directory that cannot be read, or numbers that do not fit.
    """
    return _header(_read_tags(ranges))


def decode(content: bytes, header: ImageHeader) -> tuple[Samples, list[str]]:
    """Samples as they were encoded, 0 black, a palette applied, and notes.

    Raises:
        ImageRejected: several pages, a compression or layout that is not read, or a strip that
            does not give all its bytes.
    """
    tags = _read_tags(Ranges.of(content))
    _check_supported(tags)
    channels, bits = header.channels, tags.one(258, 1)
    dtype = np.uint16 if bits == 16 else np.uint8
    samples = np.zeros((header.rows, header.columns, channels), dtype)
    for piece in _pieces(tags, header):
        pixels = _decode_piece(content, piece, tags, channels, bits)
        inside = samples[piece.top : piece.top + piece.rows, piece.left :]
        width = min(piece.columns, inside.shape[1])
        inside[:, :width] = pixels[: len(inside), :width]
    notes = []
    if tags.one(274, 1) != 1:
        notes.append(f"the TIFF orientation {tags.one(274, 1)} was not applied")
    photometric = tags.one(262, _BLACK_IS_ZERO)
    if photometric == _PALETTE:
        return _apply_palette(samples[..., 0], tags), notes
    if photometric == _WHITE_IS_ZERO:
        samples = ((1 << bits) - 1) - samples
        notes.append("white was stored as 0 and was inverted")
    return (samples[..., 0] if channels == 1 else samples), notes


def _read_tags(ranges: Ranges) -> _Tags:
    """The first directory (TIFF 6.0 section 2)."""
    start = ranges.read(0, 8)
    order = "<" if start[:2] == b"II" else ">"
    version, offset = struct.unpack(f"{order}HL", start[2:8])
    if version != 42:
        raise unsupported(f"a TIFF of version {version} (43 is BigTIFF), expected 42")
    (count,) = struct.unpack(f"{order}H", ranges.read(offset, 2))
    if not 0 < count <= _MOST_ENTRIES:
        raise invalid(f"the TIFF directory has {count} entries")
    body = ranges.read(offset + 2, 12 * count + 4)
    values = {}
    for index in range(count):
        entry = body[12 * index : 12 * index + 12]
        tag, kind, number = struct.unpack(f"{order}HHL", entry[:8])
        if kind in _FORMATS:
            values[tag] = _numbers(ranges, order, kind, number, entry[8:])
    (next_directory,) = struct.unpack(f"{order}L", body[-4:])
    return _Tags(order, {tag: found for tag, found in values.items() if found}, next_directory)


def _numbers(ranges: Ranges, order: str, kind: int, number: int, field: bytes) -> tuple[int, ...]:
    """The numbers of one entry, which stand in it or where it points to."""
    if number > _MOST_VALUES:
        raise invalid(f"a TIFF entry has {number} values")
    layout = f"{order}{number}{_FORMATS[kind]}"
    length = struct.calcsize(layout)
    if length > 4:
        (offset,) = struct.unpack(f"{order}L", field)
        field = ranges.read(offset, length)
    return struct.unpack(layout, field[:length])


def _header(tags: _Tags) -> ImageHeader:
    rows, columns = tags.one(257, 0), tags.one(256, 0)
    require_size(rows, columns)
    channels = tags.one(277, 1)
    depths = set(tags.values.get(258, (1,)))
    if len(depths) != 1 or not depths <= {1, 2, 4, 8, 16, 32, 64} or channels > 16:
        raise invalid(f"the TIFF has {channels} samples a pixel of {sorted(depths)} bits")
    bits = 8 if tags.one(262, 1) == _PALETTE else depths.pop()
    return ImageHeader(MEDIA_TYPE, rows, columns, bits, channels)


def _check_supported(tags: _Tags) -> None:
    if tags.next_directory:
        raise unsupported("the TIFF has several pages, expected one")
    bits, channels = tags.one(258, 1), tags.one(277, 1)
    wanted: dict[str, tuple[int, set[int]]] = {
        "BitsPerSample": (bits, {8, 16} if channels > 1 else {1, 2, 4, 8, 16}),
        "SampleFormat": (tags.one(339, 1), {1}),
        "FillOrder": (tags.one(266, 1), {1}),
        "Predictor": (tags.one(317, 1), {1, 2} if bits >= 8 else {1}),
        "PlanarConfiguration": (tags.one(284, 1) if channels > 1 else 1, {1}),
        "Compression": (
            tags.one(259, _NONE), {_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS}
        ),
        "PhotometricInterpretation": (
            tags.one(262, _BLACK_IS_ZERO),
            {_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE} if channels < 3 else {_RGB},
        ),
    }  # fmt: skip
    for name, (found, allowed) in wanted.items():
        if found not in allowed:
            raise unsupported(f"TIFF {name} is {found}, expected one of {sorted(allowed)}")


def _pieces(tags: _Tags, header: ImageHeader) -> Iterator[_Piece]:
    """Every strip (TIFF 6.0 section 3) or tile (section 15) of the image."""
    tiled = 322 in tags.values
    offsets = tags.values.get(324 if tiled else 273, ())
    lengths = tags.values.get(325 if tiled else 279, ())
    columns = tags.one(322, 0) if tiled else header.columns
    rows = tags.one(323, 0) if tiled else min(tags.one(278, header.rows), header.rows)
    if not rows or not columns:
        raise invalid(f"TIFF tiles or strips of {rows} x {columns}")
    corners = [
        (top, left)
        for top in range(0, header.rows, rows)
        for left in range(0, header.columns, columns)
    ]
    if len(offsets) != len(corners) or len(lengths) != len(corners):
        raise invalid(f"the TIFF has {len(offsets)} strips or tiles, expected {len(corners)}")
    for (top, left), offset, length in zip(corners, offsets, lengths, strict=True):
        height = rows if tiled else min(rows, header.rows - top)
        yield _Piece(offset, length, top, left, height, columns)


def _decode_piece(
    content: bytes, piece: _Piece, tags: _Tags, channels: int, bits: int
) -> NDArray[np.unsignedinteger]:
    """Samples of a strip or tile, (rows, columns, channels)."""
    if not piece.length or piece.offset + piece.length > len(content):
        raise truncated(
            f"a TIFF strip of {piece.length} bytes at {piece.offset} does not lie in the file of "
            f"{len(content)} bytes"
        )
    row_bytes = -(-piece.columns * channels * bits // 8)
    expected = piece.rows * row_bytes
    packed = content[piece.offset : piece.offset + piece.length]
    plain = _decompressed(packed, tags.one(259, _NONE), expected)
    if len(plain) < expected:
        raise truncated(f"a TIFF strip gives {len(plain)} bytes, expected {expected}")
    if bits < 8:
        rows = np.frombuffer(plain, np.uint8, expected).reshape(piece.rows, row_bytes)
        return unpack_bits(rows, bits, piece.columns)[..., None]
    samples = np.frombuffer(plain, f"{tags.order}u{bits // 8}", expected // (bits // 8))
    samples = samples.reshape(piece.rows, piece.columns, channels)
    if tags.one(317, 1) == 2:  # differences to the pixel on the left, modulo 2**bits
        samples = np.cumsum(samples, axis=1, dtype=f"u{bits // 8}")
    return samples


def _decompressed(packed: bytes, compression: int, expected: int) -> bytes:
    """The bytes of a strip, `expected` at most or a few more."""
    if compression == _NONE:
        return packed
    if compression == _LZW:
        return bytes(imagecodecs.lzw_decode(packed, out=expected))
    if compression == _PACKBITS:
        return bytes(imagecodecs.packbits_decode(packed, out=expected))
    inflater = zlib.decompressobj()
    plain = inflater.decompress(packed, expected)
    # The checksum is read behind the last byte.
    beyond = b"" if inflater.eof else inflater.decompress(inflater.unconsumed_tail, 1)
    if beyond:
        raise damaged(f"a TIFF strip gives more than its {expected} bytes")
    if not inflater.eof:
        raise truncated(f"a TIFF strip of {len(packed)} bytes ends inside its Deflate stream")
    return plain


def _apply_palette(indices: NDArray[np.unsignedinteger], tags: _Tags) -> Samples:
    """RGB samples of 8 bits; a TIFF palette has 16 bits (TIFF 6.0 section 5)."""
    colours = np.array(tags.values.get(320, ()), np.uint32)
    if len(colours) != 3 << tags.one(258, 1) or tags.one(258, 1) > 8:
        raise invalid(f"a TIFF palette of {len(colours)} numbers")
    # Some writers leave values of 8 bits.
    wide = colours // 257 if int(colours.max()) > 255 else colours
    palette: Samples = np.ascontiguousarray(wide.reshape(3, -1).T, np.uint8)
    coloured: Samples = palette[indices]
    return coloured
