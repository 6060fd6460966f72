"""The breast in a picture: a mask and a box, from a small copy.

Film carries label blocks, white wedges beside the film, bright edges and scratches; full-field
images carry a flat background and markers. The breast is the largest smooth bright region once
bright bands and thin things are gone. Where no such region is believable the whole frame is kept:
an uncropped image costs resolution, a wrong crop costs the lesion.
"""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray.preprocess.geometry import Box

Mask = NDArray[np.bool_]
Side = Literal["L", "R"]

OVERVIEW = 512  # longest side of the copy that is searched
_BAND_MEAN = 205.0  # a column of a white wedge is at least so bright
_BAND_DEVIATION = 20.0  # and at most so uneven; no breast column is both
_BAND_EDGE, _BAND_FALL = 6, 0.8  # next to it the mean falls to this share within so many pixels
_WHITE = 230  # gray level of air in an inverted picture, at least
_LABEL = 200  # gray level of a label's white, at least
_SHARE_OF_LEVEL = 0.42  # below 0.40 film fog joins the breast, above 0.45 thin skin is lost
_CONTRAST = 10  # gray levels between the breast and what is around it, at least
_SIDE_EVIDENCE = 0.15  # of at most 2; 262 of 264 films have more, all of the right sign
_CORNERS_OF_AIR = 3  # of the picture: a mask that has so many is what is around the breast
_SMALLEST_SHARE, _LARGEST_SHARE = 0.03, 0.97  # of the frame, of a believable breast


@dataclass(frozen=True)
class Breast:
    """Where the breast is.

    Attributes:
        box: around the breast with its margin, in pixels of the picture that was given.
        mask_small: (rows, columns) bool, the breast on the strided copy.
        artefacts_small: (rows, columns) bool, bright things apart from the breast: labels, wedges.
        stride: pixels of the picture a pixel of the copy.
        side: side of the picture where the chest wall is, None where it cannot be told.
        strategy: how the box was found.
    """

    box: Box
    mask_small: Mask
    artefacts_small: Mask
    stride: int
    side: Side | None
    strategy: str

    def enlarged(self, factor: int, film: Box) -> "Breast":
        """The same breast in the picture whose `film` was given at every `factor`-th pixel."""
        top, left = self.box.top * factor, self.box.left * factor
        box = Box(
            film.top + top,
            film.left + left,
            min(self.box.height * factor, film.height - top),
            min(self.box.width * factor, film.width - left),
        )
        return replace(self, box=box, stride=self.stride * factor)


