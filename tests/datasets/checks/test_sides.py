"""Shared women and films, unknown patients, repeated images, class balance."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.checks.finding import Check, Severity
from mammo_ray.datasets.checks.sides import check_sides
from tests.datasets.checks.frames import answer, frame


def test_women_and_films_on_both_sides_are_found_and_shown_by_image_id() -> None:
    rows = frame(
        {"patient_id": "P1", "film_id": "f1", "split": "train"},
        {"patient_id": "P1", "film_id": "f1", "split": "test"},
        {"patient_id": "P2", "film_id": "f2", "split": "train"},
        {"patient_id": "P2", "film_id": "f3", "split": None},
        {"patient_id": None, "film_id": None, "split": "test"},
    )
    answers = list(check_sides(rows))
    women = answer(answers, Check.SHARED_WOMEN)
    assert women is not None
    assert (women.count, women.severity) == (1, Severity.FINDING)
    assert women.examples == ("img-0", "img-1")
    assert "1 of 2 women" in women.detail
    assert "1 in test, 1 in train" in women.detail
    assert "P1" not in women.detail
    films = answer(answers, Check.SHARED_FILMS)
    assert films is not None
    assert films.count == 1


def test_an_honest_split_gives_no_finding() -> None:
    rows = frame(
        {"patient_id": "P1", "split": "train", "cancer": 1},
        {"patient_id": "P2", "split": "train", "cancer": 0},
        {"patient_id": "P3", "split": "test", "cancer": 1},
        {"patient_id": "P4", "split": "test", "cancer": 0},
    )
    assert [one.check for one in check_sides(rows)] == [Check.CLASS_BALANCE]


def test_the_merged_cbis_tables_share_31_women_and_29_films(real_data: Path) -> None:
    rows = []
    for kind in ("calc", "mass"):
        for side in ("train", "test"):
            path = real_data / "cbis_ddsm" / f"{kind}_case_description_{side}_set.csv"
            of_table = pd.read_csv(path)
            where = of_table[["patient_id", "left or right breast", "image view"]]
            films = where.agg("-".join, axis=1)
            rows += [
                {"patient_id": patient, "film_id": film, "split": side}
                for patient, film in zip(of_table["patient_id"], films, strict=True)
            ]
    unique = [{**row, "image_id": f"img-{k:04d}"} for k, row in enumerate(rows)]
    answers = list(check_sides(frame(*unique)))
    women, films_found = answer(answers, Check.SHARED_WOMEN), answer(answers, Check.SHARED_FILMS)
    assert women is not None
    assert women.count == 31
    assert "of 1,566 women" in women.detail
    assert films_found is not None
    assert films_found.count == 29


def test_images_without_a_patient_and_repeated_images_are_found() -> None:
    rows = frame({"patient_id": None}, {"patient_id": "P", "image_id": "img-0"})
    answers = list(check_sides(rows))
    for check in (Check.UNKNOWN_PATIENTS, Check.REPEATED_IMAGES):
        found = answer(answers, check)
        assert found is not None
        assert (found.count, found.severity) == (1, Severity.FINDING)


@pytest.mark.parametrize(("cancer", "word"), [(0, "without"), (1, "with")])
def test_a_side_of_one_class_is_found(cancer: int, word: str) -> None:
    rows = frame(
        {"patient_id": "P1", "split": "train", "cancer": 1},
        {"patient_id": "P2", "split": "train", "cancer": 0},
        {"patient_id": "P3", "split": "test", "cancer": cancer},
    )
    found = answer(list(check_sides(rows)), Check.ONE_CLASS_SIDE)
    assert found is not None
    assert found.detail == f"all 1 labelled images of test are {word} cancer"


def test_class_balance_is_noted_by_images_and_women() -> None:
    rows = frame(
        {"patient_id": "P1", "split": "train", "cancer": 1},
        {"patient_id": "P1", "split": "train", "cancer": 0},
        {"patient_id": "P2", "split": "train", "cancer": 0},
        {"patient_id": "P3", "split": None, "cancer": 0},
        {"patient_id": "P4", "split": "test", "cancer": None},
    )
    note = answer(list(check_sides(rows)), Check.CLASS_BALANCE)
    assert note is not None
    assert "train: 1 of 3 images (33.3 %), 1 of 2 women" in note.detail
    assert "no side: 0 of 1 images" in note.detail
