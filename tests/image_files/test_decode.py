"""Image files decode to their own pixels, or are rejected with the reason."""

import contextlib
import io
import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mammo_ray.config import DecodeConfig
from mammo_ray.errors import ImageRejected
from mammo_ray.image_files.decode import decode_file, decode_image_file, pixel_facts
from mammo_ray.image_files.header import is_image_file, read_image_header
from mammo_ray.schema import RejectionReason
from tests.dicom.files import dicom_file, gradient

CONFIG = DecodeConfig()
SHAPE = (61, 47)
Array = NDArray[np.generic]


def _opencv(suffix: str, *settings: int) -> Callable[[Array], bytes]:
    def encode(pixels: Array) -> bytes:
        written, content = cv2.imencode(suffix, pixels, settings)
        assert written
        return bytes(content)

    return encode


def _pillow(kind: str, **settings: object) -> Callable[[Array], bytes]:
    def encode(pixels: Array) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **settings)
        return buffer.getvalue()

    return encode


# Name -> (encoder, bits, media type); every one is lossless.
EXACT = {
    "png 8": (_opencv(".png"), 8, "image/png"),
    "png 16": (_opencv(".png"), 16, "image/png"),
    "pgm 8": (_opencv(".pgm"), 8, "image/x-portable-graymap"),
    "pgm 16": (_opencv(".pgm"), 16, "image/x-portable-graymap"),
    "tiff 8": (_opencv(".tif", cv2.IMWRITE_TIFF_COMPRESSION, 1), 8, "image/tiff"),
    "tiff 16": (_opencv(".tif", cv2.IMWRITE_TIFF_COMPRESSION, 1), 16, "image/tiff"),
    "tiff 16 LZW": (_opencv(".tif", cv2.IMWRITE_TIFF_COMPRESSION, 5), 16, "image/tiff"),
    "tiff 8 deflate": (_pillow("TIFF", compression="tiff_adobe_deflate"), 8, "image/tiff"),
    "tiff 8 packbits": (_pillow("TIFF", compression="packbits"), 8, "image/tiff"),
    "bmp": (_opencv(".bmp"), 8, "image/bmp"),
}
every_format = pytest.mark.parametrize("name", EXACT)


def _file(name: str) -> tuple[bytes, Array]:
    encode, bits, _ = EXACT[name]
    pixels = gradient(bits, SHAPE)
    return encode(pixels), pixels


@every_format
def test_lossless_files_give_their_pixels_and_their_header(name: str) -> None:
    content, pixels = _file(name)
    image = decode_image_file(content, CONFIG)
    np.testing.assert_array_equal(image.stored, pixels)
    assert image.stored.dtype == pixels.dtype
    header = read_image_header(lambda start, n: content[start : start + n], len(content))
    assert (header["rows"], header["columns"]) == SHAPE
    assert (header["bits"], header["transfer_syntax"]) == EXACT[name][1:]


@every_format
def test_no_truncated_file_decodes(name: str) -> None:
    content, _ = _file(name)
    accepted = []
    for size in range(1, len(content), max(1, len(content) // 97)):
        try:
            decode_file(content[:size], CONFIG)
        except ImageRejected:
            continue
        accepted.append(size)
    assert accepted == []


def test_jpeg_comes_back_within_a_few_gray_levels_and_is_refused_when_cut() -> None:
    pixels = gradient(8, SHAPE)
    content = _opencv(".jpg", cv2.IMWRITE_JPEG_QUALITY, 98)(pixels)
    image = decode_image_file(content, CONFIG)
    assert np.abs(image.stored.astype(int) - pixels).mean() < 2
    for size in range(2, len(content) - 1, 53):
        with pytest.raises(ImageRejected):
            decode_file(content[:size], CONFIG)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm"])
def test_colour_becomes_its_luma_with_a_note(suffix: str) -> None:
    gray = gradient(8, SHAPE)
    colour = np.dstack([gray, np.zeros_like(gray), np.zeros_like(gray)])  # blue, in OpenCV's order
    image = decode_image_file(_opencv(suffix)(colour), CONFIG)
    np.testing.assert_allclose(image.stored, 0.114 * gray, atol=1)
    assert any("colour" in note for note in image.notes)


def test_alpha_is_dropped_with_a_note_and_a_palette_is_applied() -> None:
    gray = gradient(8, SHAPE)
    opaque = np.full_like(gray, 9)
    image = decode_image_file(_pillow("PNG")(np.dstack([gray, gray, gray, opaque])), CONFIG)
    np.testing.assert_allclose(image.stored, gray, atol=1)
    assert any("alpha" in note for note in image.notes)
    buffer = io.BytesIO()
    Image.fromarray(gray).convert("P").save(buffer, "PNG")
    palette = decode_image_file(buffer.getvalue(), CONFIG)
    np.testing.assert_allclose(palette.stored, gray, atol=1)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda png: png[:60] + bytes([png[60] ^ 255]) + png[61:], RejectionReason.DECODE_FAILED),
        (lambda png: png[:16] + b"\x7f\xff\xff\xff" + png[20:], RejectionReason.HEADER_INVALID),
        (lambda _: b"P5\n20000 20000\n255\n" + b"0" * 99, RejectionReason.IMAGE_TOO_LARGE),
        (lambda _: b"GIF89a" + b"\0" * 300, RejectionReason.NOT_DICOM),
        (lambda _: b"", RejectionReason.EMPTY_FILE),
    ],
    ids=["flipped byte", "absurd size", "too many pixels", "another format", "empty"],
)
def test_a_damaged_file_is_rejected_with_its_reason(
    damage: Callable[[bytes], bytes], reason: RejectionReason
) -> None:
    content, _ = _file("png 8")
    with pytest.raises(ImageRejected) as caught:
        decode_file(damage(content), CONFIG)
    assert caught.value.reason == reason


