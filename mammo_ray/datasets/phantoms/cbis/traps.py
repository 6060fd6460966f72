"""The traps of CBIS-DDSM's files beyond those in its tables, and which rows of a phantom have them.

No row has a trap that pixels cannot resolve, and where the description of a file is wrong its bit
depth is right, so that a reader can see that the text contradicts itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.cbis.cases import CaseRow, text_number
from mammo_ray.errors import InputError

_UNDESCRIBED = 0.06  # share of fulls and of masks; half as many crops
_ODD_MASKS = 0.04  # share of masks of another size than their film
_STREAM_ROWS, _STREAM_FILMS = 131, 132


class Swap(StrEnum):
    """Crop and mask stand in each other's place."""

    NAMES = "swapped-names"
    """Columns and file names are wrong; the description tells what a file holds."""
    DESCRIPTION = "swapped-description"
    """Columns, file names and SeriesDescription are wrong; the bit depth is right."""
    BITS = "swapped-bits"
    """Columns, file names and the bit depth of the table are wrong; SeriesDescription is right."""


@dataclass(frozen=True)
class RowTraps:
    """The traps of one row.

    Attributes:
        swap: whether and how crop and mask are interchanged.
        undescribed_crop: the crop has an empty SeriesDescription.
        undescribed_mask: the mask has.
        mask_scale: (rows, columns) of the mask over those of the film.
    """

    swap: Swap | None = None
    undescribed_crop: bool = False
    undescribed_mask: bool = False
    mask_scale: tuple[float, float] = (1.0, 1.0)

    @property
    def mask_word(self) -> str | None:
        """The name of a mask's trap: `mask-size`, `mask-aspect` or none."""
        if self.mask_scale == (1.0, 1.0):
            return None
        return "mask-size" if self.mask_scale[0] == self.mask_scale[1] else "mask-aspect"


def plan_traps(
    rows: Sequence[CaseRow], swapped: int, swaps: Sequence[Swap], seed: int
) -> dict[str, RowTraps]:
    """The traps of every row, by its label.

    Args:
        rows: rows whose crop and mask are there.
        swapped: how many of them are swapped.
        swaps: how, one after the other.
        seed: of every draw.

    Raises:
        InputError: more are to be swapped than there are.
    """
    if not 0 <= swapped <= len(rows):
        raise InputError(f"0 to {len(rows)} rows can be swapped, not {swapped}")
    rng = np.random.default_rng([seed, _STREAM_ROWS])
    order = [rows[k].label for k in rng.permutation(len(rows))]
    swap_of = {label: swaps[k % len(swaps)] for k, label in enumerate(order[:swapped])}
    # Where a text is wrong, both texts of the pair stay: they contradict the bit depth.
    silent = [label for label in order[::-1] if swap_of.get(label) in (None, Swap.NAMES)]
    undescribed = silent[: _count(_UNDESCRIBED, len(rows))]
    odd = [order[k] for k in rng.permutation(len(rows))[: _count(_ODD_MASKS, len(rows))]]
    scales = {label: _SCALES[k % len(_SCALES)] for k, label in enumerate(odd)}
    return {
        label: RowTraps(
            swap=swap_of.get(label),
            undescribed_crop=label in undescribed[1::2],
            undescribed_mask=label in undescribed,
            mask_scale=scales.get(label, (1.0, 1.0)),
        )
        for label in order
    }


def is_undescribed_film(path: str, seed: int) -> bool:
    """Whether the full film of that path has an empty SeriesDescription."""
    rng = np.random.default_rng([seed, _STREAM_FILMS, text_number(path)])
    return bool(rng.uniform() < _UNDESCRIBED)


def scaled_mask(mask: npt.NDArray[np.bool_], scale: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """A mask of another size, by nearest neighbor."""
    if scale == (1.0, 1.0):
        return mask
    height, width = (round(n * s) for n, s in zip(mask.shape, scale, strict=True))
    small = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small > 0)


_SCALES = ((0.75, 0.75), (1.0, 1.08), (0.94, 1.0))


def _count(share: float, rows: int) -> int:
    """So many rows of a phantom have a trap: at least one of ten."""
    return max(round(share * rows), int(rows >= 10))
