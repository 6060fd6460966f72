"""The phantom of CBIS-DDSM in JPEG: tables, names, traps, and its truth."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from mammo_ray.datasets.phantoms.cbis.cases import (
    TABLES,
    CaseRow,
    parse_case_table,
    read_case_tables,
    read_jpeg_tree,
    series_of,
)
from mammo_ray.datasets.phantoms.cbis.invented import invent_case_tables, invent_jpeg_tree
from mammo_ray.datasets.phantoms.cbis_ddsm_kaggle import (
    INFO_COLUMNS,
    META_COLUMNS,
    write_cbis_ddsm_kaggle_phantom,
)
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.errors import InputError
from mammo_ray.schema import Kind
from tests.datasets.phantoms.test_archive import digests

REQUEST = PhantomRequest(rows=210, seed=4, swapped=21, cancer_share=0.4)
SAYS = {"full": "full mammogram images", "crop": "cropped images", "mask": "ROI mask images"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "kaggle"
    write_cbis_ddsm_kaggle_phantom(root, REQUEST)
    return root


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), keep_default_na=False)


@pytest.fixture(scope="module")
def info(root: Path) -> pd.DataFrame:
    table = pd.read_csv(root / "csv/dicom_info.csv", dtype=str, keep_default_na=False)
    table.index = pd.Index(table["image_path"].str.removeprefix("CBIS-DDSM/"))
    return table


@pytest.fixture(scope="module")
def pictures(root: Path) -> dict[str, npt.NDArray[np.uint8]]:
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.jpg")}
    return {name: np.asarray(cv2.imread(str(path), 0)) for name, path in files.items()}


def test_tables_are_written_byte_for_byte_under_csv(root: Path) -> None:
    for table in invent_case_tables(REQUEST.rows, REQUEST.seed, REQUEST.cancer_share):
        assert (root / "csv" / f"{table.name}.csv").read_bytes() == table.content
    assert sorted(path.name for path in root.iterdir()) == ["csv", "jpeg"]


def test_files_have_the_names_of_the_tree_and_one_series_is_in_no_table(
    root: Path, truth: pd.DataFrame, info: pd.DataFrame, pictures: dict[str, object]
) -> None:
    tables = invent_case_tables(REQUEST.rows, REQUEST.seed, REQUEST.cancer_share)
    tree = invent_jpeg_tree(tables, REQUEST.seed)
    named = {f"jpeg/{series}/{name}" for series, names in tree.items() for name in names}
    assert set(info.index) == set(truth["path"]) - {""} == named
    (extra,) = set(pictures) - named
    text = "".join(path.read_text() for path in (root / "csv").iterdir())
    assert extra.split("/")[1] not in text


def test_full_crop_and_mask_are_where_the_truth_says(
    truth: pd.DataFrame, pictures: dict[str, npt.NDArray[np.uint8]]
) -> None:
    for _, files in truth[truth["path"] != ""].groupby("row"):
        role = files.set_index("role")["path"]
        if len(role) < 3:
            continue  # the row of the missing series
        full, crop, mask = (pictures[role[kind]] for kind in Kind)
        place = files.iloc[0]
        box = slice(place.top, place.bottom + 1), slice(place.left, place.right + 1)
        lost = {
            (y, x): np.abs(np.roll(full, (y, x), (0, 1))[box].astype(int) - crop).mean()
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
        }
        assert min(lost, key=lambda shift: lost[shift]) == (0, 0)
        assert lost[0, 0] < 8  # loss of JPEG
        scale = np.array(mask.shape) / full.shape
        center = np.argwhere(mask > 127).mean(axis=0)
        assert np.abs(center - [place.center_row, place.center_column] * scale).max() < 1.5


def test_masks_have_the_grays_of_jpeg_and_pixels_tell_them_from_crops(
    truth: pd.DataFrame, pictures: dict[str, npt.NDArray[np.uint8]]
) -> None:
    near: dict[str, list[float]] = {role: [] for role in Kind}
    for file in truth[truth["path"] != ""].itertuples():
        pixels = pictures[str(file.path)]
        near[str(file.role)].append(float(((pixels <= 8) | (pixels >= 247)).mean()))
        if file.role == "mask":
            assert 17 <= len(np.unique(pixels)) <= 65
    assert min(near["mask"]) >= 0.99
    assert max(near["crop"] + near["full"]) < 0.9


def test_dicom_info_has_the_columns_and_words_of_the_published_one(
    truth: pd.DataFrame, info: pd.DataFrame
) -> None:
    assert len(INFO_COLUMNS) == 38
    assert info["file_path"].str.startswith("CBIS-DDSM/dicom/").all()
    for file in truth[truth["path"] != ""].itertuples():
        row, traps = info.loc[str(file.path)], str(file.trap).split("+")
        role = str(file.role)
        other = {"full": "full", "crop": "mask", "mask": "crop"}[role]
        says = SAYS[other if "swapped-description" in traps else role]
        bits = "8" if (other if "swapped-bits" in traps else role) == "mask" else "16"
        assert row["SeriesDescription"] == ("" if "no-description" in traps else says)
        assert row["BitsAllocated"] == bits
    assert 0.02 < (info["SeriesDescription"] == "").mean() < 0.08


def test_rows_and_columns_are_those_of_the_pictures(
    info: pd.DataFrame, pictures: dict[str, npt.NDArray[np.uint8]]
) -> None:
    for path, row in info.iterrows():
        assert (int(row["Rows"]), int(row["Columns"])) == pictures[str(path)].shape


def test_meta_has_one_row_a_series(root: Path, info: pd.DataFrame) -> None:
    meta = pd.read_csv(root / "csv/meta.csv", dtype=str, keep_default_na=False)
    assert tuple(meta.columns) == META_COLUMNS
    counts = info["SeriesInstanceUID"].value_counts()
    assert meta.set_index("SeriesInstanceUID")["ImageCount"].astype(int).to_dict() == (
        counts.to_dict()
    )


def test_swapped_rows_and_no_others_are_interchanged(root: Path, truth: pd.DataFrame) -> None:
    rows = rows_of(root)
    traps: list[str] = []
    for label, files in truth[truth["role"] != "full"].groupby("row"):
        path = files.set_index("role")["path"]
        row = rows[str(label)]
        swapped = files["trap"].str.contains("swapped").all()
        if not path["crop"]:
            continue
        if row.one_series:
            # In the published edition the lower of two names stands for the higher of two numbers.
            in_order = (path["crop"] > path["mask"]) == (
                row.paths[Kind.CROP] < row.paths[Kind.MASK]
            )
        else:
            in_order = path["crop"].split("/")[1] == series_of(row.paths[Kind.CROP])
        assert swapped != in_order
        traps += [files["trap"].iloc[0].split("+")[-1]] if swapped else []
    kinds = ("swapped-bits", "swapped-description", "swapped-names")
    assert {kind: traps.count(kind) for kind in kinds} == dict.fromkeys(kinds, 7)


def test_the_missing_series_has_no_path(truth: pd.DataFrame) -> None:
    missing = truth[truth["path"] == ""]
    assert missing["role"].tolist() == ["crop", "mask"]
    assert set(missing["trap"]) == {"missing"}
    assert missing["row"].nunique() == 1


def test_some_masks_have_another_size_than_their_film(
    truth: pd.DataFrame, pictures: dict[str, npt.NDArray[np.uint8]]
) -> None:
    odd = set()
    for label, files in truth.groupby("row"):
        path = files.set_index("role")["path"]
        if path["mask"] and pictures[path["mask"]].shape != pictures[path["full"]].shape:
            odd.add(label)
    told = truth[truth["trap"].str.contains("mask-")]
    assert set(told["row"]) == odd
    assert {trap.split("+")[-1] for trap in told["trap"]} == {"mask-size", "mask-aspect"}


def test_processes_change_no_byte_and_seeds_do(tmp_path: Path) -> None:
    for name, seed, processes in (("a", 0, 1), ("b", 0, 2), ("c", 1, 1)):
        request = PhantomRequest(rows=64, seed=seed, swapped=3, processes=processes)
        write_cbis_ddsm_kaggle_phantom(tmp_path / name, request)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c
    texts = [truth_path(tmp_path / name).read_bytes() for name in "ab"]
    assert texts[0] == texts[1]


def test_a_request_that_cannot_be_met_leaves_nothing(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    for table in invent_case_tables(8, 0, 0.5):
        (tables / f"{table.name}.csv").write_bytes(table.content)
    for request, message in (
        (PhantomRequest(rows=6, tables=tables), r"kaggle_jpeg_tree\.csv was expected"),
        (PhantomRequest(rows=9, tables=tables), "4 to 8 rows"),
        (PhantomRequest(rows=8, swapped=9), "rows can be swapped"),
    ):
        with pytest.raises(InputError, match=message):
            write_cbis_ddsm_kaggle_phantom(tmp_path / "out", request)
    assert list(tmp_path.iterdir()) == [tables]


def test_names_stand_for_the_files_of_the_tables_as_in_the_published_edition(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "cbis_ddsm"
    published = pd.read_csv(folder / "dicom_info_first9.csv", dtype=str, keep_default_na=False)
    series = published["SeriesInstanceUID"]
    pairs = published[series.duplicated(keep=False)]
    rows = {
        series_of(path): row
        for table in read_case_tables(folder)
        for row in table.rows
        for path in row.paths.values()
    }
    tables = tmp_path / "tables"
    tables.mkdir()
    wanted = {rows[uid].label for uid in pairs["SeriesInstanceUID"]}
    for table in read_case_tables(folder):
        kept = tuple(row for row in table.rows if row.label in wanted) or table.rows[:1]
        (tables / f"{table.name}.csv").write_bytes(replace(table, rows=kept).content)
    (tables / "kaggle_jpeg_tree.csv").write_bytes((folder / "kaggle_jpeg_tree.csv").read_bytes())
    write_cbis_ddsm_kaggle_phantom(tmp_path / "out", PhantomRequest(4, 0, tables))
    info = pd.read_csv(tmp_path / "out/csv/dicom_info.csv", dtype=str, keep_default_na=False)
    bits = info.set_index("image_path")["BitsAllocated"]
    assert len(pairs) == 6
    for file in pairs.itertuples():
        assert bits[str(file.image_path)] == file.BitsAllocated


def test_with_real_tables_rows_columns_and_names_are_the_real_ones(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "cbis_ddsm"
    write_cbis_ddsm_kaggle_phantom(tmp_path / "out", PhantomRequest(12, 5, folder, swapped=2))
    header = (folder / "dicom_info_first9.csv").read_text().splitlines()[0]
    written = (tmp_path / "out/csv/dicom_info.csv").read_text().splitlines()[0]
    assert written.split(",") == header.split(",")
    tree = read_jpeg_tree(folder)
    rows = rows_of(tmp_path / "out").values()
    for row in rows:
        assert row.record in (folder / f"{row.table}.csv").read_bytes()
        for path in row.paths.values():
            files = (tmp_path / "out/jpeg" / series_of(path)).iterdir()
            assert sorted(file.name for file in files) == tree[series_of(path)]
    assert len(rows) == 12


def rows_of(root: Path) -> dict[str, CaseRow]:
    """The rows of the tables below a folder, by label."""
    return {
        row.label: row
        for name in TABLES
        for row in parse_case_table(name, (root / "csv" / f"{name}.csv").read_bytes()).rows
    }
