"""Gray levels against the standard's own formulas and against pydicom."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.grayscale import apply_table, gray_table
from mammo_ray.dicom.grayscale_facts import GrayscaleFacts, Window
from mammo_ray.errors import ImageRejected
from tests.dicom.files import BIG_ENDIAN, EXPLICIT, IMPLICIT, Array, dicom_file, gradient
from tests.dicom.gray_cases import CASES, WINDOW, lut_item, ramp, sequence
from tests.dicom.judges import pydicom_gray

CONFIG = DecodeConfig()


def ours(content: bytes, config: DecodeConfig = CONFIG, bits: int = 16) -> tuple[Array, str]:
    decoded = decode_image(content, config)
    table = gray_table(decoded.grayscale, config, bits)
    return apply_table(decoded.stored, table), table.description


@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning:pydicom")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("name", CASES)
def test_gray_levels_equal_pydicom(name: str, syntax: str) -> None:
    bits, signed, elements, description = CASES[name]
    pixels = gradient(bits, signed=signed)
    content = dicom_file(pixels, syntax, bits, **elements)
    expected = pydicom_gray(pixels, pydicom.dcmread(io.BytesIO(content))) * 65535
    gray, found = ours(content)
    assert np.abs(gray - expected).max() <= 1
    assert description in found


def facts(**changes: object) -> GrayscaleFacts:
    base: dict[str, object] = {
        "bits_allocated": 8,
        "bits_stored": 8,
        "signed": False,
        "photometric": "MONOCHROME2",
    }
    return GrayscaleFacts(**{**base, **changes})


def test_without_voi_nominal_bits_set_the_scale() -> None:
    table = gray_table(facts(bits_allocated=16, bits_stored=12), CONFIG, 8)
    assert table.table.dtype == np.uint8
    assert table.table[[0, 2048, 4095]].tolist() == [0, 128, 255]
    assert table.table[[4096, 65535]].tolist() == [255, 255]
    assert table.description == "rescale 1/0; no VOI"


def test_sixteen_bit_tables_use_the_whole_range() -> None:
    table = gray_table(facts(), CONFIG, 16)
    assert table.table.dtype == np.uint16
    assert table.table[[0, 1, 255]].tolist() == [0, 257, 65535]


@pytest.mark.parametrize(
    ("photometric", "shape", "config", "inverted"),
    [
        ("MONOCHROME2", None, "shape", False),
        ("MONOCHROME1", None, "shape", True),
        ("MONOCHROME1", "INVERSE", "shape", True),
        ("MONOCHROME2", "IDENTITY", "shape", False),
        ("MONOCHROME1", "IDENTITY", "shape", False),
        ("MONOCHROME1", "IDENTITY", "photometric", True),
        ("MONOCHROME2", "INVERSE", "shape", True),
        ("MONOCHROME2", "INVERSE", "photometric", False),
    ],
)
def test_an_image_is_inverted_once_at_most(
    photometric: str, shape: str | None, config: str, inverted: bool
) -> None:
    table = gray_table(
        facts(photometric=photometric, presentation_shape=shape),
        DecodeConfig(inversion=config),
        8,
    )
    assert table.table[[0, 255]].tolist() == ([255, 0] if inverted else [0, 255])
    if shape and (photometric == "MONOCHROME1") != (shape == "INVERSE"):
        assert f"by {config} ({photometric} with PresentationLUTShape {shape})" in table.description


def test_padding_is_black_after_the_inversion() -> None:
    table = gray_table(facts(photometric="MONOCHROME1", padding=(0, 10)), CONFIG, 8)
    assert table.table[[0, 10, 11, 255]].tolist() == [0, 0, 244, 0]
    assert table.description.endswith("padding 0 to 10 black")


@pytest.mark.parametrize(("value", "limit"), [(-2000, -1900), (-1900, -2000)])
def test_padding_of_signed_pixels_is_read_in_either_order(value: int, limit: int) -> None:
    pixels = gradient(16, signed=True)
    content = dicom_file(
        pixels, EXPLICIT, 16, PixelPaddingValue=value, PixelPaddingRangeLimit=limit,
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    gray, _ = ours(content)
    padded = (pixels >= -2000) & (pixels <= -1900)
    assert padded.any()
    assert (gray[padded] == 0).all()
    assert (gray[~padded & (pixels < 0)] > 0).all()


@pytest.mark.parametrize(("signed", "vr", "written"), [(False, "SS", -1), (True, "US", 65535)])
def test_padding_in_the_other_sign_is_the_same_bits(signed: bool, vr: str, written: int) -> None:
    pixels = gradient(16, signed=signed)
    pixels[:9] = -1 if signed else 65535
    content = dicom_file(pixels, EXPLICIT, 16, PixelPaddingValue=7)
    tag = b"\x28\x00\x20\x01"
    at = content.index(tag)
    value = (written & 0xFFFF).to_bytes(2, "little")
    content = (
        content[: at + 4] + vr.encode() + content[at + 6 : at + 8] + value + content[at + 10 :]
    )
    gray, description = ours(content)
    assert (gray[:9] == 0).all()
    assert "black" in description


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_a_window_narrower_than_one_is_for_exact_and_sigmoid_alone(function: str) -> None:
    table = gray_table(facts(windows=(Window(100, 0.5),), voi_function=function), CONFIG, 8)
    assert table.table[[99, 101]].tolist() == [0, 255]
    with pytest.raises(ImageRejected, match="expected more than 0"):
        gray_table(facts(windows=(Window(100, 0.0),), voi_function=function), CONFIG, 8)


def test_a_lut_of_65536_entries_has_0_in_its_descriptor() -> None:
    item = lut_item(ramp(65536, 16, 2), 0, 16)
    assert item.LUTDescriptor[0] == 0
    pixels = gradient(16)
    gray, _ = ours(dicom_file(pixels, IMPLICIT, 16, VOILUTSequence=sequence(item)))
    np.testing.assert_array_equal(gray, ramp(65536, 16, 2)[pixels])


def test_the_lut_explained_normal_is_taken() -> None:
    luts = sequence(
        lut_item(ramp(4096, 12, 3), 0, 12, "HARDER"), lut_item(ramp(4096, 12), 0, 12, "NORMAL")
    )
    content = dicom_file(gradient(12), EXPLICIT, 12, VOILUTSequence=luts, **WINDOW)
    gray, description = ours(content)
    assert description == "rescale 1/0; VOI LUT 1"
    assert np.abs(gray - gradient(12) / 4095 * 65535).max() <= 9
    assert "VOI LUT 0" in ours(content, DecodeConfig(voi="first-lut"))[1]
    assert "window 0" in ours(content, DecodeConfig(voi="first-window"))[1]
    assert "no VOI" in ours(content, DecodeConfig(voi="none"))[1]


def test_lut_data_in_packed_bytes_is_read() -> None:
    item = Dataset()
    item.LUTDescriptor = [256, 0, 8]
    item.add_new("LUTData", "OW", bytes(range(255, -1, -1)))
    content = dicom_file(gradient(8), EXPLICIT, 8, VOILUTSequence=sequence(item))
    gray, _ = ours(content, bits=8)
    np.testing.assert_array_equal(gray, 255 - gradient(8))


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 10, "WindowWidth": 0},
        {"WindowCenter": 10, "WindowWidth": 0.5},
        {"WindowCenter": 10, "WindowWidth": -3, "VOILUTFunction": "SIGMOID"},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
        {"VOILUTSequence": sequence(lut_item(np.arange(9), 0, 40))},
    ],
)
def test_transformations_that_cannot_be_computed_are_rejected(elements: dict[str, object]) -> None:
    with pytest.raises(ImageRejected) as caught:
        ours(dicom_file(gradient(8), EXPLICIT, 8, **elements))
    assert caught.value.reason == "grayscale-invalid"


def test_a_lut_shorter_than_it_says_is_rejected() -> None:
    item = lut_item(np.arange(100), 0, 8)
    item.LUTDescriptor = [200, 0, 8]
    with pytest.raises(ImageRejected, match="expected 200"):
        ours(dicom_file(gradient(8), EXPLICIT, 8, VOILUTSequence=sequence(item)))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_view_of_the_pixels_gets_the_same_gray_levels(bits: int, signed: bool) -> None:
    pixels = gradient(bits, signed=signed)
    low = int(pixels.min())
    table = gray_table(
        facts(bits_allocated=bits, bits_stored=bits, signed=signed,
              windows=(Window(low + 100, 90),)), CONFIG, 8,
    )  # fmt: skip
    whole = apply_table(pixels, table)
    expected = np.clip((pixels.astype(float) - (low + 99.5)) / 89 + 0.5, 0, 1) * 255
    np.testing.assert_array_equal(whole, np.rint(expected))
    np.testing.assert_array_equal(apply_table(pixels[5:50:3, 7:60:2], table), whole[5:50:3, 7:60:2])
