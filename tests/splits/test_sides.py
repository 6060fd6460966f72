"""Sides by share: no woman on two of them, evenly spread, whatever the order of the rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mammo_ray.errors import InputError, PatientLeak, UsageError
from mammo_ray.splits import (
    SplitOptions,
    assign_split,
    carve_validation,
    leaking_shares,
    ratio_split,
    require_no_leak,
    split_table,
)
from tests.splits.women import archive


def test_split_takes_its_shares_of_women_in_both_strata() -> None:
    frame = archive(with_cancer=20, without=80)
    frame["split"] = assign_split(frame, 0.15, 0.25, seed=0)
    require_no_leak(frame, "split")
    women = frame.groupby("patient_id").agg(split=("split", "first"), cancer=("cancer", "max"))
    counts = women.groupby(["cancer", "split"]).size().to_dict()
    assert counts == {
        (0, "test"): 20, (0, "train"): 48, (0, "valid"): 12,
        (1, "test"): 5, (1, "train"): 12, (1, "valid"): 3,
    }  # fmt: skip


def test_split_does_not_depend_on_the_order_of_rows() -> None:
    frame = archive()
    sides = assign_split(frame, 0.15, 0.25, seed=4)
    shuffled = frame.sample(frac=1, random_state=1)
    assert (assign_split(shuffled, 0.15, 0.25, seed=4) == sides[shuffled.index]).all()


def test_smallest_split_gives_every_side_one_woman_of_each_kind() -> None:
    frame = archive(with_cancer=3, without=3, images=2)
    frame["split"] = assign_split(frame, 0.01, 0.9, seed=0)
    women = frame.groupby(["split", "patient_id"])["cancer"].max().reset_index()
    assert women.groupby(["split", "cancer"]).size().to_dict() == {
        (side, cancer): 1 for side in ("train", "valid", "test") for cancer in (0, 1)
    }


@pytest.mark.parametrize(("with_cancer", "without", "stratum"), [(2, 9, "with"), (9, 2, "without")])
def test_too_few_women_for_three_sides_are_refused_with_numbers(
    with_cancer: int, without: int, stratum: str
) -> None:
    with pytest.raises(InputError, match=rf"women {stratum} cancer .* at least 3, found 2"):
        assign_split(archive(with_cancer, without), 0.15, 0.25, seed=0)


def test_given_sides_are_kept_as_they_are() -> None:
    frame = archive()
    frame["split"] = np.where(frame["patient_id"] < "P050", "train", "test")
    assert (assign_split(frame, 0.15, 0.25, seed=0) == frame["split"]).all()


def test_rows_of_a_woman_follow_the_side_that_one_of_them_has() -> None:
    frame = archive()
    frame["split"] = None
    frame.loc[0, "split"] = "test"
    sides = assign_split(frame, 0.15, 0.25, seed=0)
    assert set(sides[frame["patient_id"] == "P000"]) == {"test"}


def test_an_official_test_side_gets_no_more_women() -> None:
    frame = archive()
    official = frame["patient_id"].isin(["P000", "P001", "P050"])
    frame["split"] = np.where(official, "test", None)
    sides = assign_split(frame, 0.2, 0.25, seed=0)
    assert set(frame["patient_id"][sides == "test"]) == {"P000", "P001", "P050"}
    assert frame["patient_id"][sides == "valid"].nunique() == 20  # of 97: 4 of 18 and 16 of 79


def test_unlabelled_women_are_divided_too() -> None:
    frame = archive()
    frame["cancer"] = frame["cancer"].astype("Int8")
    frame.loc[frame["patient_id"] >= "P060", "cancer"] = None
    sides = assign_split(frame, 0.15, 0.25, seed=0)
    unlabelled = sides[frame["cancer"].isna()]
    assert unlabelled.value_counts().to_dict() == {"train": 96, "test": 40, "valid": 24}


def test_a_given_split_with_a_woman_on_two_sides_is_refused() -> None:
    frame = archive()
    frame["split"] = "train"
    frame.loc[0, "split"] = "test"
    with pytest.raises(PatientLeak, match="1 women on more than one side"):
        assign_split(frame, 0.15, 0.25, seed=0)


def test_an_unknown_side_is_refused() -> None:
    frame = archive().assign(split="development")
    with pytest.raises(InputError, match="unknown split development"):
        assign_split(frame, 0.15, 0.25, seed=0)


def test_validation_is_carved_from_the_rest_or_from_the_held_out_part() -> None:
    frame = archive(with_cancer=100, without=100, images=2)
    rest = ratio_split(frame, SplitOptions(validation_fraction=0.25))
    assert rest.value_counts().to_dict() == {"train": 240, "valid": 80, "test": 80}
    held_out = SplitOptions(validation_from="test", validation_fraction=0.5)
    counts = ratio_split(frame, held_out).value_counts().to_dict()
    assert counts == {"train": 320, "valid": 40, "test": 40}


def test_who_is_held_out_does_not_depend_on_the_share_of_validation() -> None:
    frame = archive()
    first, second = (ratio_split(frame, SplitOptions(validation_fraction=f)) for f in (0.1, 0.3))
    assert ((first == "test") == (second == "test")).all()
    assert ((first == "valid") != (second == "valid")).any()


def test_a_ratio_split_overrules_the_split_column() -> None:
    frame = archive().assign(split="train")
    assert set(ratio_split(frame, SplitOptions())) == {"train", "valid", "test"}


def test_without_a_share_of_validation_there_is_none() -> None:
    assert set(ratio_split(archive(), SplitOptions(validation_fraction=0))) == {"train", "test"}


def test_a_split_by_row_shares_women_and_is_refused_until_it_is_marked() -> None:
    frame = archive()
    options = SplitOptions(allow_leakage=True)
    frame["split"] = ratio_split(frame, options)
    assert leaking_shares(frame, frame["split"])["women"] > 90
    with pytest.raises(PatientLeak, match="women stand on more than one side"):
        split_table(frame)
    table = split_table(frame, leakage_allowed=True)
    assert set(table["leakage"]) == {"allowed"}


def test_a_split_by_row_does_not_depend_on_the_order_of_rows() -> None:
    frame = archive()
    sides = ratio_split(frame, SplitOptions(allow_leakage=True))
    shuffled = frame.sample(frac=1, random_state=1)
    again = ratio_split(shuffled, SplitOptions(allow_leakage=True))
    assert (again == sides[shuffled.index]).all()


def test_a_split_by_row_of_the_real_tables_shares_women_and_films(cbis: pd.DataFrame) -> None:
    options = [SplitOptions(allow_leakage=True, seed=seed) for seed in range(8)]
    by_row = pd.DataFrame([leaking_shares(cbis, ratio_split(cbis, one)) for one in options])
    assert by_row["women"].mean() == pytest.approx(80, abs=1)
    # 19 % share the file; files of one film in the mass and calc tables add the rest.
    assert by_row["films"].mean() == pytest.approx(21.5, abs=1)
    by_patient = ratio_split(cbis, SplitOptions())
    assert leaking_shares(cbis, by_patient) == {"women": 0, "films": 0}


def test_carved_validation_takes_its_share_of_the_training_women_only() -> None:
    frame = archive(with_cancer=50, without=50)
    given = pd.Series(np.where(frame["patient_id"] < "P020", "test", "train"), dtype="str")
    sides = carve_validation(frame, given, 0.25, seed=0)
    assert (sides[given == "test"] == "test").all()
    valid = frame[sides == "valid"]
    assert valid["patient_id"].nunique() == 8 + 13  # a quarter of 30 and of 50, rounded
    require_no_leak(frame.assign(split=sides), "split")


def test_rows_of_no_side_stay_so_when_validation_is_carved() -> None:
    frame = archive()
    given = pd.Series(np.where(frame["patient_id"] < "P010", None, "train"), dtype="str")
    sides = carve_validation(frame, given, 0.2, seed=0)
    assert sides[frame["patient_id"] < "P010"].isna().all()
    assert (sides == "valid").sum() > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"test_fraction": 0.0}, "test fraction"),
        ({"test_fraction": 1.0}, "test fraction"),
        ({"validation_fraction": 1.0}, "validation fraction"),
        ({"kind": "folds", "folds": 1}, "at least 2 folds"),
        ({"kind": "official", "allow_leakage": True}, "not for official"),
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SplitOptions(**wrong)
