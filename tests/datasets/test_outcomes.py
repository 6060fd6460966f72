"""Outcomes are checked as a whole; labels reach exactly the images they speak of."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mammo_ray.datasets.outcomes import Labelled, apply_outcomes, check_outcomes, read_outcomes
from mammo_ray.errors import InputError
from mammo_ray.schema import MANIFEST, LabelLevel

_COLUMNS = ("image_id", "sop_uid", "patient_id", "laterality", "view_position")
_ROWS = [
    ("a", "1", "W1", "L", "CC"),
    ("b", "2", "W1", "L", "MLO"),
    ("c", "3", "W1", "R", "CC"),
    ("d", "4", "W2", None, None),
]
IMAGES = [dict(zip(_COLUMNS, row, strict=True)) for row in _ROWS]


def _label(*rows: dict[str, str]) -> Labelled:
    return apply_outcomes(
        pa.Table.from_pylist(IMAGES, MANIFEST), check_outcomes(pd.DataFrame(rows, dtype=str))
    )


def _cancer(labelled: Labelled) -> list[int | None]:
    return labelled.rows.column("cancer").to_pylist()


def test_a_row_with_a_sop_uid_labels_one_image() -> None:
    labelled = _label(
        {"sop_instance_uid": "2", "cancer": "1", "tissue": "D", "abnormality": "CIRC"},
        {"sop_instance_uid": "9", "cancer": "0", "tissue": "", "abnormality": ""},
    )
    assert _cancer(labelled) == [None, 1, None, None]
    assert labelled.unmatched == 1
    row = labelled.rows.to_pylist()[1]
    assert row["density"] == "D"
    assert row["label_level"] == LabelLevel.IMAGE
    assert row["abnormalities"][0]["type"] == "CIRC"
    assert labelled.rows.column("label_level").to_pylist()[0] is None


def test_a_row_with_patient_and_side_labels_a_breast() -> None:
    labelled = _label({"patient_id": "W1", "laterality": "L", "cancer": "1"})
    assert _cancer(labelled) == [1, 1, None, None]
    assert labelled.rows.column("label_level").to_pylist()[0] == LabelLevel.BREAST


def test_a_row_with_a_patient_labels_a_woman() -> None:
    labelled = _label({"patient_id": "W2", "cancer": "0"})
    assert _cancer(labelled) == [None, None, None, 0]


def test_a_header_that_disagrees_withholds_the_label() -> None:
    labelled = _label({"sop_instance_uid": "1", "laterality": "R", "cancer": "1"})
    assert _cancer(labelled) == [None, None, None, None]
    assert labelled.withheld == 1


def test_a_header_that_says_nothing_does_not_disagree() -> None:
    labelled = _label({"sop_instance_uid": "4", "laterality": "R", "cancer": "1"})
    assert _cancer(labelled) == [None, None, None, 1]


def test_several_lesions_of_one_image_are_gathered() -> None:
    labelled = _label(
        {"sop_instance_uid": "1", "cancer": "1", "abnormality": "CALC"},
        {"sop_instance_uid": "1", "cancer": "1", "abnormality": "CIRC"},
    )
    kinds = [a["type"] for a in labelled.rows.to_pylist()[0]["abnormalities"]]
    assert kinds == ["CALC", "CIRC"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"sop_instance_uid": "1", "cancer": "1", "colour": "red"}], r"unknown column.*colour"),
        ([{"sop_instance_uid": "1"}], "no column 'cancer'"),
        ([{"cancer": "1"}], "sop_instance_uid"),
        ([{"sop_instance_uid": "", "cancer": "1"}], "line 2: sop_uid is empty"),
        ([{"sop_instance_uid": "1", "cancer": "yes"}], "line 2: cancer is 'yes'"),
        ([{"sop_instance_uid": "1", "cancer": "1", "age": "old"}], "line 2: age is 'old'"),
        ([{"sop_instance_uid": "1", "cancer": "1", "age": "nan"}], "line 2: age is 'nan'"),
        ([{"sop_instance_uid": "1", "cancer": "1", "split": "dev"}], "line 2: split is 'dev'"),
        (
            [{"patient_id": "W1", "laterality": "left", "cancer": "1"}],
            "line 2: laterality is 'left'",
        ),
        (
            [{"patient_id": "W1", "cancer": "1", "label_source": "reading"}],
            "line 2: cancer is given with label_source 'reading'",
        ),
        (
            [
                {"sop_instance_uid": "7", "cancer": "0"},
                {"sop_instance_uid": "1", "cancer": "0"},
                {"sop_instance_uid": "1", "cancer": "1"},
            ],
            r"lines \[3, 4\] contradict each other in 'cancer'",
        ),
        (
            [
                {"sop_instance_uid": "1", "cancer": "0", "laterality": "L"},
                {"sop_instance_uid": "1", "cancer": "0", "laterality": "R"},
            ],
            "contradict each other in 'laterality'",
        ),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_outcomes(pd.DataFrame(rows, dtype=str))


def test_a_contradiction_in_another_column_than_the_label_is_found_too() -> None:
    rows = [
        {"patient_id": "W1", "cancer": "0", "density": "A"},
        {"patient_id": "W1", "cancer": "0", "density": "B"},
    ]
    with pytest.raises(InputError, match="density"):
        check_outcomes(pd.DataFrame(rows, dtype=str))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00bad", None])
def test_an_unreadable_file_is_an_input_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "outcomes.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="outcomes"):
        read_outcomes(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient_id,cancer\nW1,1,\n", "line 2: 3 fields, the header has 2"),
        ("patient_id,cancer\nW1,0\n\nW2\n", "line 4: 1 fields"),
        ('patient_id,site,cancer\nW1,"a\nb",0\nW2,c,5\n', "line 4: cancer is '5'"),
        ("patient_id,cancer, cancer\nW1,0,1\n", r"columns \['cancer'\] stand twice"),
        ('patient_id,cancer\n"W1,0\n', "not CSV"),
    ],
)
def test_a_table_of_uneven_rows_is_refused_with_its_true_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_outcomes(str(path))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text("patient_id,cancer\nW1,1\n", encoding="utf-8-sig")
    assert read_outcomes(str(path)).frame["cancer"].tolist() == [1]


def test_a_reading_may_be_given_where_it_claims_no_outcome() -> None:
    labelled = _label(
        {"patient_id": "W1", "cancer": "", "label_source": "reading", "birads": "5"},
    )
    assert _cancer(labelled) == [None] * 4
    assert labelled.rows.column("birads").to_pylist() == ["5", "5", "5", None]


def test_the_real_table_labels_every_film(real_archive: Path) -> None:
    outcomes = read_outcomes(str(real_archive / "outcomes.csv"))
    assert outcomes.level == LabelLevel.IMAGE
    assert len(outcomes.frame) == 264
    assert int(outcomes.frame["cancer"].sum()) == 45


def test_a_label_does_not_take_over_the_source_of_a_reading() -> None:
    rows = pa.Table.from_pylist(
        [{**image, "label_source": "reading", "birads": "2"} for image in IMAGES], MANIFEST
    )
    table = check_outcomes(pd.DataFrame([{"patient_id": "W2", "cancer": "0"}], dtype=str))
    labelled = apply_outcomes(rows, table)
    assert labelled.rows.column("label_source").to_pylist() == ["reading"] * 3 + [None]
    assert labelled.rows.column("birads").to_pylist() == ["2"] * 4
