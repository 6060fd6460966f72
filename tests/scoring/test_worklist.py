"""The worklist: order, marks, and cells that no spreadsheet runs."""

import csv
import io
from typing import Any

import pyarrow as pa
import pytest

from mammo_ray import schema
from mammo_ray.scoring.worklist import worklist


def rows_of(*exams: dict[str, Any]) -> list[dict[str, str]]:
    """The parsed worklist of the given exams."""
    filled = [
        {"exam_id": f"exam-{k}", "reasons": [], "partial": False} | e for k, e in enumerate(exams)
    ]
    text = worklist(pa.Table.from_pylist(filled, schema=schema.EXAMS)).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_unscored_stand_first_then_the_scored_by_falling_risk() -> None:
    rows = rows_of(
        {"status": "scored", "score": 0.2},
        {"status": "scored", "score": 0.9},
        {"status": "out-of-scope", "score": 0.99},
        {"status": "incomplete", "score": 0.3, "partial": True},
        {"status": "incomplete", "score": 0.8, "partial": True},
        {"status": "incomplete"},
        {"status": "missing"},
        {"status": "failed"},
    )
    order = [7, 6, 5, 4, 3, 2, 1, 0]
    assert [row["exam_id"] for row in rows] == [f"exam-{k}" for k in order]
    assert [row["rank"] for row in rows] == [str(k) for k in range(1, 9)]


def test_a_partial_score_is_marked_and_reasons_are_joined() -> None:
    reasons = ["R MLO: absent", "L CC: decode-failed"]
    (row,) = rows_of({"status": "incomplete", "score": 0.25, "partial": True, "reasons": reasons})
    assert (row["score"], row["partial"]) == ("0.250000", "partial")
    assert row["reasons"] == "R MLO: absent; L CC: decode-failed"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_value_that_a_spreadsheet_would_run_is_disarmed(start: str) -> None:
    (row,) = rows_of({"status": "failed", "patient_id": f"{start}1+1", "accession": "a=1"})
    assert (row["patient_id"], row["accession"]) == (f"'{start}1+1", "a=1")


def test_an_archive_without_exams_gives_a_header_alone() -> None:
    assert worklist(schema.EXAMS.empty_table()).decode().startswith("rank,patient_id,accession,")
    assert rows_of() == []
