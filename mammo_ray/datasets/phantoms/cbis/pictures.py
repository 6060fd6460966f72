"""Pictures of a CBIS-DDSM phantom: a film with all its lesions, and mask and crop of each.

A lesion is drawn inside its mask, so that the mask says exactly where it is; the crop is the
film's own pixels in the box around the mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.cbis.cases import CaseRow, FilmKey, text_number
from mammo_ray.datasets.phantoms.images import Breast, Drawing, draw_view, mirror
from mammo_ray.datasets.phantoms.labels import add_film_marks, add_label
from mammo_ray.datasets.phantoms.texture import Image

Mask = npt.NDArray[np.bool_]

_HEIGHTS = (360, 470)  # pixels
_ASPECTS = (0.58, 0.80)  # columns over rows
_RADII = (0.035, 0.065)  # of a lesion, share of the rows
_SMALLEST_RADIUS = 6.0  # pixels
_CLEARANCE = 1.5  # distance of a lesion's center from any border, in radii
_STREAM_BREAST, _STREAM_FILM = 121, 122


@dataclass(frozen=True)
class Place:
    """Where a lesion lies in an image, pixels from the top-left corner; the box is inclusive."""

    row: float
    column: float
    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class LesionPicture:
    """One lesion: its mask (rows, columns) of the film, and its crop, 16 bits."""

    mask: Mask
    crop: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class FilmPicture:
    """A film, (rows, columns) of 16 bits, and its lesions in the order they were asked for."""

    full: npt.NDArray[np.uint16]
    lesions: tuple[LesionPicture, ...]


def draw_film(film: FilmKey, rows: Sequence[CaseRow], seed: int) -> FilmPicture:
    """The film of that patient, side and view with a lesion for every row.

    The chest wall of a left breast is on the left, that of a right one on the right.
    """
    patient_id, laterality, view = film
    rng = np.random.default_rng([seed, _STREAM_FILM, text_number("/".join(film))])
    height = int(rng.integers(*_HEIGHTS))
    shape = (height, round(height * rng.uniform(*_ASPECTS)))
    density = max((row.density for row in rows), default=0) or int(rng.integers(1, 5))
    breast = _breast(f"{patient_id}/{laterality}", density, seed)
    drawing = draw_view(breast, view, shape, rng)
    display, masks = _add_lesions(drawing, rows, rng)
    drawing = Drawing(display, drawing.breast, drawing.muscle, None)
    drawing = add_film_marks(drawing, rng)
    if laterality == "R":
        drawing = mirror(drawing)
        masks = [np.ascontiguousarray(mask[:, ::-1]) for mask in masks]
    drawing = add_label(drawing, f"{laterality} {view}", film=True)
    full = np.round(drawing.display.clip(0, 1) * 65535).astype(np.uint16)
    return FilmPicture(full, tuple(LesionPicture(mask, _cut(full, mask)) for mask in masks))


def place_of(mask: Mask) -> Place:
    """Centroid and box of a mask that is not empty."""
    rows, columns = np.nonzero(mask)
    return Place(
        row=round(float(rows.mean()), 2),
        column=round(float(columns.mean()), 2),
        top=int(rows.min()),
        left=int(columns.min()),
        bottom=int(rows.max()),
        right=int(columns.max()),
    )


def _breast(name: str, density: int, seed: int) -> Breast:
    """The breast that all films of that patient and side show."""
    rng = np.random.default_rng([seed, _STREAM_BREAST, text_number(name)])
    return Breast(
        depth=rng.uniform(0.62, 0.88),
        half_height=rng.uniform(0.30, 0.42),
        density=density - 1,
        brightness=rng.uniform(0.85, 1.15),
        muscle=rng.uniform(0.36, 0.50),
    )


def _cut(full: npt.NDArray[np.uint16], mask: Mask) -> npt.NDArray[np.uint16]:
    place = place_of(mask)
    return full[place.top : place.bottom + 1, place.left : place.right + 1].copy()


def _add_lesions(
    drawing: Drawing, rows: Sequence[CaseRow], rng: np.random.Generator
) -> tuple[Image, list[Mask]]:
    """The display with all lesions, and their masks."""
    free = drawing.breast & ~drawing.muscle
    free[:, 0] = free[0] = free[-1] = False
    display, masks = drawing.display, []
    for row in rows:
        mask = _lesion_mask(free, row, len(rows), rng)
        added = _calcifications(mask, rng) if row.calcification else _mass(mask, rng)
        # Saturates towards white instead of passing it.
        display = display + added * np.clip(1.05 - display, 0, 1)
        masks.append(mask)
        apart = free & ~(cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)
        free = apart if apart.any() else free
    return np.asarray(display, np.float32), masks


def _lesion_mask(free: Mask, row: CaseRow, count: int, rng: np.random.Generator) -> Mask:
    """A lobed outline in free tissue; irregular where the lesion is malignant."""
    room = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, 5) / _CLEARANCE
    radius = float(rng.uniform(*_RADII)) * free.shape[0] / count**0.25
    radius = max(min(radius, float(room.max())), _SMALLEST_RADIUS)
    y, x = np.nonzero(room >= min(radius, float(room.max())))
    k = int(rng.integers(len(y)))
    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    depth = 0.09 if row.malignant else 0.04
    edge = 1 + sum(
        rng.normal(0, depth) * np.cos(n * around + rng.uniform(0, 2 * np.pi)) for n in range(2, 7)
    )
    long, turn = rng.uniform(1.0, 1.35), rng.uniform(0, np.pi)
    across, along = radius * edge * np.cos(around) / long, radius * edge * np.sin(around) * long
    columns = x[k] + across * np.cos(turn) - along * np.sin(turn)
    rows = y[k] + across * np.sin(turn) + along * np.cos(turn)
    points = np.round(np.stack([columns, rows], axis=1)).astype(np.int32)
    filled = np.zeros(free.shape, np.uint8)
    cv2.fillPoly(filled, [points], 1)
    return np.asarray(filled > 0)


def _mass(mask: Mask, rng: np.random.Generator) -> Image:
    """A dense body that falls off towards its edge."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    body = 1 - np.exp(-inside / (0.30 * inside.max()))
    return np.asarray(float(rng.uniform(0.42, 0.60)) * body, np.float32)


def _calcifications(mask: Mask, rng: np.random.Generator) -> Image:
    """Bright specks anywhere in the mask, in a faint haze."""
    y, x = np.nonzero(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)))
    specks = np.zeros(mask.shape, np.float32)
    for _ in range(int(np.clip(len(y) / 30, 8, 40))):
        k = int(rng.integers(len(y)))
        specks[y[k], x[k]] = rng.uniform(0.75, 1.0)
    soft = cv2.GaussianBlur(specks, (0, 0), 0.7)
    soft *= np.float32(0.9) / np.float32(max(float(soft.max()), 1e-6))
    haze = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.0) * np.float32(0.08)
    return np.asarray(np.where(mask, np.maximum(soft, haze), 0), np.float32)
