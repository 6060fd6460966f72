"""The phantom of CBIS-DDSM in DICOM: tables, headers, traps, and its truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from mammo_ray.datasets.phantoms.cbis.cases import TABLES, parse_case_table
from mammo_ray.datasets.phantoms.cbis.invented import invent_case_tables
from mammo_ray.datasets.phantoms.cbis_ddsm import write_cbis_ddsm_phantom
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.errors import InputError
from mammo_ray.schema import Kind
from tests.datasets.phantoms.test_archive import digests

REQUEST = PhantomRequest(rows=40, seed=2, swapped=6, cancer_share=0.4)
SMALL = PhantomRequest(rows=6, seed=2, swapped=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "cbis"
    write_cbis_ddsm_phantom(root, REQUEST)
    return root


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), keep_default_na=False)


@pytest.fixture(scope="module")
def opened(root: Path, truth: pd.DataFrame) -> dict[str, pydicom.Dataset]:
    return {path: pydicom.dcmread(root / path) for path in truth["path"]}


def test_tables_are_written_byte_for_byte(root: Path) -> None:
    for table in invent_case_tables(REQUEST.rows, REQUEST.seed, REQUEST.cancer_share):
        assert (root / f"{table.name}.csv").read_bytes() == table.content


def test_the_files_are_exactly_those_of_the_tables(root: Path, truth: pd.DataFrame) -> None:
    named = {path for row in rows_of(root).values() for path in row.values()}
    files = {path.relative_to(root).as_posix() for path in root.rglob("*.dcm")}
    assert files == named == set(truth["path"])


def test_full_crop_and_mask_are_where_the_truth_says(
    truth: pd.DataFrame, opened: dict[str, pydicom.Dataset]
) -> None:
    for _, files in truth.groupby("row"):
        full, crop, mask = (opened[path] for path in files.set_index("role")["path"][list(Kind)])
        assert (full.BitsAllocated, crop.BitsAllocated, mask.BitsAllocated) == (16, 16, 8)
        assert set(np.unique(mask.pixel_array)) == {0, 255}
        place = files.iloc[0]
        box = slice(place.top, place.bottom + 1), slice(place.left, place.right + 1)
        np.testing.assert_array_equal(full.pixel_array[box], crop.pixel_array)
        inside = np.argwhere(mask.pixel_array)
        scale = np.array(mask.pixel_array.shape) / full.pixel_array.shape
        center = np.array([place.center_row, place.center_column])
        assert np.abs(inside.mean(axis=0) - center * scale).max() < 1.5
        odd = files.iloc[2]["trap"].endswith(("mask-size", "mask-aspect"))
        assert odd == (mask.pixel_array.shape != full.pixel_array.shape)


def test_headers_say_what_the_published_ones_say(
    truth: pd.DataFrame, opened: dict[str, pydicom.Dataset]
) -> None:
    words = {"full": "full mammogram images", "crop": "cropped images", "mask": "ROI mask images"}
    for file in truth.itertuples():
        header = opened[str(file.path)]
        case, study, series, _ = str(file.path).split("/")
        assert (header.StudyInstanceUID, header.SeriesInstanceUID) == (study, series)
        assert header.SOPClassUID == pydicom.uid.SecondaryCaptureImageStorage
        assert header.PhotometricInterpretation == "MONOCHROME2"
        if file.trap == "no-description":
            assert header.SeriesDescription == ""
        elif "swapped-description" not in str(file.trap):
            assert header.SeriesDescription == words[str(file.role)]
            assert header.PatientID == case
    assert len({header.SOPInstanceUID for header in opened.values()}) == len(opened)


def test_swapped_rows_and_no_others_are_interchanged(root: Path, truth: pd.DataFrame) -> None:
    columns = rows_of(root)
    swapped: dict[str, list[str]] = {}
    for file in truth.itertuples():
        away = columns[str(file.row)][Kind(str(file.role))] != file.path
        assert away == ("swapped" in str(file.trap))
        if away:
            swapped.setdefault(str(file.row), []).append(str(file.trap).split("+")[0])
    by_trap = [["swapped-description"] * 2] * 3 + [["swapped-names"] * 2] * 3
    assert sorted(swapped.values()) == by_trap


def test_a_wrong_description_is_contradicted_by_the_bits(
    truth: pd.DataFrame, opened: dict[str, pydicom.Dataset]
) -> None:
    wrong = truth[truth["trap"].str.contains("swapped-description")]
    told = {(opened[f.path].SeriesDescription, opened[f.path].BitsAllocated, f.role)
            for f in wrong.itertuples()}  # fmt: skip
    assert told == {("ROI mask images", 16, "crop"), ("cropped images", 8, "mask")}


def test_films_in_two_tables_are_one_picture(
    truth: pd.DataFrame, opened: dict[str, pydicom.Dataset]
) -> None:
    full = truth[truth["role"] == "full"].drop_duplicates("path")
    film = full.groupby(["patient_id", "laterality", "view_position"])["path"]
    twins = [list(paths) for _, paths in film if len(paths) > 1]
    assert twins
    for one, other in twins:
        np.testing.assert_array_equal(opened[one].pixel_array, opened[other].pixel_array)


def test_cancer_is_the_pathology_of_the_row(root: Path, truth: pd.DataFrame) -> None:
    malignant = {}
    for name in TABLES:
        for row in parse_case_table(name, (root / f"{name}.csv").read_bytes()).rows:
            malignant[row.label] = int(row.pathology == "MALIGNANT")
    lesions = truth[truth["role"] != "full"]
    assert lesions["cancer"].tolist() == lesions["row"].map(malignant).tolist()
    films = truth.assign(malignant=truth["row"].map(malignant))
    films = films[films["role"] == "full"]
    any_of = films.groupby("path")["malignant"]
    assert films["cancer"].tolist() == any_of.transform("max").tolist()
    assert set(films["cancer"]) == {0, 1}


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(tmp_path: Path) -> None:
    for name, seed in (("a", 2), ("b", 2), ("c", 3)):
        request = PhantomRequest(rows=SMALL.rows, seed=seed, swapped=1)
        write_cbis_ddsm_phantom(tmp_path / name, request)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c


def test_a_request_that_cannot_be_met_leaves_nothing(tmp_path: Path) -> None:
    for request, message in (
        (PhantomRequest(rows=3), "at least 4 rows"),
        (PhantomRequest(rows=6, swapped=7), "0 to 6 rows can be swapped"),
        (PhantomRequest(rows=6, tables=tmp_path), "was expected in the folder of tables"),
    ):
        with pytest.raises(InputError, match=message):
            write_cbis_ddsm_phantom(tmp_path / "out", request)
    assert list(tmp_path.iterdir()) == []


def rows_of(root: Path) -> dict[str, dict[Kind, str]]:
    """What the path columns of every row of the tables below a folder say."""
    return {
        row.label: dict(row.paths)
        for name in TABLES
        for row in parse_case_table(name, (root / f"{name}.csv").read_bytes()).rows
    }
