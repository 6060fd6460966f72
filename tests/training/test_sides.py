"""Which women a training takes, holds out and says so."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.config import Config
from mammo_ray.errors import PatientLeak
from mammo_ray.splits import SplitOptions, ratio_split, split_is_leaky, split_table
from mammo_ray.training.sides import divide_women
from tests.splits.women import archive

_CONFIG = Config(recipe="test")


def _split_file(path: Path, frame: pd.DataFrame, *, marked: bool = False) -> str:
    split_table(frame, leakage_allowed=marked).to_csv(path, index=False)
    return str(path)


def _women(frame: pd.DataFrame, side: str) -> set[str]:
    return set(frame.loc[frame["split"] == side, "patient_id"])


def test_a_split_file_without_validation_gets_some_of_its_training_women(tmp_path: Path) -> None:
    frame = archive()
    given = frame.assign(split=ratio_split(frame, SplitOptions(validation_fraction=0)))
    said = divide_women(frame, _CONFIG, _split_file(tmp_path / "split.csv", given))
    assert _women(frame, "test") == _women(given, "test")
    assert _women(frame, "valid") | _women(frame, "train") == _women(given, "train")
    assert len(_women(frame, "valid")) == 10 + 2  # 15 % of 64 and of 16
    assert "carved by patient" in said["validation"]


def test_an_official_column_without_validation_gets_some_too() -> None:
    frame = archive()
    frame["split"] = ["test" if patient < "P030" else "train" for patient in frame["patient_id"]]
    said = divide_women(frame, _CONFIG, None)
    assert _women(frame, "test") == {f"P{k:03d}" for k in range(20, 30)} | {
        f"P{k:03d}" for k in range(20)
    }
    assert _women(frame, "valid")
    assert "validation" in said


def test_a_split_with_validation_is_taken_as_it_is(tmp_path: Path) -> None:
    frame = archive()
    given = frame.assign(split=ratio_split(frame, SplitOptions()))
    said = divide_women(frame, _CONFIG, _split_file(tmp_path / "split.csv", given))
    assert (frame["split"] == given["split"]).all()
    assert said == {}


def test_a_marked_split_marks_the_training_and_its_split_table(tmp_path: Path) -> None:
    frame = archive()
    given = frame.assign(split=ratio_split(frame, SplitOptions(allow_leakage=True)))
    said = divide_women(frame, _CONFIG, _split_file(tmp_path / "split.csv", given, marked=True))
    assert said["leakage"] == "allowed"
    assert "not a measure of performance" in said["leakage_warning"]
    assert split_is_leaky(split_table(frame))


def test_an_official_column_that_shares_women_is_refused() -> None:
    frame = archive().assign(split=["train", "test"] * 200)
    with pytest.raises(PatientLeak):
        divide_women(frame, _CONFIG, None)
