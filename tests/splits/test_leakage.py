"""Leaks are refused in numbers without identifiers, and counted."""

import pandas as pd
import pytest

from mammo_ray.errors import PatientLeak
from mammo_ray.splits import leaking_shares, leaking_shares_of_folds, require_no_leak
from tests.splits.women import archive


def test_a_leak_is_told_in_numbers_and_without_identifiers() -> None:
    frame = archive(with_cancer=3, without=3, images=4)
    frame["split"] = ["train", "test"] * 4 + ["train"] * 16
    with pytest.raises(PatientLeak) as caught:
        require_no_leak(frame, "split")
    message = str(caught.value)
    assert "2 women" in message
    assert "8 images are concerned (4 in test, 4 in train)" in message
    assert "P000" not in message


def test_a_film_on_two_sides_is_a_leak() -> None:
    frame = archive(images=1)
    frame["film_id"] = "film-" + frame.index.astype(str)
    frame.loc[1, "film_id"] = "film-0"
    frame["split"] = ["train", "test"] * 50
    with pytest.raises(PatientLeak, match="1 films"):
        require_no_leak(frame, "split")


def test_rows_of_no_side_are_no_leak() -> None:
    frame = archive(images=2)
    frame["split"] = ["train", None] * 100
    require_no_leak(frame, "split")


def test_women_and_films_are_told_together() -> None:
    frame = archive(with_cancer=2, without=2, images=2).assign(film_id=list("aabbccdd"))
    frame["split"] = ["train", "test", "train", "train", "test", "test", "train", "train"]
    with pytest.raises(PatientLeak, match=r"1 women and 1 films .* \(1 in test, 1 in train\)"):
        require_no_leak(frame, "split")


def test_leaking_shares_are_percentages_of_test_rows() -> None:
    frame = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b", "c", "d", None],
            "film_id": ["1", "1", "2", None, "3", None],
        }
    )
    sides = pd.Series(["valid", "test", "train", "test", "test", "test"])
    assert leaking_shares(frame, sides) == {"women": 25.0, "films": 25.0}
    assert leaking_shares(frame, pd.Series(["train"] * 6)) == {"women": None, "films": None}
    assert leaking_shares(frame[["patient_id"]], sides) == {"women": 25.0}


def test_leaking_shares_of_folds_count_every_row_once() -> None:
    frame = pd.DataFrame({"patient_id": ["a", "a", "b", "b", "c"], "film_id": None})
    folds = pd.Series([0, 1, 2, 2, 0], dtype="Int64")
    assert leaking_shares_of_folds(frame, folds) == {"women": 40.0, "films": None}
