"""One table from stored values to gray levels: modality, then one VOI, then one inversion.

The order is that of PS3.3 C.11 and N.2: Modality LUT or rescale; one VOI LUT or one window, which
are alternatives (C.11.2.1.2.1); the presentation shape. Gray levels scale by nominal bits, never by
an image's own minimum and maximum, and 0 is black.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.grayscale_facts import GrayscaleFacts, LookupTable, Window, invalid

Gray = NDArray[np.unsignedinteger[Any]]  # uint8 or uint16
_Values = NDArray[np.float64]


@dataclass(frozen=True)
class GrayTable:
    """Gray level of every stored value.

    Attributes:
        table: (2**bits_allocated,) uint8 or uint16, indexed by the stored value's bits taken as
            an unsigned number, so that signed values need no offset.
        description: which modality, VOI and inversion were used.
    """

    table: Gray
    description: str


def gray_table(facts: GrayscaleFacts, config: DecodeConfig, bits: int) -> GrayTable:
    """The table of one image.

    Args:
        facts: from the header.
        config: which VOI to take, and who is right about the inversion.
        bits: 8 or 16, of a gray level.

    Raises:
        ImageRejected: the header's transformations cannot be computed.
    """
    stored = _every_stored_value(facts)
    values, low, high, modality = _apply_modality(stored, facts)
    gray, voi = _apply_voi(values, low, high, facts, config)
    inverted, inversion = _inversion(facts, config)
    if inverted:
        gray = 1.0 - gray
    if not np.isfinite(gray).all():
        raise invalid(f"gray levels are not finite under {modality}; {voi}")
    top = (1 << bits) - 1
    table: Gray = np.rint(gray * top).astype(np.uint8 if bits == 8 else np.uint16)
    steps = [modality, voi, inversion]
    if facts.padding is not None:
        lowest, highest = facts.padding
        table[(stored >= lowest) & (stored <= highest)] = 0
        steps.append(f"padding {lowest} to {highest} black")
    return GrayTable(table, "; ".join(step for step in steps if step))


def apply_table(stored: NDArray[np.integer], table: GrayTable) -> Gray:
    """Gray levels of stored values.

    Args:
        stored: (rows, columns), 8 or 16 bits, signed or not; may be a view.
        table: for exactly this many bits.

    Returns:
        (rows, columns) uint8 or uint16.
    """
    unsigned = stored.view(f"u{stored.itemsize}")
    if unsigned.strides[-1] != unsigned.itemsize:
        unsigned = np.ascontiguousarray(unsigned)
    gray: Gray = np.asarray(cv2.LUT(unsigned, table.table))
    return gray


def _every_stored_value(facts: GrayscaleFacts) -> NDArray[np.int64]:
    """Stored value of every bit pattern, in the order of the patterns as unsigned numbers."""
    patterns = np.arange(1 << facts.bits_allocated, dtype=np.int64)
    if facts.signed:
        half = 1 << (facts.bits_allocated - 1)
        return np.where(patterns >= half, patterns - 2 * half, patterns)
    return patterns


def _nominal_range(facts: GrayscaleFacts) -> tuple[int, int]:
    """Lowest and highest stored value of the nominal bits."""
    if facts.signed:
        half = 1 << (facts.bits_stored - 1)
        return -half, half - 1
    return 0, (1 << facts.bits_stored) - 1


def _apply_modality(
    stored: NDArray[np.int64], facts: GrayscaleFacts
) -> tuple[_Values, float, float, str]:
    """Modality values with their nominal range (PS3.3 C.11.1)."""
    lut = facts.modality_lut
    if lut is not None:
        first = _first_input(lut, lowest=_nominal_range(facts)[0])
        return _look_up(stored, lut, first), 0.0, float((1 << lut.bits) - 1), "modality LUT"
    if facts.slope == 0:
        raise invalid("RescaleSlope (0028,1053) is 0: every pixel would be the same")
    ends = [facts.slope * value + facts.intercept for value in _nominal_range(facts)]
    values = stored.astype(np.float64) * facts.slope + facts.intercept
    return values, min(ends), max(ends), f"rescale {facts.slope:g}/{facts.intercept:g}"


def _apply_voi(
    values: _Values, low: float, high: float, facts: GrayscaleFacts, config: DecodeConfig
) -> tuple[_Values, str]:
    """Gray levels in 0 to 1 after exactly one VOI transformation (PS3.3 C.11.2)."""
    lut_index = _chosen_lut(facts)
    prefers_window = config.voi == "first-window" and bool(facts.windows)
    if config.voi != "none" and lut_index is not None and not prefers_window:
        if config.voi == "first-lut":
            lut_index = 0
        lut = facts.voi_luts[lut_index]
        levels = _look_up(values, lut, _first_input(lut, low)) / ((1 << lut.bits) - 1)
        return np.minimum(levels, 1.0), f"VOI LUT {lut_index}"
    if config.voi != "none" and facts.windows:
        window = facts.windows[0]
        text = f"window 0 {facts.voi_function} {window.center:g}/{window.width:g}"
        return _apply_window(values, window, facts.voi_function), text
    return np.clip((values - low) / (high - low), 0.0, 1.0), "no VOI"


def _chosen_lut(facts: GrayscaleFacts) -> int | None:
    """Index of the VOI LUT item explained NORMAL, else of the first."""
    for index, lut in enumerate(facts.voi_luts):
        if (lut.explanation or "").upper() == "NORMAL":
            return index
    return 0 if facts.voi_luts else None


def _first_input(lut: LookupTable, lowest: float) -> int:
    """Input value of entry 0; written as unsigned, it is signed where its inputs can be."""
    return lut.first - 65536 if lowest < 0 and lut.first >= 32768 else lut.first


def _look_up(values: NDArray[np.int64] | _Values, lut: LookupTable, first: int) -> _Values:
    """Entries of a LUT; inputs outside it take its first or last entry (PS3.3 C.11.1.1.1)."""
    index = np.clip(np.rint(values) - first, 0, len(lut.values) - 1).astype(np.intp)
    entries: _Values = lut.values[index].astype(np.float64)
    return entries


def _apply_window(values: _Values, window: Window, function: str) -> _Values:
    """Gray levels in 0 to 1 of a window (PS3.3 C.11.2.1.2.1 and C.11.2.1.3)."""
    center, width = window.center, window.width
    if width < 1 if function == "LINEAR" else width <= 0:
        raise invalid(
            f"WindowWidth (0028,1051) is {width:g}, expected "
            f"{'at least 1' if function == 'LINEAR' else 'more than 0'} for {function}"
        )
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - center) / width, -700.0, 700.0)
        levels: _Values = 1.0 / (1.0 + np.exp(exponent))
        return levels
    if function == "LINEAR":
        center, width = center - 0.5, width - 1.0
    if width == 0:  # a step at the center
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def _inversion(facts: GrayscaleFacts, config: DecodeConfig) -> tuple[bool, str]:
    """Whether to invert once; MONOCHROME1 and INVERSE declare the same (PS3.3 C.11.6)."""
    by_photometric = facts.photometric == "MONOCHROME1"
    if facts.presentation_shape is None:
        return by_photometric, "inverted" if by_photometric else ""
    by_shape = facts.presentation_shape == "INVERSE"
    inverted = by_shape if config.inversion == "shape" else by_photometric
    text = "inverted" if inverted else ""
    if by_shape != by_photometric:
        found = f"{facts.photometric} with PresentationLUTShape {facts.presentation_shape}"
        text = f"{'inverted' if inverted else 'not inverted'} by {config.inversion} ({found})"
    return inverted, text
