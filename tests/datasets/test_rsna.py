"""The layout `rsna`: labels of the table, files of the listing, and what does not fit."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.phantoms.rsna import write_rsna_table
from mammo_ray.datasets.rsna import TRAIN_COLUMNS, RsnaReader
from mammo_ray.datasets.source import FileIndex, Source
from mammo_ray.errors import InputError
from mammo_ray.schema import EXAMINED, MANIFEST
from mammo_ray.storage import list_files
from tests.datasets.reading import KEY, NAME, by_path, column, read
from tests.films import breast_pixels, film, write_film

ROW = {
    "site_id": "1", "patient_id": "10006", "image_id": "462822612", "laterality": "L",
    "view": "CC", "age": "61.0", "cancer": "0", "biopsy": "0", "invasive": "0", "BIRADS": "2.0",
    "implant": "0", "density": "B", "machine_id": "49", "difficult_negative_case": "False",
}  # fmt: skip


def write_table(root: Path, *rows: dict[str, str], name: str = "train.csv") -> None:
    root.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([{**ROW, **row} for row in rows]).to_csv(root / name, index=False)


def write_image(path: Path, side: str = "L", **elements: object) -> Path:
    dataset = film(
        breast_pixels(), Modality=None, ViewPosition=None, ImageLaterality=side,
        SOPInstanceUID=f"1.2.{path.stem}", StudyInstanceUID="1.2.77", **elements,
    )  # fmt: skip
    return write_film(path, dataset)


def small_set(root: Path) -> None:
    """Two images of one woman, both in the table."""
    write_table(
        root,
        {},
        {"image_id": "7", "laterality": "R", "view": "AT", "cancer": "1", "biopsy": "1",
         "invasive": "1", "BIRADS": "", "density": "", "age": "", "implant": "1",
         "machine_id": "21", "site_id": "2", "difficult_negative_case": "True"},
    )  # fmt: skip
    write_image(root / "train_images/10006/462822612.dcm")
    write_image(root / "train_images/10006/7.dcm", "R", PatientAge="044Y")


def test_side_view_and_labels_come_from_the_table(tmp_path: Path) -> None:
    small_set(tmp_path)
    rows = by_path(read(RsnaReader, tmp_path).rows, tmp_path)
    first, second = rows["train_images/10006/462822612.dcm"], rows["train_images/10006/7.dcm"]
    expected = {
        "patient_id": "10006", "laterality": "L", "view_position": "CC", "cancer": 0,
        "label_level": "breast", "label_source": "follow-up", "birads": "2", "density": "B",
        "age": 61.0, "implant": False, "biopsy": False, "invasive": False,
        "difficult_negative": False, "site": "1", "device_serial": "49", "study_uid": "1.2.77",
        "image_kind": "ffdm", "kind": "full", "film_id": None, "split": None, "outlines": None,
        "rows": 96, "columns": 64,
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    expected = {
        "view_position": "AT", "cancer": 1, "label_source": "pathology", "birads": None,
        "density": None, "age": 44.0, "implant": True, "invasive": True,
        "difficult_negative": True, "site": "2",
    }  # fmt: skip
    assert {name: second[name] for name in expected} == expected


def test_a_biopsied_negative_rests_on_pathology(tmp_path: Path) -> None:
    write_table(tmp_path, {"biopsy": "1"})
    write_image(tmp_path / "train_images/10006/462822612.dcm")
    row = read(RsnaReader, tmp_path).rows.to_pylist()[0]
    assert (row["cancer"], row["label_source"]) == (0, "pathology")


def test_the_test_table_has_no_labels(tmp_path: Path) -> None:
    small_set(tmp_path)
    labels = {"cancer", "biopsy", "invasive", "BIRADS", "density", "difficult_negative_case"}
    unlabelled = {name: value for name, value in ROW.items() if name not in labels}
    test = pd.DataFrame([{**unlabelled, "patient_id": "10008", "image_id": "9"}])
    test.assign(prediction_id="10008_L").to_csv(tmp_path / "test.csv", index=False)
    write_image(tmp_path / "test_images/10008/9.dcm")
    manifest = read(RsnaReader, tmp_path)
    row = by_path(manifest.rows, tmp_path)["test_images/10008/9.dcm"]
    unknown = ("cancer", "label_level", "label_source", "biopsy", "split", "birads")
    assert [row[name] for name in unknown] == [None] * 6
    assert (manifest.rows.num_rows, row["patient_id"], row["age"]) == (3, "10008", 61.0)
    (tmp_path / "train.csv").unlink()
    alone = read(RsnaReader, tmp_path)
    assert column(alone.rows, "cancer") == [None]
    assert column(alone.rejections, "reason") == ["not-in-table"] * 2


def test_every_file_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    small_set(tmp_path)
    write_table(tmp_path, {}, {"image_id": "7", "laterality": "R"}, {"image_id": "8"})
    write_image(tmp_path / "train_images/10006/99.dcm")
    (tmp_path / "train_images/10006/7.dcm").write_bytes(b"no film")
    (tmp_path / "train_images/10006/notes.bin").write_bytes(b"?")
    manifest = read(RsnaReader, tmp_path)
    rejections = {Path(r["uri"]).stem: r for r in manifest.rejections.to_pylist()}
    reasons = {name: r["reason"] for name, r in rejections.items()}
    assert reasons == {"7": "not-dicom", "8": "missing-file", "99": "not-in-table"}
    for name, side in (("7", "R"), ("8", "L")):
        row = rejections[name]
        assert (row["patient_id"], row["laterality"], row["view_position"]) == ("10006", side, "CC")
    assert rejections["8"]["uri"] == str(tmp_path / "train_images/10006/8.dcm")
    rules = {Path(r["uri"]).name: r["rule"] for r in manifest.exclusions.to_pylist()}
    assert rules == {"train.csv": "not-an-image", "notes.bin": "not-in-layout"}
    assert manifest.seen == 6


def test_a_header_of_the_other_side_is_a_rejection(tmp_path: Path) -> None:
    small_set(tmp_path)
    write_image(tmp_path / "train_images/10006/7.dcm", "L")
    manifest = read(RsnaReader, tmp_path)
    (row,) = manifest.rejections.to_pylist()
    assert (row["reason"], row["laterality"]) == ("table-row-invalid", "R")
    assert row["detail"] == "ImageLaterality (0020,0062) is 'L', the table says 'R'"
    assert manifest.rows.num_rows == 1


def test_images_are_found_in_a_nested_folder_and_copies_left_out(tmp_path: Path) -> None:
    write_table(tmp_path, {}, {"image_id": "7"}, {"image_id": "8"})
    write_image(tmp_path / "rsna/train_images/10006/462822612.dcm")
    for folder in ("train_images", "backup"):
        write_image(tmp_path / folder / "10006/7.dcm")
    for folder in ("one", "two"):
        write_image(tmp_path / folder / "10006/8.dcm")
    manifest = read(RsnaReader, tmp_path)
    assert set(by_path(manifest.rows, tmp_path)) == {
        "rsna/train_images/10006/462822612.dcm", "train_images/10006/7.dcm",
    }  # fmt: skip
    left_out = by_path(manifest.exclusions, tmp_path)
    assert left_out["backup/10006/7.dcm"]["rule"] == "not-in-layout"
    assert {r["reason"] for r in by_path(manifest.rejections, tmp_path).values()} == {
        "ambiguous-file"
    }
    assert column(manifest.rejections, "patient_id") == ["10006"] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cancer": "2"}, r"train.csv line 3: cancer is '2', expected one of \['0', '1'\]"),
        ({"cancer": ""}, "line 3: cancer is '', expected a value"),
        ({"laterality": "X"}, "line 3: laterality is 'X'"),
        ({"view": "UP"}, "line 3: view is 'UP'"),
        ({"image_id": "462822612"}, "line 3: image_id is '462822612'.*line 2 has the same"),
        ({"patient_id": "../1"}, r"line 3: patient_id is '../1', expected a name without"),
        ({"image_id": "/etc/x"}, "line 3: image_id is '/etc/x'"),
        ({"image_id": "a\\b"}, "expected a name without separators"),
        ({"age": "old"}, "line 3: age is 'old', expected a number from 0 to 120"),
        ({"age": "nan"}, "line 3: age is 'nan', expected a number"),
        ({"BIRADS": "7"}, "line 3: BIRADS is '7'"),
        ({"density": "E"}, "line 3: density is 'E'"),
        ({"difficult_negative_case": "maybe"}, "difficult_negative_case is 'maybe'"),
    ],
)
def test_a_wrong_value_is_refused_by_its_line(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    write_table(tmp_path, {}, {"image_id": "7", **change})
    write_image(tmp_path / "train_images/10006/462822612.dcm")
    with pytest.raises(InputError, match=message):
        read(RsnaReader, tmp_path)


def test_a_wrong_folder_is_refused_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("x")
    with pytest.raises(InputError, match=r"train.csv or test.csv was expected.*some.txt"):
        read(RsnaReader, tmp_path)
    write_table(tmp_path, {})
    with pytest.raises(InputError, match=r"train_images/<patient>/<image>.dcm, seen: some.txt"):
        read(RsnaReader, tmp_path)


def test_a_renamed_column_is_refused(tmp_path: Path) -> None:
    small_set(tmp_path)
    table = pd.read_csv(tmp_path / "train.csv", dtype=str).rename(columns={"BIRADS": "birads"})
    table.to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(InputError, match=r"lacks the columns \['BIRADS'\]; it has"):
        read(RsnaReader, tmp_path)


def test_tables_only_takes_the_rows_whose_file_is_listed(tmp_path: Path) -> None:
    small_set(tmp_path)
    write_table(tmp_path, {}, {"image_id": "8"})
    manifest = read(RsnaReader, tmp_path, tables_only=True)
    assert column(manifest.rows, "view_position") == ["CC"]
    assert column(manifest.rows, "sop_uid") == [None]
    assert column(manifest.rejections, "reason").count("missing-file") == 1


def test_a_table_alone_becomes_a_manifest_in_one_piece(tmp_path: Path) -> None:
    write_rsna_table(tmp_path / "tables", 5_000, seed=1)
    tables = FileIndex(tuple(list_files(str(tmp_path / "tables"))))
    source = Source("/films", FileIndex(()), NAME, KEY, tables, tables_only=True)
    reader = RsnaReader(source)
    assert list(reader.requests()) == []
    manifest = reader.finish(Manifest.of_rows(schema=EXAMINED))
    assert manifest.seen == manifest.rows.num_rows == 5_000
    assert manifest.rows.schema.equals(MANIFEST)
    table = pd.read_csv(tmp_path / "tables/train.csv", dtype={"patient_id": str, "image_id": str})
    paths = "train_images/" + table["patient_id"] + "/" + table["image_id"] + ".dcm"
    assert column(manifest.rows, "uri") == ["/films/" + path for path in paths]
    assert column(manifest.rows, "image_id")[7] == source.image_id(paths[7])
    assert len(set(column(manifest.rows, "image_id"))) == 5_000
    assert sum(column(manifest.rows, "cancer")) == table["cancer"].sum() > 0
    assert list(table.columns) == list(TRAIN_COLUMNS)
    assert table.groupby("patient_id").size().max() == 4
