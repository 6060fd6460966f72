"""Which exam a file belongs to."""

from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import Protocol
from tests.scoring.test_aggregate import four_views, image, judge, only, rejection

WHOLE = (0.1, 0.2, 0.3, 0.4)


def statuses(*args: object, **kwargs: object) -> list[str]:
    """Sorted statuses of all exams."""
    return sorted(judge(*args, **kwargs).exams["status"].to_pylist())


def test_without_a_study_an_exam_is_patient_and_date() -> None:
    first = four_views(*WHOLE, study_uid=None)
    second = four_views(*WHOLE, study_uid="", study_date="20220202")
    exams = judge(first + second).exams.to_pylist()
    assert [exam["status"] for exam in exams] == ["scored", "scored"]
    assert {exam["exam_id"] for exam in exams} == {
        keyed_id("exam", "key", "P1", "20200101"),
        keyed_id("exam", "key", "P1", "20220202"),
    }


def test_a_file_without_a_study_joins_the_only_study_of_its_patient_and_date() -> None:
    images = four_views(*WHOLE)
    images[3]["study_uid"] = None
    assert only(judge(images))["status"] == "scored"


def test_a_file_without_a_study_joins_none_of_two_studies() -> None:
    images = [*four_views(*WHOLE), *four_views(*WHOLE, study_uid="1.2"), image("L", "CC")]
    images[8]["study_uid"] = None
    assert statuses(images) == ["incomplete", "scored", "scored"]


def test_a_patient_without_a_date_is_one_exam() -> None:
    assert statuses(four_views(*WHOLE, study_uid=None, study_date=None)) == ["scored"]


def test_patients_who_share_a_study_uid_are_kept_apart_and_never_scored() -> None:
    images = [*four_views(*WHOLE), *four_views(0.6, 0.7, 0.8, 0.9, patient_id="P2")]
    exams = judge(images).exams.to_pylist()
    assert {exam["patient_id"]: round(exam["score"], 2) for exam in exams} == {
        "P1": 0.35,
        "P2": 0.85,
    }
    assert {exam["status"] for exam in exams} == {"incomplete"}
    assert exams[0]["reasons"] == ["study UID: shared by several patients"]


def test_an_image_with_neither_study_nor_patient_is_an_exam_of_its_own() -> None:
    nobody = {"study_uid": None, "patient_id": None}
    images = [image("L", "CC", 0.9, **nobody), image("L", "CC", None, **nobody)]
    exams = {e["status"]: e for e in judge(images, protocol=Protocol.ANY).exams.to_pylist()}
    assert set(exams) == {"incomplete", "failed"}
    assert exams["incomplete"]["reasons"] == ["no study and no patient"]
    assert (exams["incomplete"]["score"], exams["incomplete"]["partial"]) == (0.9, True)
    assert exams["failed"]["exam_id"] == keyed_id("exam", "key", "i1")


def test_a_file_rejected_with_a_header_counts_against_its_exam() -> None:
    lost = rejection("/b/x.dcm", study_uid="1.1", laterality="R", view_position="MLO")
    exam = only(judge(four_views(*WHOLE)[:3], [lost | {"reason": "no-pixel-data"}]))
    assert (exam["status"], exam["reasons"]) == ("incomplete", ["R MLO: no-pixel-data"])
    assert (exam["images_planned"], exam["images_rejected"]) == (4, 1)


def test_a_rejected_file_finds_its_exam_by_patient_and_date() -> None:
    lost = rejection("/b/x.dcm", patient_id="P1", study_date="20200101")
    assert statuses(four_views(*WHOLE), [lost]) == ["incomplete"]


def test_a_rejected_file_without_a_date_finds_the_only_exam_of_its_patient() -> None:
    lost = rejection("/b/x.dcm", patient_id="P1")
    assert statuses(four_views(*WHOLE), [lost]) == ["incomplete"]
    twice = [*four_views(*WHOLE), *four_views(*WHOLE, study_uid="1.2", study_date="20220202")]
    assert statuses(twice, [lost]) == ["failed", "scored", "scored"]


def test_an_unreadable_file_counts_against_the_only_exam_of_its_folder() -> None:
    result = judge(four_views(*WHOLE), [rejection("/a/noise.dcm")])
    exam = only(result)
    assert exam["status"] == "incomplete"
    assert exam["reasons"] == ["side and view unknown: not-dicom (by folder)"]
    breasts = {row["laterality"]: row for row in result.breasts.to_pylist()}
    assert [breasts[side]["partial"] for side in ("L", "R", "unknown")] == [True, True, False]


def test_an_unreadable_file_between_two_exams_is_neither_lost_nor_guessed() -> None:
    images = [*four_views(*WHOLE), *four_views(*WHOLE, study_uid="1.2")]
    result = judge(images, [rejection("/a/noise.dcm"), rejection("/c/alone.dcm")])
    failed = [row for row in result.exams.to_pylist() if row["status"] == "failed"]
    assert result.exams.num_rows == 4
    assert [row["patient_id"] for row in failed] == [None, None]
    assert all("no study and no patient" in row["reasons"] for row in failed)


def test_an_exam_whose_every_file_was_rejected_still_appears() -> None:
    lost = [rejection("/d/1.dcm", study_uid="1.9", patient_id="P9"), rejection("/d/2.dcm")]
    exam = only(judge([], lost))
    assert (exam["status"], exam["patient_id"], exam["images_rejected"]) == ("failed", "P9", 2)


def test_every_file_counts_once() -> None:
    images = [*four_views(*WHOLE), image(None, None, None, study_uid=None, patient_id=None)]
    result = judge(images, [rejection("/a/n.dcm"), rejection("/z/n.dcm")])
    for table in (result.exams, result.breasts):
        totals = {n: sum(table[f"images_{n}"].to_pylist()) for n in ("planned", "scored")}
        assert totals == {"planned": 7, "scored": 4}
