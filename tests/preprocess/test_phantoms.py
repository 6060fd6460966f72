"""Preparation of drawn mammograms, whose outline and chest wall are known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mammo_ray.config import load_config
from mammo_ray.datasets.phantoms.archive import draw_image
from mammo_ray.datasets.phantoms.headers import image_header
from mammo_ray.datasets.phantoms.images import Drawing
from mammo_ray.datasets.phantoms.vendors import VENDORS, Vendor, store_pixels
from mammo_ray.datasets.phantoms.women import PlannedImage, Woman, plan_woman
from mammo_ray.dicom.encode import encode_file
from mammo_ray.preprocess.breast import find_breast
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_image
from tests.dicom.files import EXPLICIT, dicom_file
from tests.preprocess.phantom import breast_picture

SEED = 5
IMAGES = [PlannedImage(0, "R", "CC"), PlannedImage(3, "L", "MLO")]
every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


def woman_of(vendor: Vendor, number: int, *, implant: bool) -> Woman:
    woman = plan_woman(SEED, number, cancer_share=0.0)
    breasts = {side: replace(breast, implant=implant) for side, breast in woman.breasts.items()}
    return replace(woman, vendor=vendor, breasts=breasts)


def gray_of(drawing: Drawing) -> np.ndarray:
    return np.rint(drawing.display.clip(0, 1) * 255).astype(np.uint8)


def prepared(woman: Woman, image: PlannedImage, drawing: Drawing, *options: str) -> PreparedImage:
    stored = store_pixels(drawing.display, drawing.breast, woman.vendor)
    content = encode_file(image_header(SEED, woman, image), stored, EXPLICIT)
    return prepare_image(content, None, load_config(overrides=list(options)))


@every_vendor
@pytest.mark.parametrize("implant", [False, True])
@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.view)
def test_no_tissue_is_cut_off_or_blanked_and_the_chest_wall_is_on_the_left(
    image: PlannedImage, implant: bool, vendor: Vendor
) -> None:
    woman = woman_of(vendor, 4, implant=implant)
    drawing = draw_image(SEED, woman, image)
    whole = prepared(woman, image, drawing, "preprocess.crop.remove_artefacts=false")
    cleaned = prepared(woman, image, drawing)
    box = whole.geometry
    rows, columns = np.nonzero(drawing.breast)
    assert box.crop_top <= rows.min()
    assert rows.max() < box.crop_top + box.crop_height
    assert box.crop_left <= columns.min()
    assert columns.max() < box.crop_left + box.crop_width
    tissue = np.argwhere(drawing.breast)
    at = np.rint(box.to_prepared(tissue.astype(float))).astype(int).clip(0, 511)
    np.testing.assert_array_equal(
        cleaned.pixels[at[:, 0], at[:, 1]], whole.pixels[at[:, 0], at[:, 1]]
    )
    assert at[:, 1].min() <= 1
    wall_is_right = (image.laterality == "R") != vendor.mirrored
    assert whole.geometry.flipped is wall_is_right


@every_vendor
def test_a_label_beside_an_implant_is_still_found(vendor: Vendor) -> None:
    woman = woman_of(vendor, 4, implant=True)
    drawing = draw_image(SEED, woman, IMAGES[1])
    breast = find_breast(gray_of(drawing))
    rows = round(60 * drawing.display.shape[0] / 1024) // breast.stride
    found = breast.artefacts_small[:rows].any(axis=0)
    label_side = found[-len(found) // 3 :] if breast.side == "L" else found[: len(found) // 3]
    assert label_side.sum() > 20


@pytest.mark.parametrize("gain", [1.0, 1.25])
def test_an_implant_that_fills_a_magnified_view_is_kept(gain: float) -> None:
    woman = woman_of(VENDORS[0], 4, implant=True)
    drawing = draw_image(SEED, woman, PlannedImage(4, "L", "CC", spot=True))
    gray = np.clip(drawing.display * gain * 255, 0, 255).astype(np.uint8)
    rows, columns = gray.shape
    field = gray[rows // 4 : -rows // 4, : round(columns * 0.7)]  # most of the rim is implant
    assert np.median(field[:, 0]) >= 200
    breast = find_breast(field)
    assert (breast.box.height, breast.box.width) == field.shape
    assert not breast.artefacts_small.any()
    whole = find_breast(gray)
    outline = cv2.resize(drawing.breast.astype(np.uint8), gray.shape[::-1])
    inside = outline[
        whole.box.top : whole.box.top + whole.box.height,
        whole.box.left : whole.box.left + whole.box.width,
    ]
    assert inside.sum() >= 0.995 * outline.sum()  # the tip of a magnified nipple is very thin


def rsna_like(line: int | None) -> tuple[bytes, np.ndarray]:
    """16-bit MONOCHROME1 with four SIGMOID windows and a bright vertical line; the breast."""
    picture, mask = breast_picture((1340, 1230), "R")
    shown = picture.astype(float).clip(1, 254)
    if line is not None:
        shown[:, line : line + 7] = 254
    level = 1 - shown / 255  # before the inversion
    stored = np.rint(30000 + 10000 / 4 * np.log(level / (1 - level))).astype(np.uint16)
    content = dicom_file(
        stored, EXPLICIT, 16, PhotometricInterpretation="MONOCHROME1",
        PresentationLUTShape="INVERSE", VOILUTFunction="SIGMOID",
        WindowCenter=[30000, 31000, 29000, 30000], WindowWidth=[10000, 8000, 12000, 20000],
        Modality=None,
    )  # fmt: skip
    return content, mask


@pytest.mark.parametrize("line", [None, 40, 300, 470])
def test_a_bright_line_beside_the_breast_changes_nothing(line: int | None) -> None:
    content, mask = rsna_like(line)
    image = prepare_image(content, None, load_config())
    assert image.grayscale == "rescale 1/0; window 0 SIGMOID 30000/10000; inverted"
    assert image.geometry.flipped
    columns = np.flatnonzero(mask.any(axis=0))
    assert image.geometry.crop_left <= columns[0]
    assert columns[0] - image.geometry.crop_left < 60
    plain = prepare_image(rsna_like(None)[0], None, load_config())
    inner = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8))
    tissue = np.argwhere(inner)[::97].astype(float)
    for found in (image, plain):
        at = np.rint(found.geometry.to_prepared(tissue)).astype(int).clip(0, 511)
        assert (found.pixels[at[:, 0], at[:, 1]] > 40).all()
    if line is not None and columns[0] - line > 60:
        assert image.geometry == plain.geometry
        np.testing.assert_array_equal(image.pixels, plain.pixels)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_an_image_of_zeros_is_blank_whatever_its_photometric(photometric: str) -> None:
    zeros = np.zeros((1340, 1230), np.uint16)
    content = dicom_file(zeros, EXPLICIT, 16, PhotometricInterpretation=photometric)
    image = prepare_image(content, None, load_config())
    assert image.blank
    assert image.breast_strategy == "whole-frame"
    assert len(np.unique(image.pixels[:, 0])) == 1


@pytest.mark.parametrize(
    ("orientation", "laterality", "flipped"),
    [
        (["P", "F"], "L", True),
        (["A", "F"], "R", False),
        (["P", "L"], None, True),
        (["AR", "F"], None, False),
        (["L", "F"], "R", True),
        (None, "L", False),
    ],
)
def test_patient_orientation_goes_before_laterality_where_the_picture_shows_no_wall(
    orientation: list[str] | None, laterality: str | None, flipped: bool
) -> None:
    elements = {} if orientation is None else {"PatientOrientation": orientation}
    content = dicom_file(np.zeros((300, 200), np.uint8), EXPLICIT, 8, **elements)
    image = prepare_image(content, laterality, load_config())
    assert image.geometry.flipped is flipped
    assert image.notes == ()


@pytest.mark.parametrize("background", [5, 40, 70])
def test_a_gray_background_is_not_the_breast(background: int) -> None:
    picture, mask = breast_picture((1340, 1230), "R", background)
    noise = np.random.default_rng(0).normal(0, 2, picture.shape)
    content = dicom_file((picture + noise).clip(0, 255).astype(np.uint8), EXPLICIT, 8)
    image = prepare_image(content, None, load_config())
    columns = np.flatnonzero(mask.any(axis=0))
    assert 0 <= columns[0] - image.geometry.crop_left < 60
    assert image.geometry.flipped
