"""The breast's box: around all of the breast, without what films carry beside it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mammo_ray.config import Config
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.grayscale import apply_table, gray_table
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


@pytest.mark.parametrize(("value", "other"), [(44, 0), (44, 255), (200, 44), (1, 0)])
def test_a_picture_of_two_values_has_some_crop(value: int, other: int) -> None:
    for part in (np.s_[200:], np.s_[:, 150:], np.s_[100:110, 50:60]):
        picture = np.full((300, 200), value, np.uint8)
        picture[part] = other
        box = find_breast(picture).box
        assert box.height > 0
        assert box.width > 0


def framed(picture: Picture, width: int, gray: int) -> Picture:
    """The picture with a frame of one gray laid over its edge."""
    edged = np.full_like(picture, gray)
    edged[width:-width, width:-width] = picture[width:-width, width:-width]
    return edged


@pytest.mark.parametrize("width", [3, 10, 40])
@pytest.mark.parametrize("at", [560, 700, 850])
def test_a_bright_line_beside_the_breast_changes_nothing(at: int, width: int) -> None:
    picture, mask = breast_picture()
    picture[:, at : at + width] = 250
    breast = find_breast(picture)
    assert breast.side == "L"
    assert_box_fits(breast, mask)
    assert not (breast.artefacts_small & mask[:: breast.stride, :: breast.stride]).any()


@pytest.mark.parametrize("line", [np.s_[:, 300:307], np.s_[600:610], np.s_[:, 100:103]])
def test_a_line_across_the_breast_does_not_cut_it(line: tuple[slice, slice]) -> None:
    picture, mask = breast_picture()
    picture[line] = 254
    breast = find_breast(picture)
    assert breast.strategy == "threshold"
    assert breast.side == "L"
    assert_box_fits(breast, mask)
    inner = mask[:: breast.stride, :: breast.stride]
    assert not (breast.artefacts_small & inner).any()


def test_a_white_frame_is_no_air_of_an_inverted_picture() -> None:
    picture, mask = breast_picture()
    breast = find_breast(framed(picture, 12, 255))
    assert (breast.strategy, breast.side) == ("threshold", "L")
    assert_box_fits(breast, mask)
    bed = np.full((1300, 1000), 255, np.uint8)
    bed[50:1250, 50:950] = picture
    on_bed = find_breast(bed)
    assert (on_bed.strategy, on_bed.side) == ("threshold", "L")
    assert on_bed.box.height * on_bed.box.width < 0.5 * bed.size
    corners = on_bed.artefacts_small[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.all()


@pytest.mark.parametrize("background", [60, 100])
def test_a_background_below_the_breast_is_cut_off(background: int) -> None:
    picture, mask = breast_picture(background=background)
    breast = find_breast(picture)
    assert breast.side == "L"
    assert_box_fits(breast, mask)


@pytest.mark.parametrize("background", [140, 160, 180, 215])
def test_a_background_as_bright_as_the_breast_keeps_the_frame_and_tells_no_side(
    background: int,
) -> None:
    picture, _ = breast_picture(background=background)
    breast = find_breast(picture)
    assert breast.strategy == "whole-frame"
    assert breast.box == Box(0, 0, *picture.shape)
    assert breast.side is None
    assert not breast.artefacts_small.any()


def test_tissue_that_fills_the_picture_keeps_the_frame_and_tells_no_side() -> None:
    rows, columns = np.mgrid[:1200, :900]
    noise = np.random.default_rng(0).normal(130, 5, (1200, 900))
    picture = (noise + 20 * np.sin(rows / 40) * np.cos(columns / 50)).astype(np.uint8)
    breast = find_breast(picture)
    assert (breast.strategy, breast.side) == ("whole-frame", None)
    assert breast.box == Box(0, 0, 1200, 900)


@pytest.mark.parametrize("radii", [(640, 480), (590, 440)])
def test_a_breast_that_touches_every_side_is_kept_whole(radii: tuple[int, int]) -> None:
    rows, columns = np.mgrid[:1200, :900]
    mask = ((rows - 600) / radii[0]) ** 2 + ((columns - 450) / radii[1]) ** 2 < 1
    breast = find_breast(np.where(mask, 130, 0).astype(np.uint8))
    assert breast.box == Box(0, 0, 1200, 900)
    assert not (breast.artefacts_small & mask[:: breast.stride, :: breast.stride]).any()


@pytest.mark.parametrize("radius", [60, 140, 200, 260])
@pytest.mark.parametrize("beside", ["nothing", "label", "wedge"])
def test_a_tiny_breast_is_never_lost(beside: str, radius: int) -> None:
    rows, columns = np.mgrid[:1200, :900]
    mask = ((rows - 600) / radius) ** 2 + (columns / (0.8 * radius)) ** 2 < 1
    noise = np.random.default_rng(1).normal(0, 2, mask.shape)
    picture = (np.where(mask, 120, 0) + noise).clip(0, 255).astype(np.uint8)
    picture = with_label(picture, 60, 700) if beside == "label" else picture
    picture = with_wedge(picture, "R") if beside == "wedge" else picture
    breast = find_breast(picture)
    box = breast.box
    inside = mask[box.top : box.top + box.height, box.left : box.left + box.width]
    assert inside.sum() == mask.sum()
    assert breast.strategy == ("threshold" if radius >= 200 else "whole-frame")


@pytest.mark.parametrize("levels", [(0, 10), (240, 256), (0, 256)])
def test_noise_alone_keeps_the_frame(levels: tuple[int, int]) -> None:
    picture = np.random.default_rng(2).integers(*levels, (600, 400)).astype(np.uint8)
    breast = find_breast(picture)
    assert breast.side is None
    assert breast.box == Box(0, 0, 600, 400)


def test_specks_and_a_single_pixel_keep_the_frame() -> None:
    specks = (np.random.default_rng(3).random((600, 400)) > 0.99) * np.uint8(255)
    single = np.zeros((600, 400), np.uint8)
    single[300, 200] = 255
    for picture in (specks, single):
        assert find_breast(picture).strategy == "whole-frame"


def test_a_label_that_hangs_on_the_films_edge_line_is_an_artefact() -> None:
    picture, mask = breast_picture()
    # A gray line along the upper edge, from the label to the breast's own film edge.
    picture[100:104, :800] = np.where(mask[100:104, :800], picture[100:104, :800], 90)
    picture[100:130, 60:64] = 90
    breast = find_breast(with_label(picture, top=90, left=720))
    step = breast.stride
    assert breast.artefacts_small[110 // step : 190 // step, 740 // step : 790 // step].all()
    assert not (breast.artefacts_small & mask[::step, ::step]).any()


def test_no_lesion_of_a_real_film_is_blanked(real_archive: Path) -> None:
    paths = {path.stem: path for path in real_archive.rglob("*.dcm")}
    with (real_archive / "lesions.csv").open() as file:
        lesions = list(csv.DictReader(file))
    rows, columns = np.mgrid[:1024, :1024]
    config = Config(recipe="test")
    for lesion in lesions:
        path = next(
            path for stem, path in paths.items() if lesion["sop_instance_uid"].endswith(stem)
        )
        image = decode_image(path.read_bytes(), config.decode)
        table = gray_table(image.grayscale, config.decode, bits=8)
        breast = find_breast(apply_table(image.stored, table).astype(np.uint8))
        center = float(lesion["center_row"]), float(lesion["center_column"])
        circle = np.hypot(rows - center[0], columns - center[1]) <= float(lesion["radius_px"])
        blanked = breast.artefacts_small & circle[:: breast.stride, :: breast.stride]
        assert not blanked.any()
