"""A mask lands where its image's pixels land, or is left out with a reason."""

import csv
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mammo_ray.config import Config, overlay
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import StorageError
from mammo_ray.preprocess.masks import Annotation
from mammo_ray.preprocess.outlines import Outline
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_file
from mammo_ray.schema import OutlineForm
from tests.datasets.reading import write_image

SHAPE = (240, 180)
Array = NDArray[np.uint8]


def _film(right: bool = False) -> tuple[Array, Array]:
    """A breast with a bright lesion, and the lesion's mask (0 and 255)."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    breast = ((rows - 120) / 100) ** 2 + (columns / 120) ** 2 < 1
    lesion = (rows - 90) ** 2 + ((columns - 60) / 1.3) ** 2 < 14**2
    film = np.where(breast, 90, 0).astype(np.uint8)
    film[lesion] = 250
    mask = np.where(lesion, 255, 0).astype(np.uint8)
    return (film[:, ::-1].copy(), mask[:, ::-1].copy()) if right else (film, mask)


def _config(*overrides: str) -> Config:
    size = ("preprocess.height=128", "preprocess.width=96")
    return overlay(Config(recipe="x"), (*size, *overrides), "test")


def _prepared(folder: Path, film: Array, config: Config, annotation: Annotation) -> PreparedImage:
    uri = str(write_image(folder / "film.png", film))
    return prepare_file(uri, None, config, None, annotation)


def _mask_file(folder: Path, mask: Array, name: str = "mask.png") -> Annotation:
    return Annotation(mask_uris=(str(write_image(folder / name, mask)),))


@pytest.mark.parametrize(
    ("right", "crop", "resize", "orient"),
    list(product([False, True], ["true", "false"], ["pad", "stretch"], ["true", "false"])),
)
def test_a_mask_covers_the_lesion_in_the_prepared_image(
    tmp_path: Path, right: bool, crop: str, resize: str, orient: str
) -> None:
    film, mask = _film(right)
    config = _config(
        f"preprocess.crop.enabled={crop}",
        f"preprocess.resize={resize}",
        f"preprocess.orient.enabled={orient}",
    )
    image = _prepared(tmp_path, film, config, _mask_file(tmp_path, mask))
    assert image.mask is not None
    assert image.mask.shape == image.pixels.shape
    lesion = image.pixels > 170  # half way between breast and lesion
    overlap = (lesion & (image.mask == 1)).sum() / (lesion | (image.mask == 1)).sum()
    assert overlap > 0.9


def test_clahe_changes_no_mask(tmp_path: Path) -> None:
    film, mask = _film()
    annotation = _mask_file(tmp_path, mask)
    plain = _prepared(tmp_path, film, _config(), annotation)
    with_clahe = _prepared(tmp_path, film, _config("preprocess.clahe.enabled=true"), annotation)
    np.testing.assert_array_equal(plain.mask, with_clahe.mask)
    assert set(np.unique(plain.mask)) == {0, 1}


def test_lesions_are_merged_and_classes_kept(tmp_path: Path) -> None:
    film, mask = _film()
    second = np.zeros(SHAPE, np.uint8)
    second[150:170, 20:50] = 128
    uris = (
        str(write_image(tmp_path / "a.png", mask)),
        str(write_image(tmp_path / "b.png", second)),
    )
    annotation = Annotation(mask_uris=uris, mask_values=(128, 255))
    image = _prepared(tmp_path, film, _config(), annotation)
    assert image.mask is not None
    assert set(np.unique(image.mask)) == {0, 1, 2}
    assert (image.mask == 2).sum() > (image.mask == 1).sum() / 3


def test_a_mask_of_another_scale_is_stretched_with_a_note(tmp_path: Path) -> None:
    film, mask = _film()
    half = cv2.resize(mask, (SHAPE[1] // 2, SHAPE[0] // 2), interpolation=cv2.INTER_NEAREST)
    whole = _prepared(tmp_path, film, _config(), _mask_file(tmp_path, mask))
    stretched = _prepared(tmp_path, film, _config(), _mask_file(tmp_path, half, "half.png"))
    assert whole.mask is not None
    assert stretched.mask is not None
    both, either = (whole.mask & stretched.mask).sum(), (whole.mask | stretched.mask).sum()
    assert both / either > 0.9
    assert any("stretched by nearest neighbour" in note for note in stretched.notes)


def test_one_unusable_lesion_leaves_the_whole_mask_out(tmp_path: Path) -> None:
    film, mask = _film()
    good = str(write_image(tmp_path / "good.png", mask))
    other_aspect = str(write_image(tmp_path / "wide.png", np.zeros((100, 300), np.uint8)))
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(Path(good).read_bytes()[:-20])
    for bad, says in (
        (other_aspect, "another aspect ratio"),
        (str(tmp_path / "gone.png"), "cannot be read"),
        (str(damaged), "truncated"),
        (None, "neither a mask nor an outline"),
    ):
        image = _prepared(tmp_path, film, _config(), Annotation(mask_uris=(good, bad)))
        assert image.mask is None
        [note] = [note for note in image.notes if note.startswith("mask left out")]
        assert says in note
        assert "lesion 2 of 2" in note


def test_nothing_drawn_is_no_mask_and_no_note(tmp_path: Path) -> None:
    image = _prepared(tmp_path, _film()[0], _config(), Annotation())
    assert image.mask is None
    assert not any("mask" in note for note in image.notes)


def test_circles_of_real_films_land_where_the_geometry_says(real_archive: Path) -> None:
    with (real_archive / "lesions.csv").open(encoding="utf-8") as file:
        lesions = {row["sop_instance_uid"]: row for row in csv.DictReader(file)}
    config = _config("preprocess.height=512", "preprocess.width=512")
    checked = 0
    for path in sorted(real_archive.rglob("*.dcm")):
        row = lesions.get(_sop_uid(path))
        if row is None:
            continue
        center = np.array([[float(row["center_row"]), float(row["center_column"])]])
        circle = Outline(OutlineForm.CIRCLE, tuple(center[0]), float(row["radius_px"]))
        image = prepare_file(str(path), None, config, None, Annotation(outlines=(circle,)))
        assert image.mask is not None
        inside = np.argwhere(image.mask == 1)
        reaches_out = (inside.min(0) == 0).any() or (inside.max(0) == 511).any()
        if not reaches_out and (image.geometry.pad_top == 0 or inside.min() > 1):
            expected = image.geometry.to_prepared(center)[0]
            middle = (inside.min(0) + inside.max(0)) / 2
            np.testing.assert_allclose(middle, expected, atol=1.0)
            checked += 1
        if checked == 12:
            break
    assert checked == 12


def _sop_uid(path: Path) -> str:
    import pydicom

    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
    return str(dataset.SOPInstanceUID)


def test_masks_are_read_in_the_sandbox_and_its_limits_hold_for_them(tmp_path: Path) -> None:
    film, mask = _film()
    good = _mask_file(tmp_path, mask)
    uri = str(write_image(tmp_path / "film.png", film))
    config = _config("decode.max_megapixels=0.1")
    large = Annotation(mask_uris=(str(write_image(tmp_path / "large.png", _wide_mask())),))
    with Sandbox(config.decode.memory_megabytes) as sandbox:
        inside = prepare_file(uri, None, config, sandbox, good)
        refused = prepare_file(uri, None, config, sandbox, large)
    np.testing.assert_array_equal(inside.mask, prepare_file(uri, None, config, None, good).mask)
    assert refused.mask is None
    assert "image-too-large" in refused.notes[-1]
    np.testing.assert_array_equal(refused.pixels, inside.pixels)


def _wide_mask() -> Array:
    return np.zeros((400, 300), np.uint8)


def _store_without_masks(uri: str) -> bytes:
    if "mask" in uri:
        raise StorageError("the store is down")
    return Path(uri).read_bytes()


def test_a_storage_failure_over_a_mask_blames_no_image(tmp_path: Path) -> None:
    film, mask = _film()
    uri = str(write_image(tmp_path / "film.png", film))
    annotation = _mask_file(tmp_path, mask)
    with (
        Sandbox(1024, load=_store_without_masks) as sandbox,
        pytest.raises(StorageError, match="down"),
    ):
        prepare_file(uri, None, _config(), sandbox, annotation)


def test_a_class_that_is_lost_on_the_way_is_told(tmp_path: Path) -> None:
    film, mask = _film()
    specks = np.where(mask > 0, 1, 0).astype(np.uint8)
    specks[0, -1] = 2  # one pixel in the corner, off the breast
    annotation = Annotation(
        mask_uris=(str(write_image(tmp_path / "specks.png", specks)),), mask_values=(1, 2)
    )
    image = _prepared(tmp_path, film, _config(), annotation)
    assert image.mask is not None
    assert set(np.unique(image.mask)) == {0, 1}
    assert any("no pixel of class [2]" in note for note in image.notes)


def test_a_mask_that_marks_nothing_is_kept_and_told(tmp_path: Path) -> None:
    image = _prepared(
        tmp_path, _film()[0], _config(), _mask_file(tmp_path, np.zeros_like(_film()[1]))
    )
    assert image.mask is not None
    assert not image.mask.any()
    assert any("marks no pixel" in note for note in image.notes)


def test_an_outline_stands_in_for_a_lesion_without_a_mask_file(tmp_path: Path) -> None:
    film, mask = _film()
    uri = _mask_file(tmp_path, mask).mask_uris[0]
    circle = Outline(OutlineForm.CIRCLE, (170.0, 40.0), 12.0)
    inexact = Outline(OutlineForm.BOX, (0.0, 0.0, 200.0, 170.0))
    annotation = Annotation(mask_uris=(uri, None), outlines=(inexact, circle))
    image = _prepared(tmp_path, film, _config(), annotation)
    alone = _prepared(tmp_path, film, _config(), Annotation(outlines=(circle,)))
    mask_alone = _prepared(tmp_path, film, _config(), Annotation(mask_uris=(uri,)))
    assert alone.mask is not None
    assert mask_alone.mask is not None
    np.testing.assert_array_equal(image.mask, np.maximum(alone.mask, mask_alone.mask))


@pytest.mark.parametrize("resize", ["pad", "stretch"])
@pytest.mark.parametrize("right", [False, True])
def test_a_circle_lands_within_a_pixel_of_where_the_geometry_puts_its_center(
    tmp_path: Path, right: bool, resize: str
) -> None:
    center = (101.0, 137.0 if right else 41.0)
    config = _config(f"preprocess.resize={resize}")
    circle = Outline(OutlineForm.CIRCLE, center, 12.0)
    image = _prepared(tmp_path, _film(right)[0], config, Annotation(outlines=(circle,)))
    assert image.mask is not None
    found = np.argwhere(image.mask == 1).mean(axis=0)
    expected = image.geometry.to_prepared(np.array([center]))[0]
    np.testing.assert_allclose(found, expected, atol=0.5)
    assert image.geometry.flipped is right
