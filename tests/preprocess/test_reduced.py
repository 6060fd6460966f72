"""Preparation with resolution levels left out: nearly the same pixels, the same geometry."""

from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

from mammo_ray.config import load_config
from mammo_ray.dicom.decode import decode_image
from mammo_ray.preprocess import geometry, pipeline
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_image
from tests.dicom.files import EXPLICIT, JPEG, dicom_file
from tests.preprocess.phantom import breast_picture

HIGH_THROUGHPUT, PART_1 = JPEG + "201", JPEG + "90"
SIZE = ("preprocess.height=112", "preprocess.width=96")
both = pytest.mark.parametrize("syntax", [PART_1, HIGH_THROUGHPUT])
multiples = pytest.mark.parametrize("reduced", ["4x", "2x"])


def prepared(content: bytes, *overrides: str) -> PreparedImage:
    return prepare_image(content, None, load_config(overrides=(*SIZE, *overrides)))


def film(syntax: str) -> bytes:
    picture, _ = breast_picture()
    return dicom_file(picture, syntax, 8)


def levels_of(image: PreparedImage) -> int:
    """As the decoder's name records them."""
    _, found, share = image.decoder.partition(" at 1/")
    return int(share).bit_length() - 1 if found else 0


@multiples
@both
def test_a_reduced_image_has_nearly_the_same_pixels(syntax: str, reduced: str) -> None:
    frame = "preprocess.crop.enabled=false"
    whole = prepared(film(syntax), frame)
    small = prepared(film(syntax), frame, f"decode.reduced={reduced}")
    assert levels_of(whole) == 0
    assert levels_of(small) >= 1
    difference = np.abs(small.pixels.astype(int) - whole.pixels)
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99) < 12
    assert small.geometry == whole.geometry


@multiples
@both
@pytest.mark.parametrize("mode", ["pad", "stretch"])
def test_the_crop_keeps_the_multiple_of_its_prepared_size(
    syntax: str, reduced: str, mode: str
) -> None:
    for size in (96, 128, 200):
        image = prepared(
            film(syntax), f"decode.reduced={reduced}", f"preprocess.height={size}",
            f"preprocess.resize={mode}",
        )  # fmt: skip
        placed, box, multiple = image.geometry.placement, image.geometry.box, int(reduced[0])
        levels = levels_of(image)
        assert box.height >> levels >= multiple * placed.height
        assert box.width >> levels >= multiple * placed.width


def test_a_small_breast_on_a_large_film_is_decoded_again_at_the_resolution_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture, _ = breast_picture()
    large = np.zeros((2048, 1536), np.uint8)
    large[500:1300, :450] = picture[:, :900].repeat(1, axis=0)[: 800 * 1, ::2][:800]
    content = dicom_file(large, HIGH_THROUGHPUT, 8)
    asked = []

    def decode_file(*arguments: object) -> object:
        image = original(*arguments)
        asked.append(image.levels)
        return image

    original = pipeline.decode_file
    monkeypatch.setattr(pipeline, "decode_file", decode_file)
    image = prepared(content, "decode.reduced=2x")
    assert len(asked) == 2
    assert asked[0] > asked[1] == levels_of(image)


@multiples
@both
def test_geometry_stays_in_pixels_of_the_file(syntax: str, reduced: str) -> None:
    picture, _ = breast_picture()
    spot = np.array([[500.0, 200.0]])
    cv2.circle(picture, (200, 500), 30, 255, -1)
    content = dicom_file(picture, syntax, 8)
    whole, small = prepared(content), prepared(content, f"decode.reduced={reduced}")
    assert levels_of(small) >= 1
    size = (small.geometry.source_rows, small.geometry.source_columns)
    assert size == picture.shape
    assert np.abs(np.subtract(small.geometry.box, whole.geometry.box)).max() <= 24
    there = small.geometry.to_prepared(spot)
    assert np.abs(small.geometry.to_source(there) - spot).max() < 1e-6
    found = np.argwhere(small.pixels >= 245).mean(axis=0)
    assert np.abs(there[0] - found).max() < 0.5


def test_sides_that_blocks_do_not_fill_stay_inside_the_film() -> None:
    picture, _ = breast_picture()
    picture = np.ascontiguousarray(picture[:-3, :-5])
    for overrides in ((), ("preprocess.crop.enabled=false",)):
        image = prepared(dicom_file(picture, HIGH_THROUGHPUT, 8), "decode.reduced=2x", *overrides)
        box = image.geometry.box
        assert box.top + box.height <= picture.shape[0]
        assert box.left + box.width <= picture.shape[1]
    assert (box.height, box.width) == picture.shape


def test_what_has_no_levels_is_prepared_as_ever() -> None:
    whole, same = prepared(film(EXPLICIT)), prepared(film(EXPLICIT), "decode.reduced=2x")
    np.testing.assert_array_equal(same.pixels, whole.pixels)
    assert same.decoder == whole.decoder == "native"


def test_every_mode_has_a_preparation_digest_of_its_own() -> None:
    digests = {
        load_config(overrides=(f"decode.reduced={mode}",)).preprocess_digest()
        for mode in ("none", "4x", "2x")
    }
    assert len(digests) == 3


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_an_image_of_one_value_beside_padding_is_blank(photometric: str) -> None:
    pixels = np.full((300, 200), 700, np.uint16)
    pixels[200:] = 4095
    facts = {"PixelPaddingValue": 4095, "PhotometricInterpretation": photometric}
    assert prepared(dicom_file(pixels, EXPLICIT, 12, **facts)).blank
    assert not prepared(dicom_file(pixels, EXPLICIT, 12)).blank
    pixels[100, 100] = 701
    assert not prepared(dicom_file(pixels, EXPLICIT, 12, **facts)).blank


def test_real_images_come_out_closer_than_with_a_poorer_interpolation(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config().decode
    paths = [real_data / "wg04" / "MG1_J2KI"]
    paths += sorted((real_data / "screening_archive").rglob("*.dcm"))[::66]
    errors = {"reduced": [], "linear": []}
    for path in paths:
        stored = decode_image(path.read_bytes(), config).stored
        bits = 8 * stored.itemsize
        frame = imagecodecs.htj2k_encode(stored, reversible=True)
        content = dicom_file(stored, HIGH_THROUGHPUT, bits, fragments=[frame])
        window = ("preprocess.bits=16", "preprocess.crop.enabled=false")
        exact, small = prepared(content, *window), prepared(content, *window, "decode.reduced=2x")
        assert levels_of(small) >= 1
        with monkeypatch.context() as patch:
            patch.setattr(geometry.cv2, "INTER_AREA", cv2.INTER_LINEAR)
            linear = prepared(content, *window)
        boxes = [
            prepared(content, f"decode.reduced={mode}").geometry.box for mode in ("none", "2x")
        ]
        assert np.abs(np.subtract(*boxes)).max() <= 0.02 * max(stored.shape)
        for name, image in (("reduced", small), ("linear", linear)):
            difference = image.pixels.astype(float) - exact.pixels
            errors[name].append(np.abs(difference).mean())

    assert np.mean(errors["reduced"]) < np.mean(errors["linear"])
