"""Pictures of breasts with what films carry, for tests."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def breast_picture(
    shape: tuple[int, int] = (1200, 900), side: str = "L", background: int = 0
) -> tuple[Picture, NDArray[np.bool_]]:
    """A half-ellipse breast on the chest wall's side, and its mask."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    if side == "R":
        columns = shape[1] - 1 - columns
    radius = ((rows - shape[0] / 2) / (0.4 * shape[0])) ** 2 + (columns / (0.6 * shape[1])) ** 2
    mask = radius < 1
    texture = 25 * np.sin(rows / 23) * np.cos(columns / 31)
    picture = np.where(mask, 110 + texture + 40 * (1 - radius), background)
    return picture.clip(0, 255).astype(np.uint8), mask


def with_label(
    picture: Picture, top: int, left: int, height: int = 120, width: int = 90
) -> Picture:
    """The picture with a bright label block with letters."""
    labelled = picture.copy()
    labelled[top : top + height, left : left + width] = 235
    cv2.putText(labelled, "L", (left + 20, top + 90), cv2.FONT_HERSHEY_SIMPLEX, 2.5, 20, 8)
    return labelled


def with_wedge(picture: Picture, side: str, width: int = 130) -> Picture:
    """The picture with a white strip over its whole height."""
    wedged = picture.copy()
    columns = slice(0, width) if side == "L" else slice(picture.shape[1] - width, None)
    wedged[:, columns] = 242
    return wedged
