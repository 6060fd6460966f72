"""Invented vendors, each with habits that real ones have, and stored pixels as they make them.

Every vendor shows the same picture; its stored values are found by taking the display pipeline that
its header declares (PS3.3 C.11.1, C.11.2, C.11.6) backwards.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.images import Mask
from mammo_ray.datasets.phantoms.texture import Image

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"

_WINDOW_NAMES = ("NORMAL", "HARDER", "SOFTER", "WIDE")
_WINDOW_WIDTHS = (1.0, 0.75, 1.3, 1.6)
_LUT_STEEPNESS = {"NORMAL": 3.0, "HARDER": 6.0, "SOFTER": 1.5}
_LUT_BITS = 12
_DARKEST = 0.004  # a sigmoid reaches neither 0 nor 1

Voi = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID", "LUT"]


@dataclass(frozen=True)
class Vendor:
    """How one vendor's files look.

    Attributes:
        name: Manufacturer.
        model: Manufacturer's Model Name.
        transfer_syntaxes: taken in turn, image by image.
        shape: (rows, columns).
        bits: BitsStored.
        signed: two's complement stored values.
        inverted: MONOCHROME1 with PresentationLUTShape INVERSE.
        voi: how gray levels are declared.
        windows: number of windows, or of lookup tables.
        rescale: RescaleSlope, RescaleIntercept.
        padding: whether the background is filled with a PixelPaddingValue.
        mirrored: stored with the chest wall on the other side.
        film: digitised films with white labels.
        omitted: keywords that its headers lack.
        renamed: keyword -> keyword that is written instead.
    """

    name: str
    model: str
    transfer_syntaxes: tuple[str, ...]
    shape: tuple[int, int] = (1024, 832)
    bits: int = 12
    signed: bool = False
    inverted: bool = False
    voi: Voi = "LINEAR"
    windows: int = 1
    rescale: tuple[float, float] = (1.0, 0.0)
    padding: bool = False
    mirrored: bool = False
    film: bool = False
    omitted: frozenset[str] = frozenset()
    renamed: tuple[tuple[str, str], ...] = ()


VENDORS = (
    Vendor("Vendor A", "A-3D", (JPEG_LOSSLESS_SV1,), bits=12, windows=3),
    Vendor("Vendor B", "B Essential", (JPEG_2000_LOSSLESS,), (1096, 880), voi="LUT", windows=3,
           padding=True),
    Vendor("Vendor C", "C-16", (HTJ2K_LOSSLESS,), (1072, 984), bits=16, inverted=True,
           voi="SIGMOID", windows=4, omitted=frozenset({"Modality", "ViewPosition"})),
    Vendor("Vendor D", "D Digitizer", (RLE_LOSSLESS,), (1024, 768), bits=8, film=True,
           omitted=frozenset({"ViewCodeSequence"})),
    Vendor("Vendor E", "E-10", (IMPLICIT_LITTLE_ENDIAN,), (960, 768), bits=10, windows=2,
           renamed=(("ImageLaterality", "Laterality"),)),
    Vendor("Vendor F", "F Inspire", (JPEG_LS_LOSSLESS,), bits=16, rescale=(0.0625, -128.0)),
    Vendor("Vendor G", "G Signed", (EXPLICIT_LITTLE_ENDIAN,), (1000, 800), bits=13, signed=True,
           voi="LINEAR_EXACT"),
    Vendor("Vendor H", "H-14", (JPEG_2000,), bits=14, voi="LINEAR_EXACT", mirrored=True),
    Vendor("Vendor I", "I Microdose", (JPEG_LOSSLESS_SV1, HTJ2K_LOSSLESS), (1040, 824),
           inverted=True, padding=True, omitted=frozenset({"PresentationLUTShape"})),
)  # fmt: skip


def store_pixels(display: Image, breast: Mask, vendor: Vendor) -> npt.NDArray[np.generic]:
    """Stored values that a viewer turns back into the picture.

    Args:
        display: what is to be seen, (rows, columns), 0 (black) to 1.
        breast: where tissue is.
        vendor: whose display pipeline is taken backwards.
    """
    wanted = 1 - display if vendor.inverted else display
    slope, intercept = vendor.rescale
    lowest, highest = stored_range(vendor)
    values = np.rint((_before_voi(wanted, vendor) - intercept) / slope)
    stored = np.clip(values, lowest, highest)
    if vendor.padding:
        kernel = np.ones((31, 31), np.uint8)
        near = cv2.dilate((breast | (display > 0.5)).astype(np.uint8), kernel) > 0
        stored = np.where(near, stored, padding_value(vendor))
    if vendor.bits <= 8:
        return stored.astype(np.uint8)
    return stored.astype(np.int16 if vendor.signed else np.uint16)


def grayscale_attributes(vendor: Vendor) -> dict[str, object]:
    """The header's description of the way from stored values to gray levels."""
    slope, intercept = vendor.rescale
    header: dict[str, object] = {
        "PhotometricInterpretation": "MONOCHROME1" if vendor.inverted else "MONOCHROME2",
        "PresentationLUTShape": "INVERSE" if vendor.inverted else "IDENTITY",
        "BitsStored": vendor.bits,
        "RescaleIntercept": intercept,
        "RescaleSlope": slope,
        "RescaleType": "US",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": 1 if vendor.inverted else -1,
    }
    if vendor.padding:
        header["PixelPaddingValue"] = padding_value(vendor)
    if vendor.voi == "LUT":
        names = ["HARDER", "NORMAL", "SOFTER"][: vendor.windows]
        header["VOILUTSequence"] = [_lut_item(name, vendor) for name in names]
        return header
    center, width = _window(vendor)
    header["WindowCenter"] = [center] * vendor.windows
    header["WindowWidth"] = [round(width * share, 2) for share in _WINDOW_WIDTHS[: vendor.windows]]
    if vendor.windows > 1:
        header["WindowCenterWidthExplanation"] = list(_WINDOW_NAMES[: vendor.windows])
    if vendor.voi != "LINEAR":
        header["VOILUTFunction"] = vendor.voi
    return header


