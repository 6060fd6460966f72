"""`split.csv` and `folds.csv` come back as they were written, or are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammo_ray.errors import InputError, PatientLeak
from mammo_ray.splits import (
    assign_folds,
    assign_split,
    folds_table,
    parse_split,
    read_folds,
    read_split,
    split_is_leaky,
    split_table,
)
from tests.splits.women import archive


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


def test_a_marked_split_is_read_although_it_leaks(tmp_path: Path) -> None:
    frame = archive(images=2)
    frame["split"] = ["train", "test"] * 100
    path = tmp_path / "split.csv"
    split_table(frame, leakage_allowed=True).to_csv(path, index=False)
    back = read_split(str(path))
    assert split_is_leaky(back)
    assert split_is_leaky(split_table(back))
    unmarked = path.read_text().replace(",allowed", "").replace(",leakage", "")
    path.write_text(unmarked)
    with pytest.raises(PatientLeak, match="100 women"):
        read_split(str(path))


def test_a_mark_on_some_rows_is_refused() -> None:
    text = b"image_id,patient_id,split,leakage\na,p,train,allowed\nb,p,test,\n"
    with pytest.raises(InputError, match="must say 'allowed' in every row"):
        parse_split(text, "split.csv")


def test_an_honest_split_is_not_marked() -> None:
    frame = archive()
    table = split_table(frame.assign(split=assign_split(frame, 0.15, 0.25, seed=0)))
    assert not split_is_leaky(table)
    assert list(table.columns) == ["image_id", "patient_id", "split"]


def test_a_film_on_two_sides_is_refused_when_the_table_is_made() -> None:
    frame = archive(images=1).assign(film_id="film", split=["train", "test"] * 50)
    with pytest.raises(PatientLeak, match="1 films"):
        split_table(frame)


def test_folds_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    frame = archive()
    folds = pd.Series(assign_folds(frame), dtype="Int64")
    folds[frame["patient_id"] == "P099"] = pd.NA
    path = tmp_path / "folds.csv"
    folds_table(frame, folds).to_csv(path, index=False)
    back = read_folds(str(path))
    assert list(back.columns) == ["image_id", "patient_id", "fold"]
    assert back["fold"].isna().sum() == 4
    expected = frame.assign(fold=folds).sort_values("image_id")["fold"]
    assert back["fold"].tolist() == expected.tolist()


def test_a_woman_in_two_folds_is_a_leak() -> None:
    with pytest.raises(PatientLeak, match="100 women stand on more than one side of 'fold'"):
        folds_table(archive(), np.arange(400) % 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,patient_id\na,p\n", "lacks the columns fold"),
        ("image_id,patient_id,fold\na,p,0\na,p,0\n", "1 rows repeat an image_id"),
        ("image_id,patient_id,fold\na,p,first\n", "1 rows have a fold that is no number"),
        ("image_id,patient_id,fold\na,p,1.5\n", "whole number"),
        ("image_id,patient_id,fold\na,p,-1\n", "whole number"),
    ],
)
def test_a_wrong_folds_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "folds.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_folds(str(path))


def test_a_missing_folds_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_folds(str(tmp_path / "folds.csv"))
