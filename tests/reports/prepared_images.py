"""Prepared images made by hand."""

import numpy as np

from mammo_ray.preprocess.geometry import Geometry
from mammo_ray.preprocess.pipeline import PreparedImage


def prepared_image(mask: np.ndarray | None, gray: int = 90) -> PreparedImage:
    """An even image of 80 x 60 pixels that nothing was done to, with a mask of its size."""
    pixels = np.full((80, 60), gray, np.uint8)
    return PreparedImage(
        pixels=pixels,
        geometry=Geometry(80, 60, 0, 0, 80, 60, False, 1.0, 1.0, 0, 0),
        decoder="none",
        grayscale="none",
        breast_strategy="none",
        blank=True,
        sop_uid=None,
        file_bytes=0,
        notes=(),
        mask=mask,
    )