def stored_range(vendor: Vendor) -> tuple[int, int]:
    """Least and greatest stored value."""
    half = 1 << (vendor.bits - 1)
    return (-half, half - 1) if vendor.signed else (0, 2 * half - 1)


def padding_value(vendor: Vendor) -> int:
    """The end of the stored range that is shown black."""
    lowest, highest = stored_range(vendor)
    return highest if vendor.inverted else lowest


def _window(vendor: Vendor) -> tuple[float, float]:
    """Center and width of the first window, in units after rescale."""
    slope, intercept = vendor.rescale
    lowest, highest = stored_range(vendor)
    center = (lowest + highest + 1) / 2 * slope + intercept
    # A sigmoid needs room for its tails; film uses the whole range.
    share = {"SIGMOID": 0.36}.get(vendor.voi, 1.0 if vendor.film else 0.85)
    return center, round((highest - lowest + 1) * slope * share, 2)


def _before_voi(wanted: Image, vendor: Vendor) -> npt.NDArray[np.float64]:
    """Values after the modality LUT that the VOI transform turns into the wanted gray levels."""
    level = wanted.astype(np.float64)
    if vendor.voi == "LUT":
        table = _lut("NORMAL", 1 << vendor.bits)
        index = np.arange(len(table), dtype=np.float64)
        return np.asarray(np.interp(level * table[-1], table, index), np.float64)
    center, width = _window(vendor)
    if vendor.voi == "SIGMOID":
        level = np.clip(level, _DARKEST, 1 - _DARKEST)
        return np.asarray(center + width / 4 * np.log(level / (1 - level)), np.float64)
    if vendor.voi == "LINEAR_EXACT":
        return (level - 0.5) * width + center
    return (level - 0.5) * (width - 1) + center - 0.5


def _lut(name: str, entries: int) -> npt.NDArray[np.uint16]:
    """A rising S-shaped lookup table."""
    x = np.linspace(-0.5, 0.5, entries)
    curve = np.tanh(_LUT_STEEPNESS[name] * x)
    curve = (curve - curve[0]) / (curve[-1] - curve[0])
    return np.asarray(np.rint(curve * ((1 << _LUT_BITS) - 1)), np.uint16)


def _lut_item(name: str, vendor: Vendor) -> dict[str, object]:
    entries = 1 << vendor.bits
    return {
        "LUTDescriptor": [entries, 0, _LUT_BITS],
        "LUTExplanation": name,
        "LUTData": _lut(name, entries).astype("<u2").tobytes(),
    }
