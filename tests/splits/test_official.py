"""The official split: what it shares is refused, or settled as asked."""

import pandas as pd
import pytest

from mammo_ray.errors import InputError, PatientLeak
from mammo_ray.splits import SplitOptions, leaking_shares, official_split, require_no_leak
from tests.splits.women import archive


def _shared() -> pd.DataFrame:
    """100 women, P000 to P029 on test, P030 on both sides."""
    frame = archive(with_cancer=50, without=50)
    frame["split"] = ["test" if patient < "P030" else "train" for patient in frame["patient_id"]]
    frame.loc[frame["image_id"] == "img-030-3", "split"] = "test"
    return frame


def _options(**changes: object) -> SplitOptions:
    return SplitOptions(kind="official", **changes)


def test_shared_women_are_refused_in_numbers() -> None:
    with pytest.raises(PatientLeak, match=r"1 women .* \(1 in test, 3 in train\).*settle them"):
        official_split(_shared(), _options())


@pytest.mark.parametrize(("shared", "side"), [("train", "train"), ("test", "test")])
def test_shared_women_move_to_the_side_that_is_asked(shared: str, side: str) -> None:
    frame = _shared()
    sides = official_split(frame, _options(shared=shared, validation_fraction=0))
    assert set(sides[frame["patient_id"] == "P030"]) == {side}
    others = frame["patient_id"] != "P030"
    assert (sides[others] == frame.loc[others, "split"]).all()


def test_dropped_women_are_on_no_side() -> None:
    frame = _shared()
    sides = official_split(frame, _options(shared="drop"))
    assert frame.loc[sides.isna(), "patient_id"].unique().tolist() == ["P030"]


def test_validation_is_carved_by_patient_from_train_where_there_is_none() -> None:
    frame = _shared()
    sides = official_split(frame, _options(shared="train", validation_fraction=0.2))
    require_no_leak(frame.assign(split=sides), "split")
    assert frame.loc[sides == "valid", "patient_id"].nunique() == 14  # of 20 + 50
    assert (sides == "test").sum() == 120


def test_an_official_validation_side_stays_as_it_is() -> None:
    frame = archive()
    frame["split"] = ["valid" if patient < "P010" else "train" for patient in frame["patient_id"]]
    assert (official_split(frame, _options()) == frame["split"]).all()


def test_rows_without_a_side_follow_their_woman_or_stay_without() -> None:
    frame = _shared()
    frame.loc[frame["image_id"].isin(["img-000-0", "img-030-3"]), "split"] = None
    frame.loc[frame["patient_id"] == "P099", "split"] = None
    sides = official_split(frame, _options(validation_fraction=0))
    assert set(sides[frame["patient_id"] == "P000"]) == {"test"}
    assert set(sides[frame["patient_id"] == "P030"]) == {"train"}
    assert sides[frame["patient_id"] == "P099"].isna().all()


def test_women_joined_by_a_film_over_two_sides_are_refused() -> None:
    frame = archive(images=2).assign(film_id=None)
    frame["split"] = ["test" if patient < "P030" else "train" for patient in frame["patient_id"]]
    frame.loc[[0, 199], "film_id"] = "film"
    with pytest.raises(PatientLeak, match=r"^1 films"):
        official_split(frame, _options())


def test_a_film_without_a_side_joins_two_women_all_the_same() -> None:
    frame = archive(images=2).assign(film_id=None)
    frame["split"] = ["test" if patient < "P030" else "train" for patient in frame["patient_id"]]
    frame.loc[[0, 199], "film_id"] = "film"
    frame.loc[0, "split"] = None
    with pytest.raises(PatientLeak, match="women joined by a film"):
        official_split(frame, _options())


def test_a_data_set_without_sides_has_no_official_split() -> None:
    with pytest.raises(InputError, match="no split of its own"):
        official_split(archive().assign(split=None), _options())


def test_the_merged_official_sides_of_cbis_share_31_women_and_29_films(cbis: pd.DataFrame) -> None:
    with pytest.raises(PatientLeak, match="31 women and 29 films"):
        official_split(cbis, _options())
    dropped = official_split(cbis, _options(shared="drop"))
    assert cbis.loc[dropped.isna(), "patient_id"].nunique() == 31
    assert leaking_shares(cbis, dropped) == {"women": 0, "films": 0}
