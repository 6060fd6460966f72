"""Exams without all four views."""

from mammo_ray.datasets.checks.finding import Check
from mammo_ray.datasets.checks.views import check_views
from tests.datasets.checks.frames import Row, answer, frame


def _exam(study: str, *views: str) -> list[Row]:
    return [
        {"patient_id": study, "study_uid": study, "laterality": v[0], "view_position": v[1:]}
        for v in views
    ]


_FOUR = ("LCC", "LMLO", "RCC", "RMLO")


def test_exams_that_lack_a_view_are_counted_with_the_view() -> None:
    rows = [*_exam("A", *_FOUR), *_exam("B", "LCC", "LMLO", "RCC"), *_exam("C", "LMLO", "RMLO")]
    note = answer(list(check_views(frame(*rows))), Check.MISSING_VIEWS)
    assert note is not None
    assert note.count == 2
    assert "2 of 3 exams" in note.detail
    assert note.detail.endswith("L CC in 1, R CC in 1, R MLO in 1")
    assert note.examples[0] == "img-4"


def test_whole_exams_have_nothing_to_say() -> None:
    assert list(check_views(frame(*_exam("A", *_FOUR), *_exam("B", *_FOUR, "LCC")))) == []


def test_images_of_unknown_side_or_view_are_noted() -> None:
    rows = [*_exam("A", *_FOUR), {"patient_id": "A", "study_uid": "A", "laterality": "L"}]
    note = answer(list(check_views(frame(*rows))), Check.UNKNOWN_VIEWS)
    assert note is not None
    assert note.examples == ("img-4",)


def test_a_crop_is_no_view() -> None:
    rows = [*_exam("A", "LCC", "LMLO", "RCC"), {**_exam("A", "RMLO")[0], "kind": "crop"}]
    note = answer(list(check_views(frame(*rows))), Check.MISSING_VIEWS)
    assert note is not None


def test_images_of_nobody_make_no_exam() -> None:
    rows = [{"laterality": "L", "view_position": "CC"}]
    assert list(check_views(frame(*rows))) == []
