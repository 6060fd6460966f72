"""Folds: no woman in two, alike in label, site, density and number of images."""

import numpy as np
import pandas as pd
import pytest

from mammo_ray.errors import InputError
from mammo_ray.splits import assign_folds, require_no_leak
from tests.splits.women import archive


def _spread(frame: pd.DataFrame, *columns: str) -> pd.Series:
    """Largest minus smallest number of women in a fold, for every value of the columns."""
    women = frame.groupby("patient_id")[[*dict.fromkeys(["fold", *columns])]].max()
    table = women.groupby([*columns, "fold"]).size().unstack(fill_value=0)
    return table.max(axis=1) - table.min(axis=1)


def _sites(frame: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    """The frame with a site and a density a woman, both of uneven frequency."""
    random = np.random.default_rng(seed)
    women = frame["patient_id"].unique()
    site = dict(
        zip(women, random.choice(["a", "b", "c"], len(women), p=[0.6, 0.3, 0.1]), strict=True)
    )
    density = dict(zip(women, random.choice(list("ABCD"), len(women)), strict=True))
    return frame.assign(
        site=frame["patient_id"].map(site), density=frame["patient_id"].map(density)
    )


def test_folds_share_no_woman_and_hold_equal_numbers_of_women_with_cancer() -> None:
    frame = archive(with_cancer=23, without=81)
    frame["fold"] = assign_folds(frame, n_splits=5)
    require_no_leak(frame, "fold")
    women = frame.groupby("patient_id").agg(fold=("fold", "first"), cancer=("cancer", "max"))
    for cancer in (0, 1):
        counts = women[women["cancer"] == cancer].groupby("fold").size()
        assert len(counts) == 5
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_sites_and_densities_are_spread_within_every_label(seed: int) -> None:
    frame = _sites(archive(with_cancer=63, without=344, images=2), seed)
    frame["fold"] = assign_folds(frame, n_splits=5, seed=seed)
    label = frame["cancer"].groupby(frame["patient_id"]).transform("max")
    for _, rows in frame.groupby(label):
        assert _spread(rows, "site").max() <= 2
        assert _spread(rows, "density").max() <= 2
        assert _spread(rows, "site", "density").max() <= 2
    assert _spread(frame.assign(cancer=label), "cancer").max() <= 1


def test_women_of_unknown_site_are_spread_like_those_of_a_site() -> None:
    frame = _sites(archive(with_cancer=50, without=200, images=1))
    frame.loc[frame["site"] == "c", "site"] = None
    frame["fold"] = assign_folds(frame, n_splits=5)
    unknown = frame[frame["site"].isna()].groupby("fold").size()
    assert len(unknown) == 5
    assert unknown.max() - unknown.min() <= 2


def test_without_balancing_the_same_women_would_be_uneven() -> None:
    frame = _sites(archive(with_cancer=63, without=344, images=1))
    frame["fold"] = assign_folds(frame.drop(columns=["site", "density"]), n_splits=5)
    assert _spread(frame, "site").max() > 4


def test_folds_balance_images_when_women_have_different_numbers_of_them() -> None:
    random = np.random.default_rng(3)
    sizes = random.integers(1, 20, size=200)
    frame = pd.DataFrame({"patient_id": np.repeat([f"P{i}" for i in range(200)], sizes)})
    frame["cancer"] = (frame["patient_id"].str[-1] == "0").astype(int)
    counts = np.bincount(assign_folds(frame, n_splits=5))
    assert counts.max() / counts.min() < 1.05


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    frame = _sites(archive())
    frame.loc[::7, "density"] = None  # a woman whose rows differ
    frame["fold"] = assign_folds(frame, seed=7)
    shuffled = frame.sample(frac=1, random_state=1)
    assert (assign_folds(shuffled, seed=7) == shuffled["fold"]).all()


def test_categories_give_the_folds_of_their_words() -> None:
    frame = _sites(archive())
    words = ["patient_id", "site", "density"]
    categories = frame.assign(**{name: frame[name].astype("category") for name in words})
    assert (assign_folds(categories) == assign_folds(frame)).all()


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


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        assign_folds(archive().head(0))


def test_a_label_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="cancer must be 0, 1 or null"):
        assign_folds(archive().assign(cancer=2))
