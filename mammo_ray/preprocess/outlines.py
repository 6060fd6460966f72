"""Circles, boxes and polygons as sets of source pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray.schema import OutlineForm

Mask = NDArray[np.uint8]  # (rows, columns): 0 background, k class k

_SHIFT = 4  # a polygon's corners are taken to 1/16 of a pixel
_FARTHEST = 2.0**24  # pixels; beyond, a corner is a mistake


class OutlineInvalid(Exception):
    """An outline that cannot be drawn; the message says why."""


@dataclass(frozen=True)
class Outline:
    """A finding drawn by hand, in source pixels with integers at pixel centers.

    Attributes:
        form: circle, box or polygon.
        points: row, column, row, column ...: the center of a circle; the top-left and the
            bottom-right corner pixel of a box, both inside it; the corners of a polygon.
        radius: of a circle, in pixels.
    """

    form: OutlineForm
    points: tuple[float, ...]
    radius: float | None = None


def fill_outline(outline: Outline, rows: int, columns: int) -> Mask:
    """The pixels of an outline, 1 inside and 0 outside.

    A pixel belongs to a circle when its center lies in it or on it; a polygon has the pixels on its
    edges, so that one of a single point is a pixel.

    Args:
        outline: in pixels of the image.
        rows: height of the image; what lies outside is cut off.
        columns: its width.

    Raises:
        OutlineInvalid: numbers are missing or impossible, or no pixel of the image is inside.
    """
    points = np.asarray(outline.points, np.float64)
    if points.size == 0 or points.size % 2 or not (np.abs(points) < _FARTHEST).all():
        raise OutlineInvalid(f"the {outline.form} has impossible points")
    mask: Mask = np.zeros((rows, columns), np.uint8)
    _FILLS[outline.form](mask, points.reshape(-1, 2), outline.radius)
    if not mask.any():
        raise OutlineInvalid(f"the {outline.form} lies outside the image of {rows} x {columns}")
    return mask


def _fill_circle(mask: Mask, points: NDArray[np.float64], radius: float | None) -> None:
    if len(points) != 1 or radius is None or not 0 <= radius < _FARTHEST:
        raise OutlineInvalid(f"a circle of {len(points)} points with radius {radius}")
    row, column = points[0]
    top, bottom = _span(row - radius, row + radius, mask.shape[0])
    left, right = _span(column - radius, column + radius, mask.shape[1])
    height = (np.arange(top, bottom) - row)[:, None]
    width = np.arange(left, right) - column
    mask[top:bottom, left:right] = height**2 + width**2 <= radius**2


def _fill_box(mask: Mask, points: NDArray[np.float64], _radius: float | None) -> None:
    if len(points) != 2 or (points[0] > points[1]).any():
        raise OutlineInvalid("a box whose corners are not top-left and bottom-right")
    (top, left), (bottom, right) = np.floor(points + 0.5).astype(int)
    rows = slice(*_span(top, bottom, mask.shape[0]))
    mask[rows, slice(*_span(left, right, mask.shape[1]))] = 1


def _fill_polygon(mask: Mask, points: NDArray[np.float64], _radius: float | None) -> None:
    corners = np.rint(points[:, ::-1] * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1, cv2.LINE_8, _SHIFT)


def _span(first: float, last: float, length: int) -> tuple[int, int]:
    """The whole numbers from `first` to `last` that are pixels, as start and stop."""
    start = min(max(0, math.ceil(first)), length)
    return start, max(start, min(length, math.floor(last) + 1))


_FILLS: dict[OutlineForm, Callable[[Mask, NDArray[np.float64], float | None], None]] = {
    OutlineForm.CIRCLE: _fill_circle,
    OutlineForm.BOX: _fill_box,
    OutlineForm.POLYGON: _fill_polygon,
}