def test_a_tiff_of_several_pages_is_refused() -> None:
    pages = [Image.fromarray(gradient(8, SHAPE)) for _ in range(2)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageRejected) as caught:
        decode_file(buffer.getvalue(), CONFIG)
    assert caught.value.reason == RejectionReason.UNSUPPORTED_PIXEL_FORMAT


def test_dicom_and_image_files_are_told_apart_by_their_first_bytes() -> None:
    pixels = gradient(8, SHAPE)
    assert not is_image_file(dicom_file(pixels)[:132])
    np.testing.assert_array_equal(decode_file(dicom_file(pixels), CONFIG).stored, pixels)
    assert all(is_image_file(_file(name)[0][:16]) for name in EXACT)


def test_a_plain_pgm_may_hold_comments_and_its_numbers_are_checked() -> None:
    good = b"P2\n# a comment\n3 2\n255\n0 1 2 253 254 255\n"
    np.testing.assert_array_equal(decode_file(good, CONFIG).stored, [[0, 1, 2], [253, 254, 255]])
    for bad in (good.replace(b"253", b"999"), good[:-5], good.replace(b"255\n0", b"0\n0")):
        with pytest.raises(ImageRejected):
            decode_file(bad, CONFIG)


@pytest.mark.parametrize("top", [1, 255])
def test_a_mask_of_two_values_is_near_binary(top: int) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:20, 10:20] = top
    facts = pixel_facts(_opencv(".png")(mask), CONFIG)
    assert facts["near_binary"] == 1.0
    assert facts["gray_values"] == [0, top]
    assert facts["foreground"] == pytest.approx(100 / mask.size)


def test_a_jpeg_mask_is_near_binary_and_a_crop_is_not() -> None:
    mask = np.zeros((400, 300), np.uint8)
    cv2.circle(mask, (150, 200), 60, 255, -1)
    of_mask = pixel_facts(_opencv(".jpg", cv2.IMWRITE_JPEG_QUALITY, 90)(mask), CONFIG)
    assert of_mask["near_binary"] >= 0.99
    of_crop = pixel_facts(_opencv(".jpg")(gradient(8, (200, 180))), CONFIG)
    assert of_crop["near_binary"] < 0.5
    assert of_crop["gray_values"] is None


def test_real_films_decode_to_what_opencv_reads(real_data: Path) -> None:
    films = sorted((real_data / "mini_mias").glob("*.pgm"))
    assert len(films) == 12
    for film in films:
        expected = cv2.imread(str(film), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(decode_file(film.read_bytes(), CONFIG).stored, expected)


def test_a_plain_pgm_has_the_bits_of_its_maximum_however_dark_it_is() -> None:
    image = decode_file(b"P2 2 2 4095 0 1 2 3", CONFIG)
    np.testing.assert_array_equal(image.stored, [[0, 1], [2, 3]])
    assert image.stored.dtype == np.uint16
    assert image.grayscale.bits_stored == 12


def test_a_dark_image_in_many_bits_is_told() -> None:
    twelve_bits = gradient(12, SHAPE)
    image = decode_file(_opencv(".png")(twelve_bits), CONFIG)
    assert image.grayscale.bits_stored == 16
    assert any("takes 12 of 16 bits" in note for note in image.notes)
    assert decode_file(_opencv(".png")(gradient(16, SHAPE)), CONFIG).notes == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_bilevel_files_give_two_values(kind: str) -> None:
    mask = gradient(8, SHAPE) > 120
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, kind)
    facts = pixel_facts(buffer.getvalue(), CONFIG)
    assert len(facts["gray_values"]) == 2
    stored = decode_file(buffer.getvalue(), CONFIG).stored
    np.testing.assert_array_equal(stored == stored.max(), mask)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_a_tiled_tiff_of_either_byte_order_is_put_together(order: str, predictor: int) -> None:
    pixels = gradient(16, SHAPE)
    content = tiled_tiff(pixels, order, predictor)
    np.testing.assert_array_equal(decode_file(content, CONFIG).stored, pixels)
    with pytest.raises(ImageRejected) as caught:
        decode_file(content[:-3], CONFIG)
    assert caught.value.reason == RejectionReason.PIXEL_DATA_TRUNCATED


