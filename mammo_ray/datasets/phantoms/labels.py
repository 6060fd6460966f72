"""What lies on a mammogram beside the breast: view labels, and the marks of a digitised film."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.images import Drawing
from mammo_ray.datasets.phantoms.texture import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def add_label(drawing: Drawing, text: str, *, film: bool) -> Drawing:
    """The drawing with a view label in the upper corner away from the chest wall.

    Args:
        drawing: as it will be stored, either chest wall.
        text: what the label says, such as `R CC`.
        film: black letters on a white block, as on film; else white letters.
    """
    rows, columns = drawing.display.shape
    display = drawing.display.copy()
    scale = rows / 1024
    thickness = max(round(2 * scale), 1)
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.9 * scale, thickness)
    margin = round(34 * scale)
    chest_wall_left = drawing.breast[:, 0].sum() > drawing.breast[:, -1].sum()
    left = columns - margin - width if chest_wall_left else margin
    if film:
        pad = round(14 * scale)
        corner = (left - pad, margin - pad)
        opposite = (left + width + pad, margin + height + pad)
        cv2.rectangle(display, corner, opposite, 0.93, cv2.FILLED)
    ink = 0.1 if film else 0.95
    origin = (left, margin + height)
    letters = np.zeros((rows, columns), np.uint8)
    cv2.putText(letters, text, origin, _FONT, 0.9 * scale, 255, thickness, cv2.LINE_AA)
    return replace(drawing, display=_blend(display, letters, ink))


def add_film_marks(drawing: Drawing, rng: np.random.Generator) -> Drawing:
    """The drawing as a digitiser sees a film: grey base, bright edges, a scratch, dust."""
    rows, columns = drawing.display.shape
    display = 0.05 + 0.93 * drawing.display
    edge = int(rng.integers(4, 9))
    display[:edge] = display[-edge:] = 0.85
    display[:, -edge:] = 0.85
    start = rng.uniform(0, 1, 2) * (columns, rows)
    towards = start + rng.normal(0, 0.12, 2) * rows
    points = [tuple(int(value) for value in point) for point in (start, towards)]
    marks = np.zeros((rows, columns), np.uint8)
    cv2.line(marks, points[0], points[1], 200, 1, cv2.LINE_AA)
    for _ in range(int(rng.integers(8, 20))):
        spot = (int(rng.integers(columns)), int(rng.integers(rows)))
        cv2.circle(marks, spot, 1, 255, cv2.FILLED)
    return replace(drawing, display=_blend(display, marks, 0.7))


def _blend(display: Image, coverage: npt.NDArray[np.uint8], level: float) -> Image:
    """The picture under marks of one gray level; OpenCV draws smooth ones on 8 bits only."""
    share = coverage.astype(np.float32) / np.float32(255)
    return np.asarray(display * (1 - share) + level * share, np.float32)
