"""The breast's box: around all of the breast, without what films carry beside it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mammo_ray.config import Config
from mammo_ray.preprocess.breast import Breast, find_breast
from mammo_ray.preprocess.geometry import Box
from mammo_ray.preprocess.pipeline import prepare_file
from tests.preprocess.phantom import Picture, breast_picture, with_label, with_wedge


def assert_box_fits(breast: Breast, mask: np.ndarray, slack: float = 0.05) -> None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box, limit = breast.box, slack * max(mask.shape)
    assert box.top <= rows[0]
    assert box.left <= columns[0]
    assert box.top + box.height > rows[-1]
    assert box.left + box.width > columns[-1]
    assert rows[0] - box.top <= limit
    assert box.top + box.height - rows[-1] <= limit
    assert columns[0] - box.left <= limit
    assert box.left + box.width - columns[-1] <= limit


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("background", [0, 18])
@pytest.mark.parametrize("shape", [(1200, 900), (300, 240), (4096, 3328)])
def test_the_box_is_tight_around_the_breast(
    shape: tuple[int, int], background: int, side: str
) -> None:
    picture, mask = breast_picture(shape, side, background)
    breast = find_breast(picture)
    assert breast.strategy == "threshold"
    assert breast.side == side
    assert_box_fits(breast, mask)


def test_a_label_block_stays_outside_the_mask() -> None:
    picture, mask = breast_picture()
    breast = find_breast(with_label(picture, top=60, left=700))
    assert_box_fits(breast, mask)
    step = breast.stride
    assert breast.artefacts_small[80 // step : 160 // step, 720 // step : 780 // step].all()
    assert not (breast.artefacts_small & mask[::step, ::step]).any()


@pytest.mark.parametrize("gray", [60, 100, 250])
def test_a_thing_near_the_breast_or_darker_than_it_stays(gray: int) -> None:
    picture, mask = breast_picture()
    near, dim = picture.copy(), picture.copy()
    near[580:620, 555:575] = gray  # 15 pixels off the nipple
    dim[60:180, 700:790] = min(gray, 60)
    for changed in (near, dim):
        breast = find_breast(changed)
        assert not breast.artefacts_small.any()
        assert_box_fits(breast, mask)


def test_thin_skin_beside_a_white_implant_is_breast() -> None:
    rows, columns = np.mgrid[:1200, :900]
    radius = ((rows - 600) / 480) ** 2 + (columns / 540) ** 2
    implant = ((rows - 600) / 300) ** 2 + (columns / 330) ** 2 < 1
    picture = np.where(radius < 1, 15 + 60 * np.sqrt((1 - radius).clip(0)), 1)
    picture = np.where(implant, 235, picture).astype(np.uint8)
    breast = find_breast(picture)
    assert_box_fits(breast, radius < 1)
    missed = (radius < 0.9)[:: breast.stride, :: breast.stride] & ~breast.mask_small
    assert not missed.any()
    assert not breast.artefacts_small.any()


def test_an_implant_as_white_as_a_wedge_from_edge_to_edge_is_breast() -> None:
    rows, columns = np.mgrid[:800, :700]
    breast_mask = ((rows - 400) / 700) ** 2 + (columns / 560) ** 2 < 1
    implant = ((rows - 400) / 600) ** 2 + (columns / 330) ** 2 < 1
    picture = np.where(implant, 225, np.where(breast_mask, 110, 0)).astype(np.uint8)
    breast = find_breast(picture)
    assert breast.strategy == "threshold"
    assert breast.side == "L"
    assert breast.mask_small[::20, : 200 // breast.stride].all()
    assert not (breast.artefacts_small & breast_mask[:: breast.stride, :: breast.stride]).any()


@pytest.mark.parametrize("wedge", ["L", "R"])
def test_a_white_wedge_is_not_the_breast(wedge: str) -> None:
    picture, mask = breast_picture()
    shifted = np.roll(picture, 130, axis=1) if wedge == "L" else picture
    mask = np.roll(mask, 130, axis=1) if wedge == "L" else mask
    breast = find_breast(with_wedge(shifted, wedge))
    assert_box_fits(breast, mask)
    assert breast.side == "L"


def test_a_wedge_wider_than_the_breast_is_not_the_breast() -> None:
    narrow = np.zeros((1200, 1600), np.uint8)
    narrow[400:800, :200] = 140
    breast = find_breast(with_wedge(narrow, "R", width=700))
    assert breast.box.left + breast.box.width < 300


def test_an_inverted_picture_is_cropped_too() -> None:
    picture, mask = breast_picture()
    breast = find_breast(255 - picture)
    assert breast.strategy == "inverted-threshold"
    assert_box_fits(breast, mask)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((600, 400), np.uint8),
        np.full((600, 400), 255, np.uint8),
        np.full((600, 400), 77, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.arange(256, dtype=np.uint8).reshape(1, 256),
        np.random.default_rng(0).integers(0, 256, (500, 500), dtype=np.uint8),
    ],
)
def test_a_picture_without_a_breast_is_kept_whole_or_cropped_to_something(
    picture: Picture,
) -> None:
    breast = find_breast(picture)
    box = breast.box
    assert box.height >= 1
    assert box.width >= 1
    assert box.top + box.height <= picture.shape[0]
    assert box.left + box.width <= picture.shape[1]
    if picture.min() == picture.max():
        assert box == Box(0, 0, *picture.shape)
        assert breast.strategy == "whole-frame"


def test_a_breast_found_on_a_copy_is_enlarged_to_its_film() -> None:
    picture, mask = breast_picture((1200, 900))
    film = Box(40, 30, 1160, 870)
    small = picture[40:, 30:][::4, ::4]
    breast = find_breast(small).enlarged(4, film)
    assert breast.stride == 4
    inside = mask.copy()
    inside[:40] = False
    inside[:, :30] = False
    assert_box_fits(breast, inside)
    assert breast.box.top + breast.box.height <= 1200


def test_lesions_of_real_films_stay_inside_the_crop(real_archive: Path) -> None:
    paths = {path.stem: path for path in real_archive.rglob("*.dcm")}
    with (real_archive / "lesions.csv").open() as file:
        lesions = list(csv.DictReader(file))
    boxes: dict[str, Box] = {}
    areas: list[float] = []
    inside = 0
    config = Config(recipe="test")
    for lesion in lesions:
        name = lesion["sop_instance_uid"]
        if name not in boxes:
            path = next(path for stem, path in paths.items() if name.endswith(stem))
            geometry = prepare_file(str(path), None, config, None).geometry
            boxes[name] = Box(
                geometry.crop_top, geometry.crop_left, geometry.crop_height, geometry.crop_width
            )
            areas.append(geometry.crop_height * geometry.crop_width / 1024**2)
        row, column = float(lesion["center_row"]), float(lesion["center_column"])
        radius, box = float(lesion["radius_px"]), boxes[name]
        inside += (
            box.top <= row - radius
            and row + radius <= box.top + box.height
            and box.left <= column - radius
            and column + radius <= box.left + box.width
        )
    assert len(lesions) == 101
    assert inside >= 100  # one circle reaches beyond its film
    assert np.mean(areas) < 0.55
