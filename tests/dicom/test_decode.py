"""Decoding: exact pixels in every transfer syntax, and what is odd about them is noted."""

import imagecodecs
import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from tests.dicom.files import (
    BIG_ENDIAN,
    ENCAPSULATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    NATIVE,
    RLE,
    dicom_file,
    encode,
    gradient,
)

CONFIG = DecodeConfig()
EXACT = [
    (syntax, bits) for syntax, (_, tried, exact) in ENCAPSULATED.items() if exact for bits in tried
] + [(syntax, bits) for syntax in NATIVE for bits in (8, 12, 16)]
LOSSY = [
    (syntax, bits)
    for syntax, (_, tried, exact) in ENCAPSULATED.items()
    if not exact
    for bits in tried
]


@pytest.mark.parametrize(("syntax", "bits"), EXACT)
def test_lossless_pixels_come_back_exactly(syntax: str, bits: int) -> None:
    pixels = gradient(bits)
    decoded = decode_image(dicom_file(pixels, syntax, bits), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.stored.dtype == pixels.dtype
    assert decoded.notes == ()


@pytest.mark.parametrize(("syntax", "bits"), LOSSY)
def test_lossy_pixels_come_back_within_a_percent(syntax: str, bits: int) -> None:
    pixels = gradient(bits)
    decoded = decode_image(dicom_file(pixels, syntax, bits), CONFIG)
    worst = np.abs(decoded.stored.astype(int) - pixels).max()
    assert worst <= 0.02 * (1 << bits)
    assert decoded.stored.dtype == pixels.dtype


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, RLE])
def test_signed_pixels_keep_their_sign(syntax: str, bits: int) -> None:
    pixels = gradient(bits, signed=True)
    decoded = decode_image(dicom_file(pixels, syntax, bits), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.stored.dtype == pixels.dtype


@pytest.mark.parametrize("suffix", ["70", "80", "90", "201"])
def test_the_header_gives_the_sign_that_an_unsigned_codestream_cannot(suffix: str) -> None:
    pixels = gradient(16, signed=True)
    frame = encode(pixels.view(np.uint16), JPEG + suffix, 16)
    decoded = decode_image(dicom_file(pixels, JPEG + suffix, 16, fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)


def test_signed_jpeg_2000_is_read_and_a_wrong_header_sign_is_noted() -> None:
    pixels = gradient(16, signed=True)
    frame = imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True)
    right = decode_image(dicom_file(pixels, JPEG + "90", fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(right.stored, pixels)
    assert right.notes == ()
    content = dicom_file(pixels, JPEG + "90", fragments=[frame], PixelRepresentation=0)
    wrong = decode_image(content, CONFIG)
    np.testing.assert_array_equal(wrong.stored, pixels.view(np.uint16))
    assert wrong.notes == ("the codestream is signed, PixelRepresentation (0028,0103) is 0",)


def test_bits_outside_the_stored_ones_are_masked() -> None:
    pixels = gradient(12)
    overlaid = pixels | np.uint16(0xA000)
    for syntax, fragments in ((EXPLICIT, None), (RLE, [encode(overlaid, RLE, 16)])):
        content = dicom_file(overlaid, syntax, 12, fragments=fragments)
        np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)


def test_pixels_above_unused_low_bits_are_moved_down() -> None:
    pixels = gradient(12)
    content = dicom_file((pixels << 4).astype(np.uint16), EXPLICIT, 12, HighBit=15)
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)


def test_a_precision_other_than_bits_stored_is_noted_and_keeps_the_values() -> None:
    pixels = gradient(12)
    frame = encode(pixels, JPEG + "70", 16)
    decoded = decode_image(dicom_file(pixels, JPEG + "70", 12, fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.notes == ("the codestream has 16 bits a sample, BitsStored (0028,0101) is 12",)


@pytest.mark.parametrize("syntax", [JPEG + "70", JPEG + "90", RLE])
def test_a_frame_in_several_fragments_is_joined(syntax: str) -> None:
    pixels = gradient(12)
    frame = encode(pixels, syntax, 12)
    frame += b"\0" * (len(frame) % 2)
    cut = len(frame) // 4 * 2
    content = dicom_file(pixels, syntax, 12, fragments=[frame[:cut], frame[cut:]])
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)


def test_jp2_boxes_are_taken_off_and_noted() -> None:
    pixels = gradient(12)
    boxed = imagecodecs.jpeg2k_encode(pixels, codecformat="JP2", reversible=True, bitspersample=12)
    decoded = decode_image(dicom_file(pixels, JPEG + "90", 12, fragments=[boxed]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.notes == ("the JPEG 2000 codestream was wrapped in JP2 boxes",)


@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\0\0\xff\0"])
@pytest.mark.parametrize("suffix", ["70", "80", "90", "201"])
def test_padding_after_the_end_marker_is_accepted(suffix: str, padding: bytes) -> None:
    pixels = gradient(8)
    frame = encode(pixels, JPEG + suffix, 8) + padding
    decoded = decode_image(dicom_file(pixels, JPEG + suffix, 8, fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_becomes_its_luma(planar: int) -> None:
    colour = np.stack([gradient(8), gradient(8)[::-1], gradient(8)[:, ::-1]], axis=-1)
    laid_out = np.moveaxis(colour, -1, 0) if planar else colour
    content = dicom_file(colour, EXPLICIT, 8, PlanarConfiguration=planar)
    content = content[: -colour.size] + laid_out.tobytes()
    decoded = decode_image(content, CONFIG)
    expected = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decoded.stored - expected).max() <= 1
    assert decoded.notes == ("colour (RGB) was turned to gray",)
    assert decoded.grayscale.photometric == "MONOCHROME2"


@pytest.mark.parametrize("syntax", [RLE, JPEG + "70", JPEG + "90"])
def test_compressed_colour_becomes_the_same_luma(syntax: str) -> None:
    colour = np.stack([gradient(8), gradient(8)[::-1], gradient(8)[:, ::-1]], axis=-1)
    plain = decode_image(dicom_file(colour, EXPLICIT, 8), CONFIG).stored
    compressed = decode_image(dicom_file(colour, syntax, 8), CONFIG).stored
    np.testing.assert_array_equal(compressed, plain)


def test_bytes_beyond_an_uncompressed_frame_are_noted() -> None:
    pixels = gradient(12)
    decoded = decode_image(dicom_file(pixels, EXPLICIT, 12, Rows=90), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels[:90])
    assert decoded.notes == ("PixelData has 960 bytes beyond the frame",)
