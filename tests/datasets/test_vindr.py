"""The layout `vindr`: readings, boxes, and what does not fit."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.vindr import VindrReader
from mammo_ray.errors import InputError
from tests.datasets.reading import by_path, column, read
from tests.films import breast_pixels, film, write_film

BREAST = {
    "study_id": "s1", "series_id": "e1", "image_id": "a", "laterality": "L",
    "view_position": "CC", "height": "96", "width": "64", "breast_birads": "BI-RADS 4",
    "breast_density": "DENSITY C", "split": "training",
}  # fmt: skip
FINDING = {
    **BREAST, "finding_categories": "['Mass']", "finding_birads": "BI-RADS 4",
    "xmin": "10.5", "ymin": "20.25", "xmax": "30.5", "ymax": "44.75",
}  # fmt: skip
NOTHING = {
    "finding_categories": "['No Finding']", "finding_birads": "", "xmin": "", "ymin": "",
    "xmax": "", "ymax": "",
}  # fmt: skip


def write_tables(root: Path, breasts: list[dict[str, str]], findings: list[dict[str, str]]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    breast = pd.DataFrame([{**BREAST, **row} for row in breasts])
    breast.to_csv(root / "breast-level_annotations.csv", index=False)
    finding = pd.DataFrame([{**FINDING, **row} for row in findings])
    finding.to_csv(root / "finding_annotations.csv", index=False)


def write_image(root: Path, study: str, image: str, side: str = "L") -> None:
    dataset = film(breast_pixels(), ImageLaterality=side, SOPInstanceUID=f"1.2.{ord(image)}")
    write_film(root / f"images/{study}/{image}.dicom", dataset)


def small_set(root: Path) -> None:
    """Three images of two studies: two findings, none, and one without a word."""
    write_tables(
        root,
        [{}, {"image_id": "b", "laterality": "R", "breast_birads": "BI-RADS 1"},
         {"image_id": "c", "study_id": "s2", "split": "test", "breast_density": ""}],
        [{}, {"finding_categories": "['Suspicious Calcification', \"Skin Retraction\"]",
              "finding_birads": "BI-RADS 5", "xmin": "1", "ymin": "2", "xmax": "3", "ymax": "4"},
         {"image_id": "b", **NOTHING}],
    )  # fmt: skip
    write_image(root, "s1", "a")
    write_image(root, "s1", "b", "R")
    write_image(root, "s2", "c")


def test_readings_fill_birads_and_never_cancer(tmp_path: Path) -> None:
    small_set(tmp_path)
    manifest = read(VindrReader, tmp_path)
    rows = by_path(manifest.rows, tmp_path)
    first = rows["images/s1/a.dicom"]
    expected = {
        "patient_id": "s1", "study_uid": "s1", "series_uid": "e1", "laterality": "L",
        "view_position": "CC", "birads": "4", "density": "C", "cancer": None,
        "label_source": "reading", "label_level": "breast", "split": "train", "kind": "full",
        "mask_uris": None,
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    assert rows["images/s2/c.dicom"]["split"] == "test"
    assert rows["images/s2/c.dicom"]["density"] is None
    assert manifest.rejections.num_rows == 0


def test_boxes_are_rows_and_columns_beside_their_lesion(tmp_path: Path) -> None:
    small_set(tmp_path)
    rows = by_path(read(VindrReader, tmp_path).rows, tmp_path)
    first = rows["images/s1/a.dicom"]
    assert first["outlines"] == [
        {"form": "box", "points": [20.25, 10.5, 44.75, 30.5], "radius": None},
        {"form": "box", "points": [2.0, 1.0, 4.0, 3.0], "radius": None},
    ]
    said = [(a["number"], a["type"], a["assessment"]) for a in first["abnormalities"]]
    assert said == [(1, "Mass", 4), (2, "Suspicious Calcification; Skin Retraction", 5)]


def test_no_finding_differs_from_nothing_known(tmp_path: Path) -> None:
    small_set(tmp_path)
    rows = by_path(read(VindrReader, tmp_path).rows, tmp_path)
    looked_at, unknown = rows["images/s1/b.dicom"], rows["images/s2/c.dicom"]
    assert (looked_at["outlines"], looked_at["abnormalities"]) == ([], [])
    assert (unknown["outlines"], unknown["abnormalities"]) == (None, None)


def test_metadata_gives_age_and_machine_where_it_is_there(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "metadata.csv").write_text(
        "SOP Instance UID,Patient's Age,Manufacturer,Manufacturer's Model Name\n"
        "b,061Y,SIEMENS,Mammomat Inspiration\na,,PLANMED,Planmed Nuance\n"
    )
    rows = by_path(read(VindrReader, tmp_path).rows, tmp_path)
    names = ("age", "manufacturer", "model_name")
    assert [rows["images/s1/b.dicom"][n] for n in names] == [
        61.0,
        "SIEMENS",
        "Mammomat Inspiration",
    ]
    assert [rows["images/s1/a.dicom"][n] for n in names] == [None, "PLANMED", "Planmed Nuance"]
    assert [rows["images/s2/c.dicom"][n] for n in names] == [None, None, None]


def test_a_film_of_another_size_than_its_boxes_is_rejected(tmp_path: Path) -> None:
    small_set(tmp_path)
    write_tables(tmp_path, [{"height": "97"}], [{}])
    manifest = read(VindrReader, tmp_path)
    reasons = {Path(r["uri"]).stem: r for r in manifest.rejections.to_pylist()}
    assert reasons["a"]["reason"] == "table-row-invalid"
    assert reasons["a"]["detail"] == "Rows (0028,0010) is 96, the table says 97"
    assert (reasons["b"]["reason"], reasons["c"]["reason"]) == ("not-in-table", "not-in-table")


def test_a_missing_film_keeps_its_identity(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / "images/s1/b.dicom").unlink()
    manifest = read(VindrReader, tmp_path)
    (row,) = manifest.rejections.to_pylist()
    assert (row["reason"], row["patient_id"], row["laterality"]) == ("missing-file", "s1", "R")
    assert sorted(column(manifest.exclusions, "rule")) == ["not-an-image"] * 2


@pytest.mark.parametrize(
    ("breast", "finding", "message"),
    [
        ({"laterality": "B"}, {}, "breast-level_annotations.csv line 2: laterality is 'B'"),
        ({"breast_birads": "4"}, {}, "line 2: breast_birads is '4', expected a known word"),
        ({"breast_density": "C"}, {}, "line 2: breast_density is 'C'"),
        ({"split": "valid"}, {}, "line 2: split is 'valid'"),
        ({"study_id": "../s"}, {}, "line 2: study_id is '../s'"),
        ({"height": "tall"}, {}, "line 2: height is 'tall'"),
        ({}, {"image_id": "z"}, "finding_annotations.csv line 2: image_id is 'z', expected an im"),
        ({}, {"finding_categories": "Mass"}, "finding_categories is 'Mass'"),
        ({}, {"finding_categories": "__import__('os')"}, "finding_categories is .__import__"),
        ({}, {"finding_birads": "high"}, "finding_birads is 'high'"),
        ({}, {"xmax": "9"}, "line 2: xmax is '9', expected at least xmin"),
        ({}, {"ymin": ""}, "line 2: ymin is '', expected a number: the finding needs a box"),
        ({}, {"xmin": "inf"}, "line 2: xmin is 'inf'"),
    ],
)
def test_a_wrong_value_is_refused_by_its_line(
    tmp_path: Path, breast: dict[str, str], finding: dict[str, str], message: str
) -> None:
    write_tables(tmp_path, [breast], [finding])
    write_image(tmp_path, "s1", "a")
    with pytest.raises(InputError, match=message):
        read(VindrReader, tmp_path)


def test_a_folder_without_its_tables_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path, "s1", "a")
    with pytest.raises(InputError, match=r"breast-level_annotations.csv was expected.*images"):
        read(VindrReader, tmp_path)
