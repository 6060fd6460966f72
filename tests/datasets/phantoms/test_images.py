"""Drawn mammograms: their parts lie where anatomy has them."""

from dataclasses import replace

import numpy as np
import pytest

from mammo_ray.datasets.phantoms.images import Breast, Lesion, draw_view, mirror

SHAPE = (512, 416)
BREAST = Breast(depth=0.6, half_height=0.36, density=1, brightness=1.0, muscle=0.48)
MASS = Lesion("SPIC", "M", depth=0.5, height=0.3, radius=0.1)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("view", ["CC", "MLO", "ML", "LM", "XCCL", "AT"])
def test_the_breast_starts_at_the_chest_wall_and_is_brighter_than_the_background(view: str) -> None:
    drawing = draw_view(BREAST, view, SHAPE, rng())
    assert drawing.display.shape == SHAPE
    assert drawing.display.dtype == np.float32
    assert 0 <= drawing.display.min() < drawing.display.max() <= 1
    assert drawing.breast[256, 0]
    assert not drawing.breast[:, -5:].any()
    assert drawing.display[drawing.breast].mean() > 0.2
    assert drawing.display[~drawing.breast].mean() < 0.02


def test_an_oblique_view_has_the_pectoral_muscle_in_its_upper_corner() -> None:
    drawing = draw_view(BREAST, "MLO", SHAPE, rng())
    muscle = drawing.muscle
    widths = muscle.sum(axis=1)
    assert muscle[0, 0]
    assert widths[0] > 0.2 * SHAPE[1]
    assert np.all(np.diff(widths) <= 0)
    assert widths[-1] == 0
    below = drawing.breast & ~muscle & (np.arange(SHAPE[0])[:, None] < 150)
    assert drawing.display[muscle].mean() > drawing.display[below].mean() + 0.1


def test_a_craniocaudal_view_shows_no_muscle_and_leaves_the_corners_black() -> None:
    drawing = draw_view(BREAST, "CC", SHAPE, rng())
    assert not drawing.muscle.any()
    assert not drawing.breast[0].any()
    assert not drawing.breast[-1].any()


def test_denser_breasts_are_brighter() -> None:
    means = []
    for density in range(4):
        drawing = draw_view(replace(BREAST, density=density), "CC", SHAPE, rng())
        means.append(drawing.display[drawing.breast].mean())
    assert means == sorted(means)
    assert means[3] > means[0] + 0.08


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("abnormality", ["SPIC", "CIRC", "CALC"])
@pytest.mark.parametrize(("depth", "height"), [(0.3, -0.8), (0.75, 0.8), (0.5, 0.0)])
def test_a_lesion_lies_inside_the_breast_and_brightens_its_circle_alone(
    view: str, abnormality: str, depth: float, height: float
) -> None:
    lesion = Lesion(abnormality, "M", depth, height, radius=0.11)
    sick = draw_view(replace(BREAST, lesion=lesion), view, SHAPE, rng())
    well = draw_view(BREAST, view, SHAPE, rng())
    circle = sick.circle
    assert circle is not None
    assert well.circle is None
    y, x = np.indices(SHAPE)
    away = np.hypot(x - circle.column, y - circle.row) / circle.radius
    assert sick.breast[away <= 1].all()
    assert not sick.muscle[away <= 0.9].any()
    # The same seed draws the same tissue; grain differs, as the lesion took draws before it.
    gain = sick.display - well.display
    assert gain[away <= 0.7].mean() > 0.03
    assert abs(gain[away > 2.2].mean()) < 0.002


def test_a_lesion_in_a_breast_with_an_implant_lies_beside_the_implant() -> None:
    breast = replace(BREAST, implant=True, lesion=replace(MASS, depth=0.2))
    plain = draw_view(replace(breast, lesion=None), "CC", SHAPE, rng())
    sick = draw_view(breast, "CC", SHAPE, rng())
    assert sick.circle is not None
    assert plain.display[256, :60].min() > 0.75
    assert plain.display[sick.circle.row, sick.circle.column] < 0.75


def test_a_mirrored_drawing_carries_its_circle_and_masks_along() -> None:
    drawing = draw_view(replace(BREAST, lesion=MASS), "MLO", SHAPE, rng())
    turned = mirror(drawing)
    np.testing.assert_array_equal(turned.display, drawing.display[:, ::-1])
    np.testing.assert_array_equal(turned.muscle, drawing.muscle[:, ::-1])
    assert drawing.circle is not None
    assert turned.circle is not None
    assert turned.circle.column == SHAPE[1] - 1 - drawing.circle.column
    assert (turned.circle.row, turned.circle.radius) == (drawing.circle.row, drawing.circle.radius)


def test_the_same_generator_state_draws_the_same_image() -> None:
    first = draw_view(BREAST, "MLO", SHAPE, rng())
    second = draw_view(BREAST, "MLO", SHAPE, rng())
    np.testing.assert_array_equal(first.display, second.display)
