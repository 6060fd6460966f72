"""Where a prepared pixel lies in its source image, and the steps that move pixels."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Gray = NDArray[np.unsignedinteger[Any]]  # (rows, columns) uint8 or uint16
Scalar = TypeVar("Scalar", bound=np.generic)


class Box(NamedTuple):
    """A rectangle of whole pixels."""

    top: int
    left: int
    height: int
    width: int


class Placement(NamedTuple):
    """How a crop fits into the prepared frame: its size there and the padding before it."""

    height: int
    width: int
    pad_top: int
    pad_left: int


@dataclass(frozen=True)
class Geometry:
    """The way from source pixels to prepared pixels; columns of `schema.GEOMETRY_COLUMNS`.

    The source is cropped, scaled, mirrored where `flipped`, and padded, in this order. A point is
    (row, column) with integers at pixel centers.

    Attributes:
        source_rows, source_columns: size of the stored image.
        crop_top, crop_left, crop_height, crop_width: what was kept, in source pixels.
        flipped: mirrored left to right.
        scale_y, scale_x: prepared pixels a source pixel.
        pad_top, pad_left: black pixels before the image.
    """

    source_rows: int
    source_columns: int
    crop_top: int
    crop_left: int
    crop_height: int
    crop_width: int
    flipped: bool
    scale_y: float
    scale_x: float
    pad_top: int
    pad_left: int

    @property
    def box(self) -> Box:
        """What was kept, in source pixels."""
        return Box(self.crop_top, self.crop_left, self.crop_height, self.crop_width)

    @property
    def placement(self) -> Placement:
        """How the crop fits into the prepared frame."""
        height = round(self.crop_height * self.scale_y)
        width = round(self.crop_width * self.scale_x)
        return Placement(height, width, self.pad_top, self.pad_left)

    def to_prepared(self, points: Points) -> Points:
        """Source points (N, 2) in the prepared image."""
        rows = (points[:, 0] + 0.5 - self.crop_top) * self.scale_y
        columns = (points[:, 1] + 0.5 - self.crop_left) * self.scale_x
        if self.flipped:
            columns = self.crop_width * self.scale_x - columns
        return np.stack([rows + self.pad_top - 0.5, columns + self.pad_left - 0.5], axis=1)

    def to_source(self, points: Points) -> Points:
        """Prepared points (N, 2) in the source image."""
        rows = points[:, 0] + 0.5 - self.pad_top
        columns = points[:, 1] + 0.5 - self.pad_left
        if self.flipped:
            columns = self.crop_width * self.scale_x - columns
        return np.stack(
            [
                rows / self.scale_y + self.crop_top - 0.5,
                columns / self.scale_x + self.crop_left - 0.5,
            ],
            axis=1,
        )


def place(box: Box, height: int, width: int, resize: Literal["pad", "stretch"]) -> Placement:
    """Size and place of a crop in a frame of `height` x `width`.

    `pad` keeps the aspect ratio, with the crop at the left edge (where the chest wall is) and in
    the middle of the height; `stretch` fills the frame.
    """
    if resize == "stretch":
        return Placement(height, width, 0, 0)
    scale = min(height / box.height, width / box.width)
    placed_height = min(height, max(1, round(box.height * scale)))
    placed_width = min(width, max(1, round(box.width * scale)))
    return Placement(placed_height, placed_width, (height - placed_height) // 2, 0)


def crop(image: NDArray[Scalar], box: Box) -> NDArray[Scalar]:
    """A view of the box."""
    return image[box.top : box.top + box.height, box.left : box.left + box.width]


def resize(image: Gray, placement: Placement) -> Gray:
    """The image at its placed size: area averages when it shrinks, else linear."""
    shrinks = placement.height <= image.shape[0] and placement.width <= image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: Gray = np.asarray(
        cv2.resize(image, (placement.width, placement.height), interpolation=method)
    )
    return resized


def resize_nearest(mask: NDArray[np.uint8], placement: Placement) -> NDArray[np.uint8]:
    """A mask at its placed size: every pixel takes the class under its center."""
    size = (placement.width, placement.height)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT))


def flip(image: Gray) -> Gray:
    """The image mirrored left to right."""
    return np.ascontiguousarray(image[:, ::-1])


def pad(image: Gray, placement: Placement, height: int, width: int) -> Gray:
    """The image on a black frame of `height` x `width`."""
    if image.shape == (height, width):
        return image
    frame: Gray = np.zeros((height, width), image.dtype)
    top, left = placement.pad_top, placement.pad_left
    frame[top : top + image.shape[0], left : left + image.shape[1]] = image
    return frame
