"""Synthetic mammograms: arrays of display values, drawn from a woman's anatomy.

Everything is drawn with the chest wall on the left; `mirror` makes the other side. Sizes are
shares of the image, so that one woman looks alike on detectors of any size.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from mammo_ray.datasets.phantoms.texture import Image, ducts, noise, ridges

Mask = npt.NDArray[np.bool_]

OBLIQUE_VIEWS = frozenset({"MLO", "LMO", "ML", "LM", "AT"})
_CLEARANCE = 1.25  # distance of a lesion's center from any border, in radii
_DENSITY_LEVELS = (-1.15, -0.45, 0.25, 0.95)  # shift of the glandular field, classes a to d

# Outline of an oblique view: (share of the rows, share of the breast's depth), armpit to belly.
_OBLIQUE_OUTLINE = (
    (-0.02, 0.60), (0.08, 0.615), (0.22, 0.71), (0.38, 0.90), (0.52, 0.995), (0.58, 1.0),
    (0.65, 0.985), (0.76, 0.85), (0.86, 0.57), (0.925, 0.34), (0.965, 0.255), (1.02, 0.25),
)  # fmt: skip


@dataclass(frozen=True)
class Lesion:
    """A finding in one breast, placed alike in all of its views.

    Attributes:
        abnormality: SPIC (spiculated mass), CIRC (circumscribed mass), CALC (calcifications).
        severity: M or B.
        depth: place between chest wall (0) and skin (1).
        height: place between top (-1) and bottom (1) of the gland.
        radius: share of the breast's depth.
    """

    abnormality: str
    severity: str
    depth: float
    height: float
    radius: float


@dataclass(frozen=True)
class Breast:
    """One breast.

    Attributes:
        depth: chest wall to nipple, share of the columns.
        half_height: half the extent along the chest wall, share of the rows.
        density: 0 to 3, for the classes a (fatty) to d (extremely dense).
        brightness: level of the fat, about 1.
        muscle: width of the pectoral muscle at the top, share of the breast's depth.
        implant: whether there is one.
        lesion: its finding.
    """

    depth: float
    half_height: float
    density: int
    brightness: float
    muscle: float
    implant: bool = False
    lesion: Lesion | None = None


@dataclass(frozen=True)
class Circle:
    """A circle around a lesion, pixels from the top-left corner."""

    column: int
    row: int
    radius: int


@dataclass(frozen=True)
class Drawing:
    """A drawn view.

    Attributes:
        display: what a viewer shows, (rows, columns), 0 (black) to 1.
        breast: where the breast is, pectoral muscle included.
        muscle: where the pectoral muscle is; empty outside oblique views.
        circle: around the lesion, if there is one.
    """

    display: Image
    breast: Mask
    muscle: Mask
    circle: Circle | None


def draw_view(
    breast: Breast, view: str, shape: tuple[int, int], rng: np.random.Generator
) -> Drawing:
    """One view with the chest wall on the left, without label or border.

    Args:
        breast: what to draw.
        view: a view position; oblique and lateral ones show the pectoral muscle.
        shape: (rows, columns).
        rng: source of randomness for this image.
    """
    oblique = view in OBLIQUE_VIEWS
    outline, nipple_row = _outline(breast, shape, rng, oblique=oblique)
    inside = np.arange(shape[1]) < outline[:, None]
    from_skin = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    muscle = _muscle(breast, view, shape) if oblique else np.zeros(shape, np.float32)
    nipple = (float(outline[nipple_row]), float(nipple_row))
    tissue = _add_muscle(_tissue(breast, from_skin, nipple, rng), muscle, rng)
    taken = muscle
    if breast.implant:
        implant = _implant(outline, nipple_row, shape)
        tissue = tissue * (1 - implant) + 0.88 * implant
        taken = np.maximum(muscle, implant)
    circle = None
    if breast.lesion is not None:
        circle = _place(breast.lesion, nipple, from_skin, taken)
        tissue = _add_lesion(tissue, breast.lesion, circle, rng)
    display = _expose(tissue, inside, from_skin, rng)
    return Drawing(display, inside, (muscle > 0.5) & inside, circle)


def mirror(drawing: Drawing) -> Drawing:
    """The drawing with the chest wall on the other side."""
    columns = drawing.display.shape[1]
    circle = drawing.circle
    return Drawing(
        np.ascontiguousarray(drawing.display[:, ::-1]),
        np.ascontiguousarray(drawing.breast[:, ::-1]),
        np.ascontiguousarray(drawing.muscle[:, ::-1]),
        circle and replace(circle, column=columns - 1 - circle.column),
    )


def _outline(
    breast: Breast, shape: tuple[int, int], rng: np.random.Generator, *, oblique: bool
) -> tuple[npt.NDArray[np.float64], int]:
    """Column of the skin in every row, and the row of the nipple."""
    rows, columns = shape
    row = np.arange(rows)
    depth = breast.depth * columns
    wave = cv2.GaussianBlur(rng.standard_normal((rows, 1)), (1, 0), sigmaX=1, sigmaY=rows / 14)
    wave = wave[:, 0] / (np.abs(wave).max() + 1e-9) * 0.012 * columns
    if oblique:
        points = np.array(_OBLIQUE_OUTLINE)
        # A small breast ends higher up.
        stretch = 0.86 + 0.35 * (breast.half_height - 0.30)
        at = np.where(points[:, 0] > 0.2, 0.2 + (points[:, 0] - 0.2) * stretch, points[:, 0])
        at[-1] = 1.02
        outline = PchipInterpolator(at, points[:, 1])(row / rows) * depth
        nipple_row = round((0.2 + 0.37 * stretch) * rows)
    else:
        nipple_row = round((0.5 + rng.uniform(-0.03, 0.03)) * rows)
        t = np.abs(row - nipple_row) / (breast.half_height * rows)
        outline = depth * np.clip(1 - t**2.3, 0, None) ** 0.56
    outline = np.where(outline > 0, np.maximum(outline + wave, 0), 0)
    bump = np.exp(-(((row - nipple_row) / (0.013 * rows)) ** 4)) * 0.016 * rows
    return np.minimum(outline + bump, columns - 8), nipple_row


def _muscle(breast: Breast, view: str, shape: tuple[int, int]) -> Image:
    """Softly bounded triangle in the upper chest-wall corner, 0 to 1."""
    rows, columns = shape
    # True laterals show a sliver only.
    width = breast.depth * columns * (breast.muscle if view not in {"ML", "LM"} else 0.25)
    height = rows * (0.42 + 0.6 * breast.half_height)
    t = np.clip(1 - np.arange(rows) / height, 0, None)
    edge = width * (0.72 * t + 0.28 * np.sqrt(t))
    distance = (edge[:, None] - np.arange(columns)) / (0.006 * columns)
    soft = 1 / (1 + np.exp(-np.clip(distance, -30, 30)))
    return np.where((edge > 0)[:, None], soft, 0).astype(np.float32)


def _tissue(
    breast: Breast, from_skin: Image, nipple: tuple[float, float], rng: np.random.Generator
) -> Image:
    """Attenuation of fat, gland and septa, about 0 to 1."""
    rows, columns = from_skin.shape
    shape = (rows, columns)
    depth = breast.depth * columns
    # Deep under the skin, and behind the nipple more than anywhere else.
    place = np.clip((from_skin - 0.05 * depth) / (0.20 * depth), 0, 1)
    y = (np.arange(rows, dtype=np.float32)[:, None] - nipple[1]) / (
        breast.half_height * rows * 0.62
    )
    x = (nipple[0] * 0.60 - np.arange(columns, dtype=np.float32)) / (0.55 * depth)
    central = np.exp(-(x**2 + y**2))
    place *= np.clip((1.5 - y) * 2.5, 0, 1)  # none in the fold below the breast
    field = 0.62 * noise(shape, rows / 7, 6, rng) + 0.55 * ducts(shape, nipple, rng)
    level = field + _DENSITY_LEVELS[breast.density] + 2.1 * central - 1.15
    gland = place / (1 + np.exp(-2.3 * level))
    gland *= 1 + 0.13 * noise(shape, rows / 30, 5, rng)
    broken = np.clip(0.4 + 0.6 * noise(shape, rows / 10, 2, rng), 0, 1.3)
    septa = ridges(shape, rows / 7, rng) * broken * np.clip(from_skin / (0.06 * depth), 0, 1)
    fat = 0.25 * breast.brightness * (1 + 0.09 * noise(shape, rows / 12, 6, rng))
    return np.asarray(fat + 0.38 * gland + 0.06 * septa, np.float32)


def _add_muscle(tissue: Image, muscle: Image, rng: np.random.Generator) -> Image:
    if not muscle.any():
        return tissue
    rows, columns = tissue.shape
    fibres = cv2.resize(noise((rows, columns // 6), rows / 8, 4, rng), (columns, rows))
    fall = np.linspace(0.60, 0.47, rows, dtype=np.float32)[:, None]
    return np.asarray(tissue * (1 - 0.8 * muscle) + muscle * (fall + 0.022 * fibres), np.float32)


def _implant(outline: npt.NDArray[np.float64], nipple_row: int, shape: tuple[int, int]) -> Image:
    """A smooth, sharply bounded body on the chest wall, 0 to 1."""
    rows, columns = shape
    y = (np.arange(rows)[:, None] - nipple_row) / (0.23 * rows)
    x = np.arange(columns) / (0.52 * float(outline[nipple_row]))
    body = 1 / (1 + np.exp(np.clip((x**2 + y**2 - 1) * 30, -40, 40)))
    return np.asarray(body, np.float32)


def _place(lesion: Lesion, nipple: tuple[float, float], from_skin: Image, taken: Image) -> Circle:
    """The lesion's circle in this view: in the gland, clear of skin, muscle and implant.

    It shrinks where a thin rim of tissue has no room for it.
    """
    rows = from_skin.shape[0]
    gland = ((from_skin > 0) & (taken < 0.05)).astype(np.uint8)
    gland[:, 0] = 0  # the chest wall bounds it too
    room = cv2.distanceTransform(gland, cv2.DIST_L2, 5) / _CLEARANCE
    radius = int(min(round(lesion.radius * nipple[0]), room.max()))
    y, x = np.nonzero(room >= radius)
    wanted = (lesion.depth * nipple[0], nipple[1] + lesion.height * 0.22 * rows)
    nearest = int(np.argmin((y - wanted[1]) ** 2 + (x - wanted[0]) ** 2))
    return Circle(int(x[nearest]), int(y[nearest]), radius)


def _add_lesion(tissue: Image, lesion: Lesion, circle: Circle, rng: np.random.Generator) -> Image:
    """Tissue with the lesion; it attenuates on top of what lies there."""
    reach = 2 * circle.radius
    padded = cv2.copyMakeBorder(tissue, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    patch = padded[
        circle.row : circle.row + 2 * reach + 1, circle.column : circle.column + 2 * reach + 1
    ]
    offset = np.arange(-reach, reach + 1, dtype=np.float32) / np.float32(circle.radius)
    if lesion.abnormality == "CALC":
        added = _calcifications(offset, circle.radius, rng)
    else:
        added = _mass(offset, rng, spiculated=lesion.abnormality == "SPIC")
    strength = 1.0 if lesion.severity == "M" else 0.55
    # Saturates towards white instead of passing it.
    patch += strength * added * np.clip(1.12 - patch, 0, 1)
    return np.asarray(padded[reach:-reach, reach:-reach], np.float32)


def _mass(offset: Image, rng: np.random.Generator, *, spiculated: bool) -> Image:
    """Attenuation of a mass over offsets in radii: a core, and spicules that run out of it."""
    x, y = np.meshgrid(offset, offset)
    radius, angle = cv2.cartToPolar(x, y)
    around = np.linspace(0, 2 * np.pi, 361, dtype=np.float32)
    lobes = sum(
        rng.normal(0, 0.05) * np.cos(k * around + rng.uniform(0, 2 * np.pi)) for k in range(2, 6)
    )
    size = 0.70 if spiculated else 0.88
    edge = np.interp(angle, around, size * (1 + lobes)).astype(np.float32)
    sharpness = 5.0 if spiculated else 14.0
    core = 1 / (1 + np.exp(np.clip(sharpness * (radius - edge), -30, 30)))
    if not spiculated:
        return np.asarray(0.42 * core, np.float32)
    spicules = np.zeros_like(radius)
    for _ in range(int(rng.integers(14, 22))):
        towards, length = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 1.75)
        bend = rng.normal(0, 0.15)
        turned = np.angle(np.exp(1j * (angle - towards - bend * radius))).astype(np.float32)
        across = turned * radius / np.float32(0.045)
        fade = np.clip(1 - radius / length, 0, 1)
        spicules = np.maximum(spicules, np.exp(-(across**2)) * fade * (np.abs(turned) < 1))
    return np.asarray(0.85 * np.maximum(core, 0.75 * spicules), np.float32)


def _calcifications(offset: Image, radius: int, rng: np.random.Generator) -> Image:
    """Attenuation of a cluster of bright specks in a hazy density."""
    x, y = np.meshgrid(offset, offset)
    added = 0.45 * np.exp(-((x**2 + y**2) ** 2))
    for _ in range(int(rng.integers(20, 34))):
        distance, towards = 0.85 * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        size = rng.uniform(1.8, 3.4) / radius
        away = (x - distance * np.cos(towards)) ** 2 + (y - distance * np.sin(towards)) ** 2
        added = np.maximum(added, rng.uniform(0.8, 1.0) * np.exp(-away / size**2))
    return np.asarray(added, np.float32)


def _expose(tissue: Image, inside: Mask, from_skin: Image, rng: np.random.Generator) -> Image:
    """Display values: thinner at the edge, with a skin line, scatter outside and detector noise."""
    shape = (tissue.shape[0], tissue.shape[1])
    thin = 0.055 * shape[1]
    thickness = 0.30 + 0.70 * (1 - np.exp(-from_skin / thin))
    skin = 0.10 * np.exp(-(((from_skin - 3) / 2.0) ** 2))
    display = np.where(inside, tissue * thickness + skin, 0).astype(np.float32)
    display = cv2.GaussianBlur(display, (0, 0), 0.8)
    grain = rng.standard_normal(shape, dtype=np.float32)
    display += grain * (0.004 + 0.012 * np.sqrt(np.clip(display, 0, 1)))
    return np.asarray(np.clip(display, 0, 1), np.float32)
