"""Deflated data sets: inflated as far as their header asks, and no further."""

import struct
import zlib

import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.header import read_header
from mammo_ray.dicom.parsing import parse_header
from mammo_ray.errors import ImageRejected
from tests.dicom.files import DEFLATED, dicom_file, gradient

CONFIG = DecodeConfig()
SHAPE = (700, 600)  # more bytes than are inflated for a header


def parts_of(content: bytes) -> tuple[bytes, bytes]:
    """File meta and the inflated data set."""
    end = 144 + struct.unpack_from("<L", content, 140)[0]
    return content[:end], zlib.decompress(content[end:], -zlib.MAX_WBITS)


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


def reason_of(content: bytes) -> str:
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    return str(caught.value)


@pytest.mark.parametrize("shape", [(20, 16), SHAPE])
def test_a_whole_deflated_image_keeps_its_pixels(shape: tuple[int, int]) -> None:
    pixels = gradient(12, shape)
    content = dicom_file(pixels, DEFLATED, 12)
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)
    header = parse_header(content, complete=True)
    assert header is not None
    assert header.inflated is (shape != SHAPE)


def test_a_header_is_read_without_its_pixels() -> None:
    content = dicom_file(gradient(12, SHAPE), DEFLATED, 12)
    wanted = []

    def fetch(start: int, length: int) -> bytes:
        wanted.append(length)
        return content[start : start + length]

    facts = read_header(fetch, len(content))
    assert (facts.row["rows"], facts.row["columns"]) == SHAPE
    assert sum(wanted) == min(64 * 1024, len(content))


def test_a_header_longer_than_the_first_piece_is_found() -> None:
    meta, data = parts_of(dicom_file(gradient(12, (20, 16)), DEFLATED, 12))
    place = data.index(b"\xe0\x7f\x10\x00")
    private = b"\x41\x00\x10\x10OB\0\0" + struct.pack("<L", 1 << 20) + bytes(1 << 20)
    content = meta + deflated(data[:place] + private + data[place:])
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, gradient(12, (20, 16)))


def test_a_header_that_does_not_end_is_refused_from_its_first_bytes() -> None:
    meta, data = parts_of(dicom_file(gradient(12, (20, 16)), DEFLATED, 12))
    place = data.index(b"\xe0\x7f\x10\x00")
    private = b"\x41\x00\x10\x10OB\0\0" + struct.pack("<L", 1 << 26) + bytes(1 << 26)
    content = meta + deflated(data[:place] + private + data[place:])
    assert "header-invalid: there is no pixel data" in reason_of(content)
    with pytest.raises(ImageRejected, match="there is no pixel data within"):
        parse_header(content[:20_000], complete=False)


@pytest.mark.parametrize("extra", [0, 1000, 1 << 19])
def test_what_follows_the_pixels_may_be_short(extra: int) -> None:
    meta, data = parts_of(dicom_file(gradient(12, SHAPE), DEFLATED, 12))
    tail = b"\xfc\xff\xfc\xffOB\0\0" + struct.pack("<L", extra) + bytes(extra)
    content = meta + deflated(data + tail)
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, gradient(12, SHAPE))


def test_what_follows_the_pixels_may_not_be_long() -> None:
    meta, data = parts_of(dicom_file(gradient(12, SHAPE), DEFLATED, 12))
    assert "does not end within" in reason_of(meta + deflated(data + bytes(1 << 24)))


@pytest.mark.parametrize("share", [0.6, 0.9, 0.999])
def test_a_cut_stream_is_refused(share: float) -> None:
    content = dicom_file(gradient(12, SHAPE), DEFLATED, 12)
    cut = int(share * len(content))
    assert "pixel-data-truncated" in reason_of(content[:cut])
