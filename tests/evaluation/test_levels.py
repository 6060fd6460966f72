"""Levels: who is judged, with which score and which label."""

import pandas as pd
import pytest

from mammo_ray.errors import InputError
from mammo_ray.evaluation.levels import judged_images, units_of


def scores() -> pd.DataFrame:
    """Two women; A has two exams, the second by date only; one image of A is unscored.

    A's left breast has an MLO twice (0.2, 0.6) and a CC (0.5): mean of 0.4 and 0.5.
    """
    return pd.DataFrame(
        [
            ("A", "1.1", "20200101", "L", "MLO", 0, 0.2),
            ("A", "1.1", "20200101", "L", "MLO", 0, 0.6),
            ("A", "1.1", "20200101", "L", "CC", 0, 0.5),
            ("A", "1.1", "20200101", "R", "MLO", 1, None),
            ("A", "1.1", "20200101", "R", "CC", 0, 0.3),
            ("A", "", "20220101", "R", None, None, 0.9),
            ("B", None, "20220101", None, "CC", 0, 0.1),
            ("B", None, "20220101", None, "CC", 0, 0.5),
            ("B", None, "20220101", "R", "CC", None, 0.4),
        ],
        columns=[
            "patient_id",
            "study_uid",
            "study_date",
            "laterality",
            "view_position",
            "cancer",
            "score",
        ],
    )


def as_tuples(units: pd.DataFrame) -> list[tuple[object, ...]]:
    cleaned = units.round(9).astype("object").where(units.notna(), None)
    return sorted(map(tuple, cleaned.to_numpy().tolist()), key=str)


def test_images_stay_rows() -> None:
    units = units_of(judged_images(scores()), "image")
    assert len(units) == 9
    assert not units["partial"].any()


def test_a_breast_is_the_mean_of_its_views_and_knows_when_an_image_is_missing() -> None:
    assert as_tuples(units_of(judged_images(scores()), "breast")) == [
        ("A", 0.0, 0.45, False),
        ("A", 1.0, 0.3, True),  # the cancer stands in the unscored image
        ("A", None, 0.9, False),
        ("B", None, 0.4, False),
    ]


def test_an_exam_is_a_study_or_else_a_day_of_a_woman() -> None:
    assert as_tuples(units_of(judged_images(scores()), "exam")) == [
        ("A", 1.0, 0.45, True),
        ("A", None, 0.9, False),
        ("B", 0.0, 0.5, False),
    ]


def test_a_unit_without_any_score_is_unscored_and_not_partial() -> None:
    frame = scores().iloc[[3]]
    assert as_tuples(units_of(judged_images(frame), "breast")) == [("A", 1.0, None, False)]


def test_only_patient_label_and_score_are_needed() -> None:
    frame = scores()[["patient_id", "cancer", "score"]]
    assert len(units_of(judged_images(frame), "exam")) == 2
    assert len(units_of(judged_images(frame), "breast")) == 0


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (scores().drop(columns="score"), "lack the columns score"),
        (scores().assign(patient_id=[None, *"AAAAABBB"]), "1 scores have no patient_id"),
        (scores().assign(score=[0.5] * 8 + [1.5]), "1 scores lie outside 0 to 1"),
    ],
)
def test_scores_that_cannot_be_judged_are_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judged_images(frame)
