"""Gray levels as another viewer renders them, and LUTs as if they were burned in."""

from pathlib import Path

import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.grayscale import apply_table, gray_table
from tests.dicom.conformance import MADE
from tests.dicom.files import EXPLICIT, Array, dicom_file, gradient
from tests.dicom.gray_cases import CASES, RESCALE, WINDOW, lut_item, ramp, sequence
from tests.dicom.judges import dcmtk_gray

CONFIG = DecodeConfig()
# What says how to show an image: photometric interpretation and presentation shape.
STATES = (
    ("MONOCHROME2", None),
    ("MONOCHROME1", None),
    ("MONOCHROME2", "IDENTITY"),
    ("MONOCHROME1", "INVERSE"),
    ("MONOCHROME2", "INVERSE"),
    ("MONOCHROME1", "IDENTITY"),
)
every_state = pytest.mark.parametrize(("photometric", "shape"), STATES)


def ours(content: bytes, bits: int = 16) -> Array:
    decoded = decode_image(content, CONFIG)
    gray = apply_table(decoded.stored, gray_table(decoded.grayscale, CONFIG, bits))
    return gray.astype(np.int64)


def presented(
    elements: dict[str, object], photometric: str, shape: str | None
) -> dict[str, object]:
    changed = {**elements, "PhotometricInterpretation": photometric}
    return changed if shape is None else {**changed, "PresentationLUTShape": shape}


@every_state
@pytest.mark.parametrize("name", CASES)
def test_gray_levels_are_those_of_dcmtk(
    name: str, photometric: str, shape: str | None, tmp_path: Path
) -> None:
    bits, signed, elements, _ = CASES[name]
    content = dicom_file(
        gradient(bits, signed=signed), EXPLICIT, bits, **presented(elements, photometric, shape)
    )
    option = "+Wl" if "VOILUTSequence" in elements else "+Wi"
    expected = dcmtk_gray(content, tmp_path, option, "1")
    # dcmtk computes LUTs in their own bits and a rescale in integers: a quarter of a gray level.
    assert np.abs(ours(content) - expected).max() <= 64
    assert np.abs(ours(content, bits=8) - expected / 257).max() <= 1


@every_state
def test_an_image_without_voi_is_shown_as_dcmtk_shows_it(
    photometric: str, shape: str | None, tmp_path: Path
) -> None:
    for elements in ({}, RESCALE):
        content = dicom_file(gradient(16), EXPLICIT, 16, **presented(elements, photometric, shape))
        # The window of the nominal range, as dcmtk itself would take the image's own.
        low, high = (0, 65535) if not elements else (-300, 65535 * 0.5 - 300)
        window = (str((low + high + 1) / 2), str(high - low + 1))
        expected = dcmtk_gray(content, tmp_path, "+Ww", *window)
        assert np.abs(ours(content) - expected).max() <= 64


def test_the_vendors_are_shown_as_dcmtk_shows_them(tmp_path: Path) -> None:
    normal = 2  # of the LUTs of GE, counted from 1
    content = MADE["GE"].content()
    expected = dcmtk_gray(content, tmp_path, "+Wl", str(normal))
    assert np.abs(ours(content) - expected).max() <= 64
    padded = MADE["padding of an inverted film"].content()
    stored = decode_image(padded, CONFIG).stored
    expected = dcmtk_gray(padded, tmp_path, "+Wi", "1")
    inside = stored < 4090
    assert np.abs(ours(padded) - expected)[inside].max() <= 64
    assert (ours(padded)[~inside] == 0).all()


@every_state
@pytest.mark.parametrize("name", CASES)
def test_an_image_looks_the_same_with_its_lut_burned_in(
    name: str, photometric: str, shape: str | None
) -> None:
    bits, signed, elements, _ = CASES[name]
    pixels = gradient(bits, signed=signed)
    with_lut = dicom_file(pixels, EXPLICIT, bits, **presented(elements, photometric, shape))
    plain = dicom_file(pixels, EXPLICIT, bits, **elements)
    burned_in = ours(plain).astype(np.uint16)  # before any inversion
    without = dicom_file(burned_in, EXPLICIT, 16, **presented({}, photometric, shape))
    assert np.abs(ours(with_lut) - ours(without)).max() <= 1
    assert np.abs(ours(with_lut, bits=8) - ours(without, bits=8)).max() <= 1


def test_a_window_and_the_lut_that_says_the_same_look_the_same() -> None:
    pixels = gradient(12)
    window = ours(dicom_file(pixels, EXPLICIT, 12, **WINDOW))
    every_value = dicom_file(
        np.arange(4096, dtype=np.uint16).reshape(64, 64), EXPLICIT, 12, **WINDOW
    )
    table = ours(every_value).ravel()
    luts = sequence(lut_item(table, 0, 16, "NORMAL"), lut_item(ramp(4096, 12, 3), 0, 12))
    np.testing.assert_array_equal(
        ours(dicom_file(pixels, EXPLICIT, 12, VOILUTSequence=luts)), window
    )


@pytest.mark.parametrize("rule", ["shape", "photometric"])
def test_a_disagreement_is_settled_by_the_rule_and_recorded(rule: str) -> None:
    for photometric, shape in (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
        content = dicom_file(gradient(8), EXPLICIT, 8, **presented({}, photometric, shape))
        config = DecodeConfig(inversion=rule)
        table = gray_table(decode_image(content, config).grayscale, config, 8)
        inverted = (shape == "INVERSE") if rule == "shape" else (photometric == "MONOCHROME1")
        assert table.table[0] == (255 if inverted else 0)
        assert f"by {rule} ({photometric} with PresentationLUTShape {shape})" in table.description
