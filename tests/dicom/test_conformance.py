"""The table of fixtures: pixels as other decoders have them, gray levels as other viewers do."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import DecodedImage, decode_image
from mammo_ray.dicom.grayscale import apply_table, gray_table
from mammo_ray.errors import ImageRejected
from tests.dicom.conformance import FIXTURES, REJECTED, Fixture, Judge, judge_of, liars
from tests.dicom.files import ALL_SYNTAXES, ENCAPSULATED, Array, dicom_file
from tests.dicom.judges import dcmtk_pixels, openjpeg_pixels, pydicom_gray, pydicom_pixels

CONFIG = DecodeConfig()
LIARS = list(liars())

every_fixture = pytest.mark.parametrize("fixture", FIXTURES.values(), ids=FIXTURES)


_JUDGES = {"dcmtk": dcmtk_pixels, "openjpeg": openjpeg_pixels, "pydicom": pydicom_pixels}


def judged(content: bytes, judge: Judge, folder: Path) -> Array:
    """Gray stored values of another decoder: the luma of colour, the sign of the header."""
    assert judge is not None
    pixels = _JUDGES[judge](content, folder).astype(np.int64)
    dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    if pixels.ndim == 3:
        is_luma_first = dataset.PhotometricInterpretation.startswith("YBR") and judge == "pydicom"
        return pixels[..., 0] if is_luma_first else pixels @ np.array([0.299, 0.587, 0.114])
    if dataset.get("PixelRepresentation") and pixels.min() >= 0:
        half = 1 << (dataset.BitsStored - 1)
        return (pixels + half) % (2 * half) - half
    return pixels


def difference(decoded: DecodedImage, expected: Array) -> float:
    """Of the stored values, the greatest."""
    assert decoded.stored.shape == expected.shape
    return float(np.abs(decoded.stored.astype(np.float64) - expected).max())


@every_fixture
def test_a_fixture_is_what_its_row_says(fixture: Fixture) -> None:
    content = fixture.content()
    dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    assert dataset.file_meta.TransferSyntaxUID == fixture.syntax
    assert dataset.BitsStored == fixture.bits
    assert dataset.PhotometricInterpretation == fixture.photometric
    assert decode_image(content, CONFIG).stored.shape == fixture.shape == (
        dataset.Rows, dataset.Columns,
    )  # fmt: skip


@every_fixture
def test_stored_values_are_those_of_another_decoder(fixture: Fixture, tmp_path: Path) -> None:
    content = fixture.content()
    decoded = decode_image(content, CONFIG)
    assert decoded.notes == fixture.notes
    if fixture.pixels is not None:
        assert difference(decoded, fixture.pixels) <= fixture.tolerance
    if fixture.judge is not None:
        rounding = 1 if "colour" in " ".join(fixture.notes) else 0
        expected = judged(content, fixture.judge, tmp_path)
        assert difference(decoded, expected) <= fixture.tolerance + rounding


def test_every_fixture_has_pixels_from_somewhere_else() -> None:
    assert all(row.judge is not None or row.pixels is not None for row in FIXTURES.values())
    assert set(ALL_SYNTAXES) - {row.syntax for row in FIXTURES.values()} == {
        syntax for syntax in ALL_SYNTAXES if syntax.endswith((".57", ".201", ".202"))
    }  # those only in the transcodings


@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning:pydicom")
@pytest.mark.parametrize(
    "fixture", [row for row in FIXTURES.values() if row.photometric.startswith("MONOCHROME")],
    ids=[name for name, row in FIXTURES.items() if row.photometric.startswith("MONOCHROME")],
)  # fmt: skip
def test_gray_levels_are_those_of_pydicom(fixture: Fixture) -> None:
    content = fixture.content()
    decoded = decode_image(content, CONFIG)
    dataset = pydicom.dcmread(io.BytesIO(content))
    normal = [
        index
        for index, item in enumerate(dataset.get("VOILUTSequence", []))
        if item.get("LUTExplanation") == "NORMAL"
    ]
    if normal:  # pydicom takes the first item
        dataset.VOILUTSequence = [dataset.VOILUTSequence[normal[0]]]
    expected = pydicom_gray(decoded.stored, dataset)
    if fixture.photometric == "MONOCHROME1":
        expected = 1 - expected
    if decoded.grayscale.padding:
        lowest, highest = decoded.grayscale.padding
        expected[(decoded.stored >= lowest) & (decoded.stored <= highest)] = 0
    for bits in (8, 16):
        gray = apply_table(decoded.stored, gray_table(decoded.grayscale, CONFIG, bits))
        assert np.abs(gray - expected * ((1 << bits) - 1)).max() <= 1


@pytest.mark.parametrize(("name", "reason"), REJECTED.items())
def test_what_cannot_be_read_is_rejected_with_its_reason(name: str, reason: str) -> None:
    content = Path(str(get_testdata_file(name, download=False))).read_bytes()
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("content", "reason"), [row[1:] for row in LIARS], ids=[row[0] for row in LIARS]
)
def test_a_header_that_lies_about_its_payload_is_rejected(content: bytes, reason: str) -> None:
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("name", "judge", "tolerance"), [("MG1_J2KI", "openjpeg", 0), ("MG1_JPLY", "dcmtk", 1)]
)
def test_real_full_field_images_are_those_of_another_decoder(
    name: str, judge: Judge, tolerance: int, real_data: Path, tmp_path: Path
) -> None:
    content = (real_data / "wg04" / name).read_bytes()
    decoded = decode_image(content, CONFIG)
    assert decoded.stored.shape == (4664, 3064)
    assert decoded.stored.dtype == np.uint16
    assert 3000 < decoded.stored.max() <= 4095
    assert difference(decoded, judged(content, judge, tmp_path)) <= tolerance


@pytest.fixture(scope="module")
def full_field(real_data: Path) -> Array:
    """The middle of the real full-field image, 12 bits."""
    content = (real_data / "wg04" / "MG1_J2KI").read_bytes()
    return decode_image(content, CONFIG).stored[1500:3000]


@pytest.fixture(scope="module")
def film(real_archive: Path) -> Array:
    """A real film of 8 bits."""
    return decode_image(min(real_archive.rglob("*.dcm")).read_bytes(), CONFIG).stored


@pytest.mark.parametrize("syntax", ALL_SYNTAXES)
@pytest.mark.parametrize("source", ["full_field", "film"])
def test_a_real_image_is_itself_in_every_syntax(
    source: str, syntax: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pixels = request.getfixturevalue(source)
    _, tried, exact = ENCAPSULATED.get(syntax, (None, (8, 12), True))
    bits = 8 if source == "film" else 12
    if bits not in tried and 16 not in tried:
        pixels, bits = pixels >> 4 if bits == 12 else pixels, tried[0]
        pixels = pixels.astype(np.uint8 if bits == 8 else np.uint16)
    elif bits not in tried:
        bits = 16
    content = dicom_file(pixels, syntax, bits)
    decoded = decode_image(content, CONFIG)
    if exact:
        np.testing.assert_array_equal(decoded.stored, pixels)
    else:
        assert 0 < np.abs(decoded.stored.astype(int) - pixels).mean() < 0.01 * (1 << bits)
    expected = judged(content, judge_of(syntax), tmp_path)
    assert difference(decoded, expected) <= (0 if exact else 1)


def test_real_films_of_every_syntax_are_those_of_another_decoder(
    real_archive: Path, tmp_path: Path
) -> None:
    seen: set[str] = set()
    for path in sorted(real_archive.rglob("*.dcm")):
        syntax = str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        if syntax not in seen:
            content = path.read_bytes()
            decoded = decode_image(content, CONFIG)
            assert decoded.stored.shape == (1024, 1024)
            assert decoded.notes == ()
            assert difference(decoded, judged(content, judge_of(syntax), tmp_path)) == 0
            seen.add(syntax)
    assert len(seen) == 7
    assert seen <= set(ALL_SYNTAXES)
