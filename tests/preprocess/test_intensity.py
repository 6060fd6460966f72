"""CLAHE on prepared images."""

import numpy as np
import pytest

from mammo_ray.config import ClaheConfig
from mammo_ray.preprocess.intensity import apply_clahe


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_contrast_of_a_faint_image_grows(dtype: type) -> None:
    top = np.iinfo(dtype).max
    faint = np.linspace(0.45 * top, 0.55 * top, 128 * 128).reshape(128, 128).astype(dtype)
    faint = np.random.default_rng(0).permuted(faint)
    equalised = apply_clahe(faint, ClaheConfig(clip_limit=4.0, tiles=4))
    assert equalised.dtype == dtype
    assert equalised.std() > 1.5 * faint.std()


def test_a_mirrored_view_is_accepted() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    view = image[:, ::-1]
    config = ClaheConfig()
    np.testing.assert_array_equal(apply_clahe(view, config), apply_clahe(view.copy(), config))
