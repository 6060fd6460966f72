"""Augmentation: nothing is mirrored, air stays air, chance comes from the generator alone."""

import numpy as np
import pytest

from mammo_ray.config import AugmentConfig
from mammo_ray.training.augmentation import augment

STILL = {"rotation_degrees": 0, "shift_fraction": 0, "zoom_fraction": 0, "contrast_fraction": 0}


def breast(dtype: str = "uint8") -> np.ndarray:
    """A bright half disc at the left edge on black air."""
    rows, columns = np.mgrid[:64, :48]
    inside = (rows - 32) ** 2 + columns**2 < 24**2
    return (inside * (np.iinfo(dtype).max // 2)).astype(dtype)


def test_switched_off_gives_the_image_itself() -> None:
    image = breast()
    config = AugmentConfig(enabled=False, vertical_flip=True)
    assert augment(image, config, np.random.default_rng(0)) is image


def test_without_any_extent_nothing_changes() -> None:
    config = AugmentConfig(enabled=True, **STILL)
    np.testing.assert_array_equal(augment(breast(), config, np.random.default_rng(0)), breast())


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_type_size_and_air_are_kept(dtype: str) -> None:
    config = AugmentConfig(enabled=True)
    for seed in range(10):
        changed = augment(breast(dtype), config, np.random.default_rng(seed))
        assert changed.dtype == dtype
        assert changed.shape == (64, 48)
        assert changed[:3, -3:].max() == 0
        assert (changed != breast(dtype)).any()


def test_the_breast_stays_on_the_left_and_reaches_the_edge() -> None:
    config = AugmentConfig(enabled=True, vertical_flip=True)
    for seed in range(20):
        changed = augment(breast(), config, np.random.default_rng(seed))
        assert changed[:, :24].sum() > changed[:, 24:].sum()
        assert changed[32, 0] > 0


def test_vertical_flip_comes_for_about_half_of_the_images() -> None:
    image = breast()
    image[:16] = 7
    config = AugmentConfig(enabled=True, vertical_flip=True, **STILL)
    random = np.random.default_rng(0)
    flips = [bool((augment(image, config, random) == image[::-1]).all()) for _ in range(200)]
    assert 80 < sum(flips) < 120


def test_shift_moves_by_at_most_its_fraction() -> None:
    point = np.zeros((64, 64), dtype=np.uint8)
    point[30:34, 30:34] = 255
    config = AugmentConfig(enabled=True, **(STILL | {"shift_fraction": 0.1}))
    centres = []
    for seed in range(50):
        rows, columns = np.nonzero(augment(point, config, np.random.default_rng(seed)) > 127)
        centres.append((rows.mean() - 31.5, columns.mean() - 31.5))
    reach = np.abs(centres).max(axis=0)
    assert (reach <= 7).all()
    assert (reach > 3).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gain_multiplies_and_never_wraps_round(dtype: str) -> None:
    top = np.iinfo(dtype).max
    image = np.tile(np.array([0, top // 2, top], dtype=dtype), (8, 1))
    config = AugmentConfig(enabled=True, **(STILL | {"contrast_fraction": 0.5}))
    for seed in range(20):
        low, middle, high = augment(image, config, np.random.default_rng(seed))[0].astype(int)
        assert low == 0
        assert 0.24 * top < middle < 0.76 * top
        assert middle <= high <= top


def test_the_same_generator_state_gives_the_same_image() -> None:
    config = AugmentConfig(enabled=True)
    first, second = (augment(breast(), config, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
