"""Resolution levels left out: the same small image as OpenJPEG's own, and never a wrong one."""

from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.codestream_2000 import read_jpeg_2000
from mammo_ray.dicom.decode import DecodedImage, decode_image
from mammo_ray.dicom.jpeg_2000 import centered_on_blocks, openjpeg_samples, openjph_samples
from mammo_ray.errors import ImageRejected
from tests.dicom.files import ALL_SYNTAXES, JPEG, Array, dicom_file, gradient
from tests.dicom.judges import openjpeg_frame

CONFIG = DecodeConfig()
PART_1, HIGH_THROUGHPUT = JPEG + "90", JPEG + "201"
both = pytest.mark.parametrize("syntax", [PART_1, HIGH_THROUGHPUT])


def encoded(pixels: Array, syntax: str, bits: int, **options: object) -> bytes:
    options = {"reversible": True, **options}
    if syntax == PART_1:
        return imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", bitspersample=bits, **options)
    return imagecodecs.htj2k_encode(pixels, **options)


def samples(frame: bytes, syntax: str, levels: int) -> Array:
    codestream = read_jpeg_2000(frame)
    if syntax == PART_1:
        return openjpeg_samples(frame, codestream, levels)
    return openjph_samples(frame, codestream, levels, lossless=True)


def decoded(pixels: Array, syntax: str, bits: int, levels: int, **elements: object) -> DecodedImage:
    frame = encoded(pixels, syntax, bits) if syntax in (PART_1, HIGH_THROUGHPUT) else None
    content = dicom_file(
        pixels, syntax, bits, fragments=[frame] if frame is not None else None, **elements
    )
    return decode_image(content, CONFIG, leave_out=lambda _rows, _columns: levels)


