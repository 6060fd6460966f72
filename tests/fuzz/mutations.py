"""Seeded damage to a DICOM file, each kind a function of its bytes and a generator."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pydicom

from tests.dicom.files import JPEG, RLE

PIXEL_DATA = b"\xe0\x7f\x10\x00"
# What decides the pixels of a file beside the pixel data: a change there may change or reject it.
_DECIDES = {
    "TransferSyntaxUID", "FileMetaInformationGroupLength", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "PixelData",
}  # fmt: skip
_SYNTAXES = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
    RLE, *(JPEG + number for number in ("50", "51", "57", "70", "80", "81", "90", "91", "201")),
)  # fmt: skip
_META_START = 132  # after the preamble and `DICM`
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
_END_MARKER = b"\xff\xd9"
_TRAILING_PADDING = b"\xfc\xff\xfc\xffOB\0\0"  # Data Set Trailing Padding (FFFC,FFFC)

Generator = np.random.Generator


@dataclass(frozen=True)
class Original:
    """A good file of one frame, in explicit little endian, and where its parts lie.

    Attributes:
        content: the file.
        pixels: first byte of the value of PixelData.
        harmless: (start, length) of text that decides no pixel.
    """

    content: bytes
    pixels: int
    harmless: tuple[tuple[int, int], ...]

    @property
    def encapsulated(self) -> bool:
        """Whether the pixels are items behind an undefined length."""
        return self.content[self.pixels - 4 : self.pixels] == b"\xff" * 4


def read_original(content: bytes) -> Original:
    """The parts of a file."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    harmless = []
    for element in (*dataset.file_meta, *dataset):
        if element.keyword in _DECIDES or element.VR in ("SQ", "US", "SS", "OB", "OW", "UL"):
            continue
        text = str(element.value).encode("ascii")
        # Behind the tag, two letters of the VR and a length of two bytes (PS3.5 section 7.1.2).
        head = struct.pack("<HH2s", element.tag.group, element.tag.element, element.VR.encode())
        place = content.index(head, _META_START) + 8
        if text and content.startswith(text, place):
            harmless.append((place, len(text)))
    return Original(content, content.index(PIXEL_DATA, _META_START) + 12, tuple(harmless))


def flip_pixel_bits(original: Original, rng: Generator) -> bytes:
    """One to eight bits of the pixel data."""
    return _flip(original.content, rng, original.pixels, len(original.content), 8)


def flip_header_bits(original: Original, rng: Generator) -> bytes:
    """One to four bits of everything in front of the pixel data, file meta and `DICM` included."""
    return _flip(original.content, rng, _META_START - 4, original.pixels, 4)


def truncate(original: Original, rng: Generator) -> bytes:
    """The file up to a point anywhere in it, every other time among its last 16 bytes."""
    size = len(original.content)
    first = 1 if rng.integers(2) else size - 16
    return original.content[: int(rng.integers(first, size))]


def cut_and_close(original: Original, rng: Generator) -> bytes:
    """Pixel data that lost its end and got a proper one again: end marker, length, delimiter."""
    pixels = original.pixels
    if not original.encapsulated:
        length = len(original.content) - pixels
        length -= 2 * int(rng.integers(1, length // 2))
        head = original.content[: pixels - 4] + struct.pack("<L", length)
        return head + original.content[pixels : pixels + length]
    (table,) = struct.unpack_from("<L", original.content, pixels + 4)
    start = pixels + 16 + table  # of the only fragment's value
    frame = original.content[start : -len(_DELIMITER)].rstrip(b"\0")
    is_marked = frame.endswith(_END_MARKER)
    data = frame.removesuffix(_END_MARKER)
    data = data[: int(rng.integers(len(data) // 3, len(data)))]
    data += _END_MARKER if is_marked else b""
    data += b"\0" * (len(data) % 2)
    return original.content[: start - 4] + struct.pack("<L", len(data)) + data + _DELIMITER


def zero_run(original: Original, rng: Generator) -> bytes:
    """Zeros over a run of the pixel data, as a lost disk block leaves them."""
    start, length = _run(original, rng)
    content = bytearray(original.content)
    content[start : start + length] = bytes(length)
    return bytes(content)


def delete_run(original: Original, rng: Generator) -> bytes:
    """A run of the pixel data is missing, the rest moves up."""
    start, length = _run(original, rng)
    return original.content[:start] + original.content[start + length :]


def other_format(original: Original, rng: Generator) -> bytes:
    """Another size, most of them far too large, or another number of bits, samples or frames."""
    dataset = pydicom.dcmread(io.BytesIO(original.content))
    keyword, values = (
        ("Rows", (65535, 65500, 40000, 4096, 1, 0)),
        ("Columns", (65535, 65500, 40000, 4096, 1, 0)),
        ("BitsAllocated", (0, 1, 8, 12, 16, 32, 64, 65535)),
        ("SamplesPerPixel", (0, 3, 4, 65535)),
        ("NumberOfFrames", (0, 2, 2**31 - 1)),
    )[int(rng.integers(5))]
    setattr(dataset, keyword, int(rng.choice(values)))
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def other_syntax(original: Original, rng: Generator) -> bytes:
    """The transfer syntax of another file."""
    content = original.content
    element = content.index(b"\x02\x00\x10\x00UI", _META_START)
    (length,) = struct.unpack_from("<H", content, element + 6)
    there = content[element + 8 : element + 8 + length].rstrip(b"\0").decode()
    other = str(rng.choice([uid for uid in _SYNTAXES if uid != there])).encode()
    other += b"\0" * (len(other) % 2)  # PS3.5 section 6.2
    (group_length,) = struct.unpack_from("<L", content, _META_START + 8)
    return (
        content[: _META_START + 8]
        + struct.pack("<L", group_length + len(other) - length)
        + content[_META_START + 12 : element + 6]
        + struct.pack("<H", len(other))
        + other
        + content[element + 8 + length :]
    )


def change_harmless(original: Original, rng: Generator) -> bytes:
    """Other characters in text that decides no pixel, another preamble, or padding at the end."""
    content = bytearray(original.content)
    place = int(rng.integers(4))
    if place == 0:
        content[: _META_START - 4] = rng.bytes(_META_START - 4)
    elif place == 1:
        size = 2 * int(rng.integers(1, 500))
        content += _TRAILING_PADDING + struct.pack("<L", size) + bytes(size)
    else:
        start, length = original.harmless[int(rng.integers(len(original.harmless)))]
        for _ in range(int(rng.integers(1, 5))):
            content[start + int(rng.integers(length))] = int(rng.integers(0x30, 0x3A))
    return bytes(content)


def change_nothing(original: Original, _rng: Generator) -> bytes:
    """The file as it is."""
    return original.content


MUTATIONS: dict[str, Callable[[Original, Generator], bytes]] = {
    "pixel bits": flip_pixel_bits,
    "header bits": flip_header_bits,
    "truncated": truncate,
    "cut and closed": cut_and_close,
    "zeroed run": zero_run,
    "deleted run": delete_run,
    "other format": other_format,
    "other syntax": other_syntax,
    "harmless": change_harmless,
    "unchanged": change_nothing,
}


def _flip(content: bytes, rng: Generator, start: int, end: int, most: int) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, most + 1))):
        changed[int(rng.integers(start, end))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _run(original: Original, rng: Generator) -> tuple[int, int]:
    start = int(rng.integers(original.pixels, len(original.content) - 1))
    return start, int(rng.integers(1, min(4096, len(original.content) - start)))
