"""Random changes that leave a mammogram a mammogram.

Images come with the chest wall on the left, so nothing is ever mirrored left to right.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.config import AugmentConfig


def augment(
    pixels: npt.NDArray[Any], config: AugmentConfig, random: np.random.Generator
) -> npt.NDArray[Any]:
    """A changed copy of an image; the image itself where augmentation is switched off.

    Args:
        pixels: (H, W), uint8 or uint16; 0 is air.
        config: how far each change may go.
        random: the only source of chance.

    Returns:
        (H, W), of the same type.
    """
    if not config.enabled:
        return pixels
    if config.vertical_flip and random.random() < 0.5:
        pixels = pixels[::-1]
    moved = _move(pixels, config, random)
    return _gain(moved, config.contrast_fraction, random)


def _move(
    pixels: npt.NDArray[Any], config: AugmentConfig, random: np.random.Generator
) -> npt.NDArray[Any]:
    """Rotate and zoom about the centre, then shift.

    The border is repeated outwards: black stays black, and the breast that touches the chest wall
    goes on beyond it.
    """
    height, width = pixels.shape
    angle = random.uniform(-config.rotation_degrees, config.rotation_degrees)
    zoom = 1 + random.uniform(-config.zoom_fraction, config.zoom_fraction)
    shift = random.uniform(-config.shift_fraction, config.shift_fraction, size=2)
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, angle, zoom)
    matrix[:, 2] += shift * (width, height)
    moved: npt.NDArray[Any] = cv2.warpAffine(
        np.ascontiguousarray(pixels),
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return moved


def _gain(
    pixels: npt.NDArray[Any], fraction: float, random: np.random.Generator
) -> npt.NDArray[Any]:
    """Multiply all gray levels by one factor; air stays 0, the top is cut at the nominal range."""
    factor = 1 + random.uniform(-fraction, fraction)
    top = np.iinfo(pixels.dtype).max
    scaled = np.rint(np.arange(top + 1) * factor).clip(0, top).astype(pixels.dtype)
    changed: npt.NDArray[Any] = cv2.LUT(pixels, scaled)
    return changed
