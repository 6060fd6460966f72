"""Circles, boxes and polygons become the pixels that they enclose."""

import numpy as np
import pytest

from mammo_ray.preprocess.outlines import Outline, OutlineInvalid, fill_outline
from mammo_ray.schema import OutlineForm


def test_a_circle_holds_the_pixels_whose_centers_lie_in_it() -> None:
    mask = fill_outline(Outline(OutlineForm.CIRCLE, (20.0, 30.5), 7.0), 50, 60)
    rows, columns = np.mgrid[:50, :60]
    inside = (rows - 20) ** 2 + (columns - 30.5) ** 2 <= 49
    np.testing.assert_array_equal(mask, inside)


def test_a_box_holds_both_its_corner_pixels() -> None:
    mask = fill_outline(Outline(OutlineForm.BOX, (3.0, 4.0, 9.0, 10.0)), 20, 20)
    expected = np.zeros((20, 20), np.uint8)
    expected[3:10, 4:11] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_polygon_holds_its_inside_and_its_edges() -> None:
    mask = fill_outline(Outline(OutlineForm.POLYGON, (5, 5, 5, 15, 15, 15, 15, 5)), 30, 30)
    expected = np.zeros((30, 30), np.uint8)
    expected[5:16, 5:16] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_polygon_of_one_point_is_a_pixel() -> None:
    mask = fill_outline(Outline(OutlineForm.POLYGON, (7.0, 8.0)), 20, 20)
    assert mask.sum() == 1
    assert mask[7, 8] == 1


def test_what_lies_outside_of_the_image_is_cut_off() -> None:
    mask = fill_outline(Outline(OutlineForm.CIRCLE, (0.0, 0.0), 5.0), 10, 10)
    assert mask[0, 5] == 1
    assert 0 < mask.sum() < 30


@pytest.mark.parametrize(
    "outline",
    [
        Outline(OutlineForm.CIRCLE, (5.0, 5.0)),
        Outline(OutlineForm.CIRCLE, (5.0, 5.0), -1.0),
        Outline(OutlineForm.CIRCLE, (5.0, 5.0), float("nan")),
        Outline(OutlineForm.CIRCLE, (500.0, 5.0), 3.0),
        Outline(OutlineForm.CIRCLE, (float("nan"), 5.0), 3.0),
        Outline(OutlineForm.BOX, (9.0, 9.0, 3.0, 3.0)),
        Outline(OutlineForm.BOX, (9.0, 9.0)),
        Outline(OutlineForm.POLYGON, ()),
        Outline(OutlineForm.POLYGON, (1.0, 2.0, 3.0)),
        Outline(OutlineForm.POLYGON, (1e12, 2.0)),
    ],
)
def test_an_outline_that_cannot_be_drawn_says_so(outline: Outline) -> None:
    with pytest.raises(OutlineInvalid):
        fill_outline(outline, 20, 20)
