"""PGM and PPM (Netpbm formats P2, P5 and P6), the files of mini-MIAS among them."""

import re

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

MEDIA_TYPE = "image/x-portable-graymap"
_MAGICS = (b"P2", b"P5", b"P6")
_SPACE = rb"(?:[ \t\n\v\f\r]|#[^\n\r]*[\n\r])+"
# Width, height and maximum, then one white space; comments may stand before each.
_HEADER = re.compile(rb"P([256])" + (_SPACE + rb"(\d{1,9})") * 3 + rb"[ \t\n\v\f\r]")
_LONGEST_HEADER = 16 * 1024  # bytes, comments included
_WHITE = b" \t\n\v\f\r"


def starts(prefix: bytes) -> bool:
    """Whether a file starts as a PGM or PPM file does."""
    return prefix.startswith(_MAGICS) and prefix[2:3] != b"" and prefix[2:3] in _WHITE + b"#"


def read_header(ranges: Ranges) -> ImageHeader:
    """Size and bits; a maximum between powers of two counts as the bits that it takes.

    Raises:
        ImageRejected: no header of these formats.
    """
    content = ranges.up_to(_LONGEST_HEADER)
    header, _, _ = _parse(content)
    return header


def decode(content: bytes, header: ImageHeader) -> tuple[Samples, list[str]]:
    """Samples as they were written, and notes.

    Raises:
        ImageRejected: fewer or more samples than the header says, or one above its maximum.
    """
    _, start, maximum = _parse(content[:_LONGEST_HEADER])
    count = header.rows * header.columns * header.channels
    notes: list[str] = []
    if content.startswith(b"P2"):
        samples = _plain(content[start:], count, header.bits)
    else:
        samples, notes = _raw(content, start, count, header.bits)
    if int(samples.max()) > maximum:
        raise damaged(f"a sample is {int(samples.max())}, above the header's maximum {maximum}")
    if maximum != (1 << header.bits) - 1:
        notes.append(f"the maximum {maximum} was taken as {header.bits} bits")
    shape = (header.rows, header.columns)
    return samples.reshape(shape if header.channels == 1 else (*shape, 3)), notes


def _parse(content: bytes) -> tuple[ImageHeader, int, int]:
    """The header, where samples start, and the largest sample that it allows."""
    match = _HEADER.match(content)
    if match is None:
        raise invalid("no header of a PGM or PPM file: format, width, height and maximum")
    columns, rows, maximum = (int(match[index]) for index in (2, 3, 4))
    require_size(rows, columns)
    if not 0 < maximum < 65536:
        raise invalid(f"the largest sample is said to be {maximum}, expected 1 to 65535")
    channels = 3 if match[1] == b"6" else 1
    header = ImageHeader(MEDIA_TYPE, rows, columns, maximum.bit_length(), channels)
    return header, match.end(), maximum


def _raw(content: bytes, start: int, count: int, bits: int) -> tuple[Samples, list[str]]:
    """Binary samples; those of two bytes have the high byte first."""
    width = 2 if bits > 8 else 1
    there, expected = len(content) - start, count * width
    if there < expected:
        raise truncated(f"the file holds {there} bytes of samples, expected {expected}")
    beyond = content[start + expected :]
    if beyond.lstrip(_WHITE)[:2] in _MAGICS:
        raise unsupported("the file holds more than one image")
    samples = np.frombuffer(content, f">u{width}", count, start).astype(f"u{width}")
    return samples, [f"the file has {len(beyond)} bytes beyond its image"] if beyond else []


def _plain(text: bytes, count: int, bits: int) -> Samples:
    """Samples written as decimal numbers."""
    plain = re.sub(rb"#[^\n\r]*", b" ", text)
    if re.search(rb"[^0-9 \t\n\v\f\r]|[0-9]{10}", plain):
        raise damaged(f"the samples are not {count} decimal numbers")
    numbers = np.fromstring(plain.decode("ascii"), np.int64, sep=" ")
    if len(numbers) < count:
        raise truncated(f"the file holds {len(numbers)} samples, expected {count}")
    if len(numbers) > count:
        raise damaged(f"the file holds {len(numbers)} samples, expected {count}")
    if int(numbers.max()) >= 1 << bits:
        raise damaged(f"a sample is {int(numbers.max())}, expected {bits} bits")
    return numbers.astype(np.uint16 if bits > 8 else np.uint8)
