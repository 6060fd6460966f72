"""Points go from source to prepared pixels and back, whatever was done to the pixels."""

import dataclasses

import numpy as np
import pytest

from mammo_ray.preprocess.geometry import Box, Geometry, Placement, crop, flip, pad, place, resize
from mammo_ray.schema import GEOMETRY_COLUMNS


def geometry_of(box: Box, placement: Placement, flipped: bool) -> Geometry:
    return Geometry(
        2000, 1500, box.top, box.left, box.height, box.width, flipped,
        placement.height / box.height, placement.width / box.width,
        placement.pad_top, placement.pad_left,
    )  # fmt: skip


def test_fields_are_the_geometry_columns() -> None:
    assert tuple(field.name for field in dataclasses.fields(Geometry)) == GEOMETRY_COLUMNS


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("mode", ["pad", "stretch"])
@pytest.mark.parametrize("box", [Box(0, 0, 2000, 1500), Box(137, 41, 1501, 777), Box(9, 8, 7, 6)])
def test_points_come_back_within_a_thousandth_of_a_pixel(
    box: Box, mode: str, flipped: bool
) -> None:
    geometry = geometry_of(box, place(box, 512, 400, mode), flipped)
    points = np.random.default_rng(1).uniform(0, 2000, (50, 2))
    np.testing.assert_allclose(geometry.to_source(geometry.to_prepared(points)), points, atol=1e-3)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("mode", ["pad", "stretch"])
@pytest.mark.parametrize("size", [(512, 512), (300, 700), (1600, 1200)])
def test_a_bright_spot_lies_where_its_point_is_mapped(
    size: tuple[int, int], mode: str, flipped: bool
) -> None:
    box = Box(137, 41, 1501, 777)
    placement = place(box, *size, mode)
    geometry = geometry_of(box, placement, flipped)
    for row, column in [(200, 60), (900, 400), (1600, 800)]:
        source = np.zeros((2000, 1500), np.uint16)
        source[row - 5 : row + 6, column - 5 : column + 6] = 60000
        pixels = resize(crop(source, box), placement)
        pixels = pad(flip(pixels) if flipped else pixels, placement, *size)
        assert pixels.shape == size
        weights = pixels / pixels.sum()
        found = np.array([
            (weights.sum(axis=1) * np.arange(size[0])).sum(),
            (weights.sum(axis=0) * np.arange(size[1])).sum(),
        ])  # fmt: skip
        expected = geometry.to_prepared(np.array([[row, column]], dtype=float))[0]
        assert np.abs(found - expected).max() < 0.5


def test_pad_keeps_the_aspect_and_puts_the_image_at_the_left() -> None:
    assert place(Box(0, 0, 1000, 500), 512, 512, "pad") == Placement(512, 256, 0, 0)
    assert place(Box(0, 0, 500, 1000), 512, 512, "pad") == Placement(256, 512, 128, 0)
    assert place(Box(0, 0, 500, 1000), 512, 512, "stretch") == Placement(512, 512, 0, 0)
    assert place(Box(0, 0, 1, 5000), 64, 64, "pad") == Placement(1, 64, 31, 0)


def test_padding_is_black_and_the_image_unchanged() -> None:
    image = np.full((10, 6), 9, np.uint8)
    framed = pad(image, Placement(10, 6, 3, 2), 16, 12)
    assert framed[3:13, 2:8].tolist() == image.tolist()
    assert framed.sum() == image.sum()


def test_shrinking_averages_areas() -> None:
    checkers = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert set(resize(checkers, Placement(32, 32, 0, 0)).ravel().tolist()) == {100}