def with_letters(bits: int) -> Array:
    """White letters on black: a wavelet leaves the range of the bits there."""
    letters = np.zeros((200, 150), np.uint8)
    cv2.putText(letters, "R MLO", (5, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 1, 3)
    return letters * np.array((1 << bits) - 1, np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("shape", [(96, 80), (97, 81), (255, 63)])
@pytest.mark.parametrize("bits", [8, 12, 16])
@both
def test_a_smaller_image_is_that_of_openjpeg(
    syntax: str, bits: int, shape: tuple[int, int], tmp_path: Path
) -> None:
    # The HTJ2K encoder writes 8 and 16 bits only.
    width = 16 if syntax == HIGH_THROUGHPUT and bits == 12 else bits
    for pixels in (gradient(bits, shape), with_letters(bits)):
        for reversible in (True, False):
            frame = encoded(pixels, syntax, width, reversible=reversible)
            for levels in range(1, read_jpeg_2000(frame).levels + 1):
                found = samples(frame, syntax, levels)
                expected = openjpeg_frame(frame, tmp_path, levels)
                assert found.dtype == pixels.dtype
                worst = np.abs(found.astype(int) - expected).max()
                assert worst <= (0 if reversible else 4 if width == 16 else 1)


@both
def test_a_reduced_image_says_what_it_is(syntax: str) -> None:
    image = decoded(gradient(16, (97, 81)), syntax, 16, 2)
    assert image.stored.shape == (25, 21)
    assert (image.levels, image.size) == (2, (97, 81))
    assert image.decoder.endswith(" at 1/4")
    whole = decode_image(dicom_file(gradient(16, (97, 81)), syntax, 16), CONFIG)
    assert (whole.levels, whole.size) == (0, (97, 81))
    assert " at " not in whole.decoder


@both
def test_a_pixel_of_a_reduced_image_stands_for_the_middle_of_its_block(syntax: str) -> None:
    ramp = np.tile(np.arange(0, 2560, 10, dtype=np.uint16), (256, 1))
    for levels in (1, 2, 3):
        block = 1 << levels
        expected = ramp.reshape(256, -1, block).mean(axis=2)[::block]
        found = decoded(ramp, syntax, 16, levels).stored
        inside = np.s_[4:-4, 4:-4]
        assert np.abs(found[inside] - expected[inside]).max() <= 1


def test_no_more_levels_are_left_out_than_there_are() -> None:
    pixels = gradient(16)
    frame = encoded(pixels, PART_1, 16, resolutions=2)
    levels = read_jpeg_2000(frame).levels
    content = dicom_file(pixels, PART_1, 16, fragments=[frame])
    image = decode_image(content, CONFIG, leave_out=lambda _rows, _columns: 5)
    assert image.levels == levels < 5


@pytest.mark.parametrize(
    "syntax", [syntax for syntax in ALL_SYNTAXES if syntax[-3:] not in (".90", ".91")
               and syntax[-4:-1] != ".20"],
)  # fmt: skip
def test_other_syntaxes_have_no_levels(syntax: str) -> None:
    bits = 12 if syntax == JPEG + "51" else 8
    whole = decode_image(dicom_file(gradient(bits), syntax, bits), CONFIG)
    image = decoded(gradient(bits), syntax, bits, 2)
    assert image.levels == 0
    assert image.decoder == whole.decoder
    np.testing.assert_array_equal(image.stored, whole.stored)


@both
def test_signed_pixels_and_colour_are_decoded_in_full(syntax: str) -> None:
    signed = gradient(16, signed=True)
    frame = encoded(signed.view(np.uint16), syntax, 16)
    content = dicom_file(signed, syntax, 16, fragments=[frame])
    image = decode_image(content, CONFIG, leave_out=lambda _rows, _columns: 2)
    np.testing.assert_array_equal(image.stored, signed)
    colour = np.stack([gradient(8)] * 3, axis=-1)
    assert decoded(colour, syntax, 8, 2).stored.shape == (96, 80)


@both
def test_padding_is_never_mixed_with_the_pixels_beside_it(syntax: str) -> None:
    pixels = np.full((128, 128), 2000, np.uint16)
    assert decoded(pixels, syntax, 16, 2, PixelPaddingValue=0).levels == 2
    pixels[:, 70:] = 0
    image = decoded(pixels, syntax, 16, 2, PixelPaddingValue=0)
    assert image.levels == 0
    np.testing.assert_array_equal(image.stored, pixels)


def codestream_with(segment: bytes, at: bytes) -> bytes:
    """A codestream with one more segment in front of a marker."""
    frame = encoded(gradient(16), PART_1, 16)
    place = frame.index(at)
    changed = bytearray(frame[:place] + segment + frame[place:])
    start = changed.index(b"\xff\x90")
    if start < place:  # the tile-part grew
        length = int.from_bytes(changed[start + 6 : start + 10], "big") + len(segment)
        changed[start + 6 : start + 10] = length.to_bytes(4, "big")
    return bytes(changed)


@pytest.mark.parametrize("at", [b"\xff\x5c", b"\xff\x93"])
def test_a_component_or_a_tile_with_a_style_of_its_own_is_decoded_in_full(at: bytes) -> None:
    frame = encoded(gradient(16), PART_1, 16)
    style = frame[frame.index(b"\xff\x52") :][:14]
    own = b"\xff\x53\x00\x09\x00\x00" + style[9:14]
    codestream = read_jpeg_2000(codestream_with(own, at))
    assert (codestream.levels, codestream.reversible) == (0, None)
    assert read_jpeg_2000(frame).levels == style[9] > 0
    assert read_jpeg_2000(frame).reversible


@both
def test_a_shortened_file_is_rejected_at_every_size(syntax: str) -> None:
    content = dicom_file(gradient(16), syntax, 16)
    for share in (0.5, 0.7, 0.9, 0.99):
        with pytest.raises(ImageRejected):
            decode_image(
                content[: int(len(content) * share)], CONFIG, leave_out=lambda _rows, _columns: 2
            )


def resized(pixels: Array, size: tuple[int, int], method: int) -> Array:
    return cv2.resize(pixels, size, interpolation=method).astype(float)


@pytest.mark.parametrize("multiple", [2, 4])
@both
def test_the_error_is_far_below_that_of_a_poorer_interpolation(
    syntax: str, multiple: int, real_data: Path
) -> None:
    paths = sorted((real_data / "screening_archive").rglob("*.dcm"))[::44]
    paths.append(real_data / "wg04" / "MG1_J2KI")
    for levels in (1, 2):
        errors, poor_errors = [], []
        for path in paths:
            pixels = decode_image(path.read_bytes(), CONFIG).stored[-1024:, :1024]
            bits = 8 * pixels.itemsize
            side = pixels.shape[0] // (multiple << levels)
            exact = resized(pixels, (side, side), cv2.INTER_AREA)
            small = decoded(pixels, syntax, bits, levels).stored
            reduced = resized(small, (side, side), cv2.INTER_AREA)
            poor = resized(pixels, (side, side), cv2.INTER_LINEAR)
            scale = 255 / pixels.max()
            errors.append(np.square((reduced - exact) * scale).mean())
            poor_errors.append(np.square((poor - exact) * scale).mean())
        assert np.mean(errors) < 0.6**2 * np.mean(poor_errors)


def test_the_middle_of_blocks_is_met_in_every_type() -> None:
    for dtype in (np.uint8, np.uint16, np.int16):
        ramp = np.tile(np.arange(0, 200, 8), (4, 1)).astype(dtype)
        moved = centered_on_blocks(ramp, 1)
        assert moved.dtype == dtype
        np.testing.assert_array_equal(moved[:, :-1], ramp[:, :-1] + 2)
