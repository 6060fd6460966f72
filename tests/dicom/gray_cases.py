"""Transformations of gray levels: header elements that say what to do with stored values."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.dicom.files import Array


def lut_item(
    values: Array, first: int, bits: int, explanation: str | None = None, vr: str = "US"
) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(values) % 65536, first, bits])
    if len(values) < 30000:
        item.add_new("LUTData", "US", [int(value) for value in values])
    else:  # a US element of an explicit dataset holds less
        item.add_new("LUTData", "OW", values.astype("<u2").tobytes())
    if explanation:
        item.LUTExplanation = explanation
    return item


def sequence(*items: Dataset) -> Sequence:
    return Sequence(items)


def ramp(entries: int, bits: int, power: float = 1.0) -> Array:
    return np.rint(np.linspace(0, 1, entries) ** power * ((1 << bits) - 1)).astype(int)


WINDOW = {"WindowCenter": 2000, "WindowWidth": 3000}
RESCALE = {"RescaleSlope": 0.5, "RescaleIntercept": -300}
CASES: dict[str, tuple[int, bool, dict[str, object], str]] = {
    "linear": (12, False, WINDOW, "rescale 1/0; window 0 LINEAR 2000/3000"),
    "eight bits": (8, False, {"WindowCenter": 100, "WindowWidth": 90}, "window 0 LINEAR 100/90"),
    "narrow": (12, False, {"WindowCenter": 2000.5, "WindowWidth": 1}, "LINEAR 2000.5/1"),
    "exact": (12, False, {**WINDOW, "VOILUTFunction": "LINEAR_EXACT"}, "LINEAR_EXACT 2000/3000"),
    "sigmoid": (12, False, {**WINDOW, "VOILUTFunction": "SIGMOID"}, "SIGMOID 2000/3000"),
    "steep sigmoid": (
        16, False, {"WindowCenter": 30000, "WindowWidth": 3, "VOILUTFunction": "SIGMOID"},
        "SIGMOID 30000/3",
    ),
    "rescaled": (12, False, {**RESCALE, **WINDOW}, "rescale 0.5/-300; window 0"),
    "falling": (
        12, False, {"RescaleSlope": -1, "RescaleIntercept": 4095, **WINDOW}, "rescale -1/4095",
    ),
    "signed": (12, True, {"WindowCenter": -100, "WindowWidth": 900}, "LINEAR -100/900"),
    "signed rescaled": (16, True, {**RESCALE, **WINDOW}, "rescale 0.5/-300"),
    "signed sigmoid": (
        16, True, {"WindowCenter": -5, "WindowWidth": 9000, "VOILUTFunction": "SIGMOID"},
        "SIGMOID -5/9000",
    ),
    "first of four windows": (
        12, False, {"WindowCenter": [1000, 2000, 3000, 1], "WindowWidth": [500, 600, 700, 8]},
        "window 0 LINEAR 1000/500",
    ),
    "voi lut": (
        12, False, {"VOILUTSequence": sequence(lut_item(ramp(4096, 12, 2), 0, 12))}, "VOI LUT 0",
    ),
    "short voi lut": (
        12, False, {"VOILUTSequence": sequence(lut_item(ramp(1000, 10, 2), 500, 10))}, "VOI LUT 0",
    ),
    "voi lut of 40000": (
        16, False, {"VOILUTSequence": sequence(lut_item(ramp(40000, 16), 0, 16))}, "VOI LUT 0",
    ),
    "signed voi lut": (
        12, True,
        {"VOILUTSequence": sequence(lut_item(ramp(2000, 12, 0.5), -1000, 12, vr="SS"))},
        "VOI LUT 0",
    ),
    "lut before window": (
        12, False,
        {**WINDOW, "VOILUTSequence": sequence(lut_item(ramp(4096, 12, 3), 0, 12))}, "VOI LUT 0",
    ),
    "modality lut": (
        12, False,
        {"ModalityLUTSequence": sequence(lut_item(ramp(4096, 16, 2), 0, 16)), "WindowCenter": 30000,
         "WindowWidth": 50000},
        "modality LUT; window 0 LINEAR 30000/50000",
    ),
}  # fmt: skip
