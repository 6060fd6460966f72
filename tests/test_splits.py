"""Splits: no woman on two sides, evenly spread, whatever the order of the rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammo_ray.errors import InputError, PatientLeak
from mammo_ray.splits import (
    assign_folds,
    assign_split,
    read_split,
    require_no_leak,
    split_table,
)


def archive(with_cancer: int = 20, without: int = 80, images: int = 4) -> pd.DataFrame:
    """A manifest in which every woman has `images` rows; cancer shows in the first two."""
    rows = [
        {
            "image_id": f"img-{woman:03d}-{image}",
            "patient_id": f"P{woman:03d}",
            "cancer": int(woman < with_cancer and image < 2),
        }
        for woman in range(with_cancer + without)
        for image in range(images)
    ]
    return pd.DataFrame(rows)


def women_with_cancer(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby("patient_id")["cancer"].max()


def test_folds_share_no_woman_and_hold_equal_numbers_of_women_with_cancer() -> None:
    frame = archive(with_cancer=23, without=81)
    frame["fold"] = assign_folds(frame, n_splits=5)
    require_no_leak(frame, "fold")
    women = frame.groupby("patient_id").agg(fold=("fold", "first"), cancer=("cancer", "max"))
    for cancer in (0, 1):
        counts = women[women["cancer"] == cancer].groupby("fold").size()
        assert len(counts) == 5
        assert counts.max() - counts.min() <= 1


def test_folds_balance_images_when_women_have_different_numbers_of_them() -> None:
    random = np.random.default_rng(3)
    sizes = random.integers(1, 20, size=200)
    frame = pd.DataFrame({"patient_id": np.repeat([f"P{i}" for i in range(200)], sizes)})
    frame["cancer"] = (frame["patient_id"].str[-1] == "0").astype(int)
    counts = np.bincount(assign_folds(frame, n_splits=5))
    assert counts.max() / counts.min() < 1.05


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    frame = archive()
    frame["fold"] = assign_folds(frame, seed=7)
    shuffled = frame.sample(frac=1, random_state=1)
    assert (assign_folds(shuffled, seed=7) == shuffled["fold"]).all()


def test_another_seed_gives_other_folds() -> None:
    frame = archive()
    assert (assign_folds(frame, seed=0) != assign_folds(frame, seed=1)).any()


def test_a_film_shared_by_two_patients_joins_them_in_one_fold() -> None:
    frame = archive(with_cancer=10, without=10, images=1)
    frame["film_id"] = [None] * len(frame)
    frame.loc[[0, 15], "film_id"] = "film-a"
    frame.loc[[15], "patient_id"] = "P005"  # P005 -> film-a -> P000: a chain over two columns
    for seed in range(5):
        folds = assign_folds(frame, seed=seed)
        assert len({folds[0], folds[5], folds[15]}) == 1


def test_a_fold_without_a_woman_with_cancer_is_refused_with_the_number() -> None:
    with pytest.raises(InputError, match="5 folds need at least 5 women with cancer, found 4"):
        assign_folds(archive(with_cancer=4), n_splits=5)


def test_one_fold_is_refused() -> None:
    with pytest.raises(InputError, match="found 1"):
        assign_folds(archive(), n_splits=1)


def test_a_row_without_a_patient_is_refused() -> None:
    frame = archive()
    frame.loc[3, "patient_id"] = None
    with pytest.raises(InputError, match="1 rows have no patient_id"):
        assign_folds(frame)


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
    with pytest.raises(InputError, match=rf"woman {stratum} cancer .* at least 3, found 2"):
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


def test_split_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    frame = archive()
    frame["split"] = assign_split(frame, 0.15, 0.25, seed=0)
    frame.loc[frame["patient_id"] == "P099", "split"] = None
    path = tmp_path / "split.csv"
    split_table(frame).to_csv(path, index=False)
    back = read_split(str(path))
    assert list(back.columns) == ["image_id", "patient_id", "split"]
    merged = frame.merge(back, on=["image_id", "patient_id"], suffixes=("", "_back"))
    assert len(merged) == len(frame) == len(back)
    assert merged["split"].equals(merged["split_back"])
    assert back["split"].isna().sum() == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,split\na,train\n", "lacks the columns patient_id"),
        ("image_id,patient_id,split\na,p,train\na,p,train\n", "1 rows repeat an image_id"),
        ("image_id,patient_id,split\na,p,Train\n", "unknown split Train"),
        ("", "not a CSV table"),
    ],
)
def test_a_wrong_split_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_split(str(path))


def test_a_missing_split_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_split(str(tmp_path / "split.csv"))
