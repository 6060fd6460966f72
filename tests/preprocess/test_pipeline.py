"""The whole preparation: one order, one orientation, one way back to the source."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo_ray.config import Config, load_config
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_file, prepare_image
from tests.dicom.files import EXPLICIT, JPEG, dicom_file
from tests.preprocess.phantom import breast_picture, with_label


def config_of(*overrides: str) -> Config:
    return load_config(overrides=overrides)


def prepared(
    picture: np.ndarray, *overrides: str, laterality: str | None = None, **elements: object
) -> PreparedImage:
    content = dicom_file(picture, EXPLICIT, picture.itemsize * 8, **elements)
    return prepare_image(content, laterality, config_of(*overrides))


@pytest.mark.parametrize("side", ["L", "R"])
def test_the_chest_wall_comes_to_lie_on_the_left(side: str) -> None:
    picture, _ = breast_picture(side=side)
    image = prepared(picture)
    assert image.geometry.flipped is (side == "R")
    width = np.flatnonzero(image.pixels.any(axis=0))[-1]
    assert image.pixels[:, :8].mean() > 5 * image.pixels[:, width - 8 : width + 1].mean() + 1
    mirrored, _ = breast_picture(side="R" if side == "L" else "L")
    np.testing.assert_allclose(
        prepared(mirrored).pixels.astype(int), image.pixels.astype(int), atol=12
    )


def test_what_the_picture_shows_goes_before_the_declared_side() -> None:
    picture, _ = breast_picture(side="R")
    agreeing = prepared(picture, laterality="R")
    contradicting = prepared(picture, laterality="L")
    assert agreeing.notes == ()
    assert contradicting.notes == (
        "the chest wall is on the picture's R side, the laterality is L",
    )
    assert contradicting.geometry.flipped
    np.testing.assert_array_equal(contradicting.pixels, agreeing.pixels)


def test_the_declared_side_decides_where_the_picture_does_not() -> None:
    blank = np.zeros((300, 200), np.uint8)
    assert prepared(blank, laterality="R").geometry.flipped
    assert not prepared(blank, laterality="L").geometry.flipped
    assert not prepared(blank, laterality="B").geometry.flipped
    assert not prepared(blank).geometry.flipped


def test_orientation_can_be_switched_off() -> None:
    picture, _ = breast_picture(side="R")
    assert not prepared(picture, "preprocess.orient.enabled=false").geometry.flipped


@pytest.mark.parametrize("value", [0, 90, 255])
def test_an_image_of_one_value_is_blank_and_whole(value: int) -> None:
    image = prepared(np.full((300, 200), value, np.uint8))
    assert image.blank
    assert image.breast_strategy == "whole-frame"
    assert (image.geometry.crop_height, image.geometry.crop_width) == (300, 200)
    assert not prepared(breast_picture()[0]).blank


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("mode", ["pad", "stretch"])
def test_size_and_type_are_those_of_the_configuration(bits: int, mode: str) -> None:
    picture, _ = breast_picture()
    image = prepared(
        picture, "preprocess.height=320", "preprocess.width=256", f"preprocess.bits={bits}",
        f"preprocess.resize={mode}",
    )  # fmt: skip
    assert image.pixels.shape == (320, 256)
    assert image.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert image.pixels.max() > (1 << bits) // 2
    assert image.pixels.flags.c_contiguous


def test_sixteen_bits_carry_the_same_picture() -> None:
    picture, _ = breast_picture()
    wide = prepared(picture, "preprocess.bits=16").pixels.astype(int)
    assert np.abs(wide / 257 - prepared(picture).pixels).max() <= 0.51


@pytest.mark.parametrize("overrides", [(), ("preprocess.resize=stretch",),
                                       ("preprocess.crop.enabled=false",),
                                       ("preprocess.crop.border_fraction=0.05",)])  # fmt: skip
@pytest.mark.parametrize("side", ["L", "R"])
def test_a_lesion_is_found_again_through_the_geometry(
    overrides: tuple[str, ...], side: str
) -> None:
    picture, mask = breast_picture(side=side)
    spot = np.array([[500.0, 200.0 if side == "L" else 700.0]])
    assert mask[int(spot[0, 0]), int(spot[0, 1])]
    cv2.circle(picture, (int(spot[0, 1]), int(spot[0, 0])), 12, 255, -1)
    image = prepared(picture, *overrides)
    found = np.argwhere(image.pixels >= 250).mean(axis=0)
    assert np.abs(image.geometry.to_prepared(spot)[0] - found).max() < 1
    assert np.abs(image.geometry.to_source(found[np.newaxis])[0] - spot[0]).max() < 3


def test_a_label_in_the_crop_is_blacked_out_unless_that_is_switched_off() -> None:
    picture, _ = breast_picture()
    labelled = with_label(picture, top=130, left=440)
    cleaned = prepared(labelled)
    kept = prepared(labelled, "preprocess.crop.remove_artefacts=false")
    plain = prepared(picture)
    assert kept.pixels.astype(int).max() > plain.pixels.max()
    np.testing.assert_array_equal(cleaned.pixels, plain.pixels)


def test_clahe_changes_gray_levels_but_not_the_padding() -> None:
    picture, _ = breast_picture()
    plain = prepared(picture)
    equalised = prepared(picture, "preprocess.clahe.enabled=true")
    assert equalised.geometry == plain.geometry
    assert (equalised.pixels != plain.pixels).mean() > 0.1
    placed = round(plain.geometry.crop_width * plain.geometry.scale_x)
    assert placed < 512
    assert not equalised.pixels[:, placed:].any()


def test_an_inverted_file_gives_the_same_pixels() -> None:
    picture, _ = breast_picture()
    inverted = prepared(255 - picture, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(inverted.pixels, prepared(picture).pixels)
    assert inverted.grayscale == "rescale 1/0; no VOI; inverted"


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 5), (513, 1025)])
def test_images_of_any_shape_are_prepared(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = prepared(picture)
    assert image.pixels.shape == (512, 512)
    assert image.geometry.source_rows == shape[0]


def test_provenance_names_the_decoder_and_the_crop() -> None:
    content = dicom_file(breast_picture()[0], JPEG + "70", 8)
    image = prepare_image(content, None, config_of())
    assert (image.decoder, image.breast_strategy) == ("imagecodecs.jpeg8", "threshold")
    whole = prepare_image(content, None, config_of("preprocess.crop.enabled=false"))
    assert whole.breast_strategy == "none"
    assert whole.geometry.crop_width == 900


def test_a_file_is_prepared_alike_in_the_sandbox_and_without(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom_file(breast_picture()[0], JPEG + "90", 8))
    config = config_of()
    here = prepare_file(str(path), "L", config, None)
    with Sandbox(1024) as sandbox:
        there = prepare_file(str(path), "L", config, sandbox)
        with pytest.raises(ImageRejected) as missing:
            prepare_file(str(tmp_path / "none.dcm"), "L", config, sandbox)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert there.geometry == here.geometry
    assert missing.value.reason == "unreadable-file"
    assert "none.dcm" not in missing.value.detail
    with pytest.raises(ImageRejected) as missing:
        prepare_file(str(tmp_path / "none.dcm"), "L", config, None)
    assert missing.value.reason == "unreadable-file"


def test_real_films_are_prepared_with_the_chest_wall_on_the_left(real_archive: Path) -> None:
    config = config_of()
    for path in sorted(real_archive.rglob("*.dcm"))[::22]:
        image = prepare_file(str(path), None, config, None)
        assert image.breast_strategy == "threshold"
        assert not image.blank
        width = round(image.geometry.crop_width * image.geometry.scale_x)
        third = width // 3
        assert image.pixels[:, :third].mean() > image.pixels[:, width - third : width].mean()
