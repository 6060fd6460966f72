"""Drawings of a breast with several findings, one circle for each."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.images import Breast, Circle, Drawing, Lesion, draw_view

_CLEAR = 1.5  # reach of a finding, in radii
_SMALLEST = 3  # pixels; a finding with less room is not drawn


def draw_findings(
    breast: Breast,
    lesions: Sequence[Lesion],
    view: str,
    shape: tuple[int, int],
    seeds: Sequence[int],
) -> tuple[Drawing, list[tuple[Lesion, Circle]]]:
    """One view with the chest wall on the left, and the findings in it.

    Args:
        breast: what to draw; its own lesion is not.
        lesions: findings; one after the first is left out where it has no room of its own.
        view: a view position.
        shape: (rows, columns).
        seeds: of the generator that draws the tissue.

    Returns:
        The drawing, with the first circle, and every finding drawn with its circle.
    """
    first = lesions[0] if lesions else None
    drawing = _draw(breast, first, view, shape, seeds)
    found = [(first, drawing.circle)] if first and drawing.circle else []
    for lesion in lesions[1:]:
        other = _draw(breast, lesion, view, shape, seeds)
        if other.circle and _has_room(other.circle, [circle for _, circle in found]):
            display = _put_in(drawing, other, [circle for _, circle in found])
            drawing = replace(drawing, display=display)
            found.append((lesion, other.circle))
    return drawing, found


def second_lesion(lesion: Lesion, severity: str) -> Lesion:
    """A smaller finding of the same kind, across the gland from the first."""
    height = lesion.height - 1.1 if lesion.height > 0 else lesion.height + 1.1
    return replace(lesion, severity=severity, height=height, radius=0.8 * lesion.radius)


def _draw(
    breast: Breast, lesion: Lesion | None, view: str, shape: tuple[int, int], seeds: Sequence[int]
) -> Drawing:
    """The breast with one finding; the same seeds give the same tissue around it."""
    rng = np.random.default_rng(list(seeds))
    return draw_view(replace(breast, lesion=lesion), view, shape, rng)


def _has_room(circle: Circle, others: list[Circle]) -> bool:
    gaps = [
        np.hypot(circle.row - other.row, circle.column - other.column)
        - circle.radius
        - other.radius
        for other in others
    ]
    return circle.radius >= _SMALLEST and all(gap > 0 for gap in gaps)


def _put_in(drawing: Drawing, other: Drawing, kept: list[Circle]) -> npt.NDArray[np.float32]:
    """Display of a drawing with the finding of another one of the same tissue."""
    cover = np.zeros(drawing.display.shape, np.float32)
    if other.circle:
        _fill(cover, other.circle, 1.0)
    cover = cv2.GaussianBlur(cover, (0, 0), 2)
    for circle in kept:
        _fill(cover, circle, 0.0)
    return np.asarray(drawing.display * (1 - cover) + other.display * cover, np.float32)


def _fill(cover: npt.NDArray[np.float32], circle: Circle, value: float) -> None:
    center = (circle.column, circle.row)
    cv2.circle(cover, center, round(_CLEAR * circle.radius), value, cv2.FILLED)