def find_breast(gray8: NDArray[np.uint8], margin_fraction: float = 0.02) -> Breast:
    """The breast in a gray picture.

    Args:
        gray8: (rows, columns) uint8, 0 black; may be a strided view.
        margin_fraction: of the box's longer side, added on every side inside the picture.
    """
    stride = max(1, -(-max(gray8.shape) // OVERVIEW))
    small = np.ascontiguousarray(gray8[::stride, ::stride])
    inverted = _is_inverted(_without_frame(small))
    picture = ~small if inverted else small
    mask, artefacts = _separate(picture)
    if _is_believable(picture, mask):
        box = _with_margin(_bounds(mask), margin_fraction, stride, gray8.shape)
        strategy = "inverted-threshold" if inverted else "threshold"
        return Breast(box, mask, artefacts, stride, _chest_wall_side(picture, mask), strategy)
    nothing = np.zeros(small.shape, dtype=bool)
    whole = Box(0, 0, *gray8.shape)
    return Breast(whole, ~nothing, nothing, stride, None, "whole-frame")


def _separate(small: NDArray[np.uint8]) -> tuple[Mask, Mask]:
    """Breast mask, and mask of the bright things that are clearly apart from it."""
    bands = _bright_bands(small)
    without, dark = _over_bands(small, bands)
    blurred = cv2.GaussianBlur(without, (5, 5), 0)
    bright = (blurred > _threshold(blurred, ~bands)) & ~dark
    radius = max(1, round(0.01 * max(small.shape)))
    opened = _morph(bright, cv2.MORPH_OPEN, radius)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened.astype(np.uint8))
    if count < 2:
        return np.zeros_like(bands), np.zeros_like(bands)
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    core = labels == largest
    # Opening rounds off the nipple and the skin line: take back what touches the core.
    mask = _morph(core, cv2.MORPH_DILATE, radius + 1) & bright
    return mask, _artefacts(small, mask, bright, bands, radius)


def _artefacts(
    small: NDArray[np.uint8], mask: Mask, bright: Mask, bands: Mask, radius: int
) -> Mask:
    """White bands, and bright things that no bright pixel joins to the breast.

    When in doubt a thing stays: what lies in the breast's convex hull, what touches its
    surroundings, and what is darker than half of the breast. A label that stays is a blemish,
    tissue that goes is a missed lesion.
    """
    near = _morph(_convex_hull(mask), cv2.MORPH_DILATE, 2 * radius)
    median = float(np.median(small[mask]))
    apart = _apart(bright & ~mask, near, small > median)
    # A label can hang on a line or an edge that leads to the breast: its white alone does not.
    white = small > max(median, _LABEL)
    apart |= _apart(white & ~mask, near, white) | bands
    return _morph(apart, cv2.MORPH_DILATE, radius) & ~near


def _apart(things: Mask, near: Mask, white: Mask) -> Mask:
    """The connected things that do not reach what is near, and are white somewhere."""
    count, labels = cv2.connectedComponents(things.astype(np.uint8))
    is_apart = np.ones(count, dtype=bool)
    is_apart[0] = False
    is_apart[labels[near]] = False
    is_white = np.zeros(count, dtype=bool)
    is_white[labels[white]] = True
    return np.asarray((is_apart & is_white)[labels])


def _convex_hull(mask: Mask) -> Mask:
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    # The ends of every row have the hull of all pixels, and are far fewer.
    points = np.stack([np.r_[first, last], np.r_[rows, rows]], axis=1).astype(np.int32)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled.astype(bool)


def _threshold(blurred: NDArray[np.uint8], considered: Mask) -> float:
    """A level between background and breast.

    Otsu's level lies inside the breast where gland, muscle or an implant is far brighter than fat.
    So everything above it is taken down to it, and the level of what is left, which lies between
    background and fat, is the second. A part of the way to that lies below the skin line, where
    tissue is thin, and above the fog of a film.
    """
    values = blurred[considered]
    if values.size == 0 or values.min() == values.max():
        return 255.0
    brightest = _otsu(values)
    level = _otsu(np.minimum(values, np.uint8(brightest)))
    dark = values[values <= level]
    if dark.size == 0:  # nothing is darker than that level: there is no second one
        return brightest
    # A low percentile: in a magnified view most of what is dark is fat, not air.
    background = float(np.percentile(dark, 5))
    return background + _SHARE_OF_LEVEL * (level - background)


def _otsu(values: NDArray[np.uint8]) -> float:
    return float(cv2.threshold(values, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])


def _bright_bands(small: NDArray[np.uint8]) -> Mask:
    """White strips over the whole height or width, beside the film, that end abruptly.

    An implant in a magnified view can be as white from edge to edge, but it is round.
    """
    bands = np.zeros(small.shape, dtype=bool)
    values = small.astype(np.float32)
    for axis in (0, 1):
        profile = values.mean(axis)
        is_band = (profile >= _BAND_MEAN) & (values.std(axis) <= _BAND_DEVIATION)
        edges = np.flatnonzero(np.diff(is_band, prepend=False, append=False)).reshape(-1, 2)
        for start, end in edges:
            before, after = profile[max(0, start - _BAND_EDGE) : start], profile[end:][:_BAND_EDGE]
            if all(
                side.size == 0 or side.min() < _BAND_FALL * _BAND_MEAN for side in (before, after)
            ):
                is_abrupt = np.zeros_like(is_band)
                is_abrupt[start:end] = True
                bands |= np.expand_dims(is_abrupt, axis)
    return bands


def _over_bands(small: NDArray[np.uint8], bands: Mask) -> tuple[NDArray[np.uint8], Mask]:
    """The picture without its bands, and where it is black for them.

    A scratch or a dead line of a detector can cross the breast. So a band between two parts of the
    picture becomes the darker of what is on its sides, and one at the picture's edge black.
    """
    without = np.where(bands, 0, small).astype(np.uint8)
    dark = bands.copy()
    for axis in (0, 1):
        across, hidden = (without, dark) if axis == 0 else (without.T, dark.T)
        is_band = np.atleast_1d(bands.all(axis))
        edges = np.flatnonzero(np.diff(is_band, prepend=False, append=False)).reshape(-1, 2)
        for start, end in edges:
            if start > 0 and end < len(is_band):
                sides = np.minimum(across[:, start - 1], across[:, end])
                across[:, start:end] = sides[:, np.newaxis]
                hidden[:, start:end] = False
    return without, dark


def _without_frame(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture inside a white frame that ends abruptly, such as the bed of a scanner."""
    bands = _bright_bands(small)
    inside = small[np.ix_(~bands.all(axis=1), ~bands.all(axis=0))]
    return inside if min(inside.shape) > 1 else small


def _is_inverted(small: NDArray[np.uint8]) -> bool:
    """Whether most of the picture's rim is white, with three corners of it, as where air is white.

    A breast reaches the rim along the chest wall alone, and a wedge takes one side of four. An
    implant in a magnified view can whiten most of the rim, but not a corner on the skin's side.
    """
    rim = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    depth = max(1, round(0.03 * max(small.shape)))
    rows, columns = (slice(depth), slice(-depth, None)), (slice(depth), slice(-depth, None))
    corners = [np.median(small[row, column]) for row in rows for column in columns]
    return bool(np.median(rim) >= _WHITE and np.sum(np.array(corners) >= _WHITE) >= 3)


def _is_believable(picture: NDArray[np.uint8], mask: Mask) -> bool:
    """Whether the mask has the size of a breast, two corners at most, and darker air around it."""
    if not _SMALLEST_SHARE <= float(mask.mean()) <= _LARGEST_SHARE:
        return False
    if np.sum(mask[[0, 0, -1, -1], [0, -1, 0, -1]]) >= _CORNERS_OF_AIR:
        return False
    return bool(picture[mask].mean() > picture[~mask].mean() + _CONTRAST)


def _morph(mask: Mask, operation: int, radius: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), operation, kernel)).astype(bool)


def _bounds(mask: Mask) -> Box:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return Box(
        int(rows[0]),
        int(columns[0]),
        int(rows[-1] - rows[0] + 1),
        int(columns[-1] - columns[0] + 1),
    )


def _with_margin(box: Box, margin_fraction: float, stride: int, shape: tuple[int, ...]) -> Box:
    """The box in full-size pixels with its margin, cut at the picture's edges."""
    margin = round(margin_fraction * max(box.height, box.width) * stride)
    top = max(0, box.top * stride - margin)
    left = max(0, box.left * stride - margin)
    bottom = min(shape[0], (box.top + box.height) * stride + margin)
    right = min(shape[1], (box.left + box.width) * stride + margin)
    return Box(top, left, bottom - top, right - left)


def _chest_wall_side(picture: NDArray[np.uint8], mask: Mask) -> Side | None:
    """The side where the breast is cut off: a straight edge, and bright up to it.

    The image ends along the chest wall, while at the skin line the mask curves and tissue thins
    out. The difference of both signs decides; a breast that fills the picture shows neither.
    """
    used = mask.any(axis=1)
    rows, gray = mask[used], picture[used].astype(np.float64)
    first = rows.argmax(axis=1)
    last = mask.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    reach = max(2.0, 0.03 * (last.max() - first.min() + 1))
    straight = np.mean(first - first.min() <= reach) - np.mean(last.max() - last <= reach)
    depth = np.arange(max(2, round(0.02 * mask.shape[1])))[:, np.newaxis]
    row = np.arange(len(rows))
    at_left = gray[row, np.minimum(first + depth, last)].mean()
    at_right = gray[row, np.maximum(last - depth, first)].mean()
    evidence = float(straight + (at_left - at_right) / 255)
    if abs(evidence) < _SIDE_EVIDENCE:
        return None
    return "L" if evidence > 0 else "R"