def tiled_tiff(pixels: Array, order: str, predictor: int) -> bytes:
    """A 16-bit TIFF in deflated tiles of 16 x 32, written by hand."""
    height, width = 16, 32
    padded = np.pad(pixels, [(0, -pixels.shape[0] % height), (0, -pixels.shape[1] % width)])
    tiles = []
    for top in range(0, padded.shape[0], height):
        for left in range(0, padded.shape[1], width):
            tile = padded[top : top + height, left : left + width]
            if predictor == 2:
                tile = np.diff(tile, axis=1, prepend=np.zeros((height, 1), tile.dtype))
            tiles.append(zlib.compress(tile.astype(f"{order}u2").tobytes()))
    count, entries = len(tiles), 10
    lists = 8 + 2 + 12 * entries + 4
    starts = list(itertools.accumulate(map(len, tiles), initial=lists + 8 * count))[:-1]
    tags = [
        (256, pixels.shape[1]), (257, pixels.shape[0]), (258, 16), (259, 8), (262, 1),
        (317, predictor), (322, width), (323, height),
    ]  # fmt: skip
    directory = b"".join(struct.pack(f"{order}HHLL", tag, 4, 1, value) for tag, value in tags)
    directory += struct.pack(f"{order}HHLL", 324, 4, count, lists)
    directory += struct.pack(f"{order}HHLL", 325, 4, count, lists + 4 * count)
    magic = b"II" if order == "<" else b"MM"
    head = magic + struct.pack(f"{order}HLH", 42, 8, entries) + directory + bytes(4)
    numbers = struct.pack(f"{order}{2 * count}L", *starts, *map(len, tiles))
    return head + numbers + b"".join(tiles)


def test_a_strip_that_deflates_to_less_than_its_rows_is_refused() -> None:
    content = bytearray(_opencv(".tif", cv2.IMWRITE_TIFF_COMPRESSION, 1)(gradient(8, SHAPE)))
    rows = content.find(struct.pack("<HHL", 257, 3, 1))
    rows = rows if rows >= 0 else content.find(struct.pack("<HHL", 257, 4, 1))
    struct.pack_into("<H", content, rows + 8, SHAPE[0] + 40)  # says more rows than its strips hold
    with pytest.raises(ImageRejected) as caught:
        decode_file(bytes(content), CONFIG)
    assert caught.value.reason in {
        RejectionReason.PIXEL_DATA_TRUNCATED, RejectionReason.HEADER_INVALID
    }  # fmt: skip


def test_a_jpeg_header_behind_a_large_profile_is_found_in_few_reads() -> None:
    content = _opencv(".jpg")(gradient(8, SHAPE))
    profile = b"\xff\xe2" + struct.pack(">H", 65000) + bytes(64998)
    large = content[:2] + 3 * profile + content[2:]
    reads: list[int] = []

    def fetch(start: int, length: int) -> bytes:
        reads.append(length)
        return large[start : start + length]

    header = read_image_header(fetch, len(large))
    assert (header["rows"], header["columns"]) == SHAPE
    assert len(reads) <= 3
    np.testing.assert_array_equal(
        decode_file(large, CONFIG).stored, decode_file(content, CONFIG).stored
    )


def test_a_dicom_file_whose_preamble_is_a_tiff_header_is_a_dicom_file() -> None:
    pixels = gradient(8, SHAPE)
    content = b"II*\0" + dicom_file(pixels)[4:]
    assert not is_image_file(content[:132])
    np.testing.assert_array_equal(decode_file(content, CONFIG).stored, pixels)


@pytest.mark.parametrize("text", [b"BMI,age\n20,50\n" * 4, b"P5 patient notes", b"MMMM", b"II"])
def test_text_that_starts_as_a_format_does_is_never_decoded(text: bytes) -> None:
    with pytest.raises(ImageRejected):
        decode_file(text, CONFIG)


def test_a_signed_dicom_mask_is_judged_from_its_lowest_value() -> None:
    pixels = np.full(SHAPE, -128, np.int8)
    pixels[:10, :10] = 127
    facts = pixel_facts(dicom_file(pixels, bits=8, PixelRepresentation=1), CONFIG)
    assert facts["gray_values"] == [-128, 127]
    assert facts["foreground"] == pytest.approx(100 / pixels.size)


@pytest.mark.parametrize("name", ["png 16", "tiff 16 LZW", "pgm 8", "bmp"])
def test_random_damage_never_escapes_as_another_error(name: str) -> None:
    content, _ = _file(name)
    random = np.random.default_rng(5)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, min(len(damaged), 300), 3):
            damaged[place] = random.integers(0, 256)
        with contextlib.suppress(ImageRejected):
            assert decode_file(bytes(damaged), CONFIG).stored.ndim == 2
