"""Labels that contradict, are missing, or are readings."""

from mammo_ray.datasets.checks.finding import Check, Severity
from mammo_ray.datasets.checks.labels import check_labels
from tests.datasets.checks.frames import Row, answer, frame

_BREAST: Row = {"patient_id": "P", "study_uid": "S", "laterality": "L", "label_level": "breast"}


def test_one_film_with_two_labels_is_found_but_its_lesions_may_differ() -> None:
    film = {"patient_id": "P", "film_id": "f", "label_level": "lesion"}
    crops = [{**film, "kind": "crop", "cancer": cancer} for cancer in (0, 1)]
    assert answer(list(check_labels(frame(*crops))), Check.CONTRADICTING_FILMS) is None
    films = [{**film, "cancer": cancer} for cancer in (0, 1)]
    found = answer(list(check_labels(frame(*films, *crops))), Check.CONTRADICTING_FILMS)
    assert found is not None
    assert (found.count, found.severity) == (1, Severity.FINDING)
    assert found.examples == ("img-0", "img-1")


def test_labels_of_a_breast_must_agree_over_its_views() -> None:
    rows = frame(
        {**_BREAST, "cancer": 1},
        {**_BREAST, "cancer": 0},
        {**_BREAST, "laterality": "R", "cancer": 0},
        {**_BREAST, "study_uid": "T", "cancer": 0},
        {**_BREAST, "cancer": None},
    )
    found = answer(list(check_labels(rows)), Check.CONTRADICTING_BREASTS)
    assert found is not None
    assert (found.count, found.examples) == (1, ("img-0", "img-1"))


def test_labels_of_images_may_differ_over_the_views_and_are_noted() -> None:
    rows = frame(
        {**_BREAST, "label_level": "image", "cancer": 1},
        {**_BREAST, "label_level": "image", "cancer": 0},
    )
    answers = list(check_labels(rows))
    assert answer(answers, Check.CONTRADICTING_BREASTS) is None
    note = answer(answers, Check.DISAGREEING_VIEWS)
    assert note is not None
    assert note.severity == Severity.NOTE


def test_exams_without_a_study_are_told_apart_by_date() -> None:
    visit = {"patient_id": "P", "laterality": "L", "label_level": "breast"}
    rows = frame(
        {**visit, "study_date": "20200101", "cancer": 0},
        {**visit, "study_date": "20220101", "cancer": 1},
    )
    assert answer(list(check_labels(rows)), Check.CONTRADICTING_BREASTS) is None


def test_a_reading_that_fills_cancer_is_found() -> None:
    rows = frame({"label_source": "reading", "cancer": 1}, {"label_source": "reading"})
    found = answer(list(check_labels(rows)), Check.READING_AS_LABEL)
    assert found is not None
    assert found.examples == ("img-0",)


def test_the_unlabelled_share_is_noted() -> None:
    note = answer(list(check_labels(frame({}, {"cancer": 0}, {}, {}))), Check.UNLABELLED)
    assert note is not None
    assert "3 of 4 images (75.0 %)" in note.detail


def test_kinds_that_stand_together_are_noted() -> None:
    rows = frame({"image_kind": "ffdm"}, {"image_kind": "film"}, {"image_kind": "ffdm"})
    note = answer(list(check_labels(rows)), Check.MIXED)
    assert note is not None
    assert "2 ffdm, 1 film" in note.detail


def test_lesions_that_nobody_drew_are_counted() -> None:
    lesion = {"number": 1}
    circle = {"form": "circle", "points": [1.0, 2.0], "radius": 3.0}
    rows = frame(
        {"abnormalities": [lesion, lesion], "mask_uris": ["m", None]},
        {"abnormalities": [lesion], "outlines": [circle]},
        {"abnormalities": [lesion], "mask_uris": ["m"]},
        {"abnormalities": [lesion], "kind": "crop"},
        {"abnormalities": [{"number": None, "type": "NORM"}]},
        {},
    )
    note = answer(list(check_labels(rows)), Check.LESIONS_WITHOUT_OUTLINE)
    assert note is not None
    assert (note.count, note.examples) == (1, ("img-0",))
    assert "1 of 4 lesions" in note.detail


def test_crops_whose_film_is_missing_are_noted() -> None:
    rows = frame(
        {"image_id": "film"},
        {"kind": "crop", "parent_image_id": "film"},
        {"kind": "crop", "parent_image_id": None},
        {"kind": "crop", "parent_image_id": "gone"},
    )
    note = answer(list(check_labels(rows)), Check.ORPHAN_CROPS)
    assert note is not None
    assert (note.count, note.examples) == (2, ("img-2", "img-3"))


def test_a_plain_manifest_has_nothing_to_say() -> None:
    rows = frame(
        {**_BREAST, "cancer": 0, "label_source": "pathology"},
        {**_BREAST, "laterality": "R", "cancer": 1, "label_source": "pathology"},
    )
    assert list(check_labels(rows)) == []
