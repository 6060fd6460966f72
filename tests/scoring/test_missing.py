"""Missing exams stand among the exams and on the worklist."""

import csv
import io

import pyarrow as pa

from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import EXAMS, MISSING_EXAMS
from mammo_ray.scoring.missing import with_missing_exams
from mammo_ray.scoring.worklist import worklist
from tests.scoring.test_aggregate import four_views, judge

MISSING = pa.Table.from_pylist(
    [
        {"study_uid": "1.9", "accession": "A9", "patient_id": "P9", "study_date": "20200103",
         "detail": "never came"},
        {"accession": "A8", "detail": "no screening image came: 2 files left out by rule"},
    ],
    MISSING_EXAMS,
)  # fmt: skip


def test_every_missing_exam_is_a_row_without_a_score() -> None:
    judged = judge(four_views(0.1, 0.2, 0.3, 0.4))
    result = with_missing_exams(judged, MISSING, "key")
    assert result.exams.schema.equals(EXAMS)
    assert result.breasts.equals(judged.breasts)
    ids = result.exams.column("exam_id").to_pylist()
    assert ids == sorted(ids)
    exams = {row["exam_id"]: row for row in result.exams.to_pylist()}
    assert len(exams) == 3
    by_study = exams[keyed_id("exam", "key", "1.9")]
    assert (by_study["status"], by_study["score"]) == ("missing", None)
    assert by_study["reasons"] == ["never came"]
    assert (by_study["patient_id"], by_study["accession"]) == ("P9", "A9")
    assert [by_study[f"images_{n}"] for n in ("planned", "scored", "rejected")] == [0, 0, 0]
    assert exams[keyed_id("exam", "key", "accession", "A8")]["study_uid"] is None


def test_its_id_is_the_one_that_its_images_would_have_had() -> None:
    missing = with_missing_exams(judge([]), MISSING, "key").exams.to_pylist()
    came = judge(four_views(0.1, 0.2, 0.3, 0.4, study_uid="1.9")).exams.to_pylist()
    assert came[0]["exam_id"] in {row["exam_id"] for row in missing}


def test_missing_exams_stand_before_all_that_have_a_score() -> None:
    images = [*four_views(0.1, 0.2, 0.3, 0.9), *four_views(0.1, None, 0.3, 0.4, study_uid="1.2")]
    result = with_missing_exams(judge(images), MISSING, "key")
    rows = list(csv.DictReader(io.StringIO(worklist(result.exams).decode())))
    assert [row["status"] for row in rows] == ["missing", "missing", "incomplete", "scored"]
    assert {row["reasons"] for row in rows[:2]} == set(MISSING.column("detail").to_pylist())


def test_nobody_missing_changes_nothing() -> None:
    judged = judge(four_views(0.1, 0.2, 0.3, 0.4))
    assert with_missing_exams(judged, MISSING_EXAMS.empty_table(), "key").exams.equals(judged.exams)
