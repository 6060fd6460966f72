"""Ways to the right answer that do not lead through the image."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from mammo_ray.datasets.checks.finding import Check, Finding, found, noted
from mammo_ray.schema import FOLLOWS_READING

# Values with fewer rows, or with fewer of the rarer label expected, are judged together: a value of
# one woman tells her label.
_FEWEST, _FEWEST_EXPECTED = 20, 5
_UNLIKELY = 0.001
_STRONG = 0.3  # Cramer's V
_GIVEN_AWAY = 0.9  # balanced accuracy
_MOST_VALUES = 8

# What a picture or its file betrays although it says nothing of the breast.
_INCIDENTAL = (
    "site", "machine", "device_serial", "image_kind", "transfer_syntax", "image_size",
)  # fmt: skip
# Targets are named there, and names of data sets and recipes name no column.
_NO_INPUTS = ("heads", "recipe", "description", "data.dataset", "report", "phantom")


def check_shortcuts(frame: pd.DataFrame, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Columns that follow the reading, and sites, machines and files that go with the label.

    Args:
        frame: from `checked_rows`.
        settings: the configuration as a tree.
    """
    named = reading_columns_in(settings)
    if named:
        listed = ", ".join(f"{column} in {place}" for place, column in named)
        detail = f"the configuration takes in what is known only after the reading: {listed}"
        yield found(Check.READING_AS_INPUT, len(named), detail)
    labelled = frame[frame["cancer"].notna()]
    if labelled["cancer"].nunique() < 2:
        return
    facts = labelled.assign(
        machine=_joined(labelled, "manufacturer", "model_name"),
        image_size=_joined(labelled, "rows", "columns"),
    )
    yield from _columns_after_reading(facts)
    yield from _given_away(facts)
    for column, check in (
        ("site", Check.SITE_AND_LABEL),
        ("machine", Check.MACHINE_AND_LABEL),
    ):
        association = association_with_cancer(facts, column)
        if association is not None and association.p_value < _UNLIKELY:
            make = found if association.strength >= _STRONG else noted
            yield make(check, len(association.shares), association.sentence(column))


def reading_columns_in(settings: Mapping[str, Any], place: str = "") -> list[tuple[str, str]]:
    """Settings, outside of targets, that name a column which follows the reading.

    Returns:
        Pairs of the setting's dotted name and the column.
    """
    hits: list[tuple[str, str]] = []
    for key, value in settings.items():
        here = f"{place}.{key}" if place else str(key)
        if here in _NO_INPUTS:
            continue
        if isinstance(value, Mapping):
            hits += reading_columns_in(value, here)
        else:
            words = value if isinstance(value, list | tuple) else [value]
            hits += [(here, word) for word in words if word in FOLLOWS_READING]
    return hits


@dataclass(frozen=True)
class Association:
    """How women with cancer are spread over the values of a column.

    Attributes:
        shares: of every value its women and the share of them with cancer.
        p_value: of the chi-square test that the shares are equal.
        strength: Cramer's V, 0 to 1.
    """

    shares: tuple[tuple[str, int, float], ...]
    p_value: float
    strength: float

    def sentence(self, column: str) -> str:
        """The association in words; values by their extremes where they are many."""
        by_share = sorted(self.shares, key=lambda one: one[2])
        half = _MOST_VALUES // 2
        shown = by_share if len(by_share) <= _MOST_VALUES else [*by_share[:half], *by_share[-half:]]
        listed = ", ".join(f"{v} {100 * share:.1f} % of {n:,}" for v, n, share in shown)
        return (
            f"the share of women with cancer differs by {column} ({listed}; chi-square "
            f"p = {self.p_value:.1g}, Cramer's V {self.strength:.2f}): a model can learn the "
            f"{column} instead of the disease"
        )


def association_with_cancer(frame: pd.DataFrame, column: str) -> Association | None:
    """Chi-square test of a column against cancer, woman by woman; None where it says nothing.

    Args:
        frame: labelled rows with `patient_id`, `cancer` and the column.
        column: a column of words; rare values count as one.
    """
    known = frame[[column, "patient_id", "cancer"]].dropna()
    women = known.groupby([column, "patient_id"], observed=True)["cancer"].max().reset_index()
    value = _pooled(women[column], women["cancer"])
    table = pd.crosstab(value, women["cancer"])
    if table.shape[0] < 2 or table.shape[1] < 2:
        return None
    test = chi2_contingency(table.to_numpy())
    sizes, positive = table.sum(axis=1), table[1]
    shares = tuple((str(v), int(sizes[v]), float(positive[v] / sizes[v])) for v in table.index)
    return Association(shares, float(test.pvalue), float(np.sqrt(test.statistic / sizes.sum())))


def balanced_accuracy(frame: pd.DataFrame, column: str) -> float | None:
    """How well a column alone tells the label: mean of sensitivity and specificity, 0.5 to 1.

    A value is taken for cancer where cancer is more frequent than over all rows; rare values count
    as one, an absent one as a value of its own. None where the column has one value.
    """
    value = _pooled(frame[column], frame["cancer"])
    if value.nunique() < 2:
        return None
    cancer = frame["cancer"].to_numpy(dtype=np.float64)
    rate = pd.Series(cancer).groupby(value.to_numpy()).transform("mean").to_numpy()
    answer = rate > cancer.mean()
    return float((answer[cancer == 1].mean() + (~answer[cancer == 0]).mean()) / 2)


def _columns_after_reading(frame: pd.DataFrame) -> Iterator[Finding]:
    said = []
    for column in FOLLOWS_READING:
        if column not in frame or not frame[column].notna().any():
            continue
        told = balanced_accuracy(frame, column)
        if told is not None:
            said.append(f"{column} {100 * told:.0f} %")
    if said:
        detail = (
            "columns that are known only after the reading tell the label by themselves (balanced "
            f"accuracy; 50 % is chance): {', '.join(said)}; targets at most, never inputs"
        )
        yield noted(Check.FOLLOWS_READING, len(said), detail)


def _given_away(frame: pd.DataFrame) -> Iterator[Finding]:
    said = []
    for column in _INCIDENTAL:
        told = balanced_accuracy(frame, column)
        if told is not None and told >= _GIVEN_AWAY:
            said.append(f"{column.replace('_', ' ')} {100 * told:.0f} %")
    if said:
        detail = (
            "what has nothing to do with the breast gives the label away (balanced accuracy): "
            f"{', '.join(said)}"
        )
        yield found(Check.LABEL_GIVEN_AWAY, len(said), detail)


def _pooled(column: pd.Series, cancer: pd.Series) -> pd.Series:
    """The column as words; values of few rows as `(rare)`, absent ones as `(absent)`."""
    codes, names = pd.factorize(column)
    counts = np.bincount(codes + 1, minlength=len(names) + 1)
    rarer = min(float(cancer.mean()), 1 - float(cancer.mean()))
    fewest = max(_FEWEST, _FEWEST_EXPECTED / rarer if rarer else 0)
    words = np.asarray(["(absent)", *(str(name) for name in names)])
    words[1:] = np.where(counts[1:] < fewest, "(rare)", words[1:])
    distinct, place = np.unique(words, return_inverse=True)
    pooled = pd.Categorical.from_codes(place[codes + 1].tolist(), distinct.tolist())
    return pd.Series(pooled, index=column.index)


def _joined(frame: pd.DataFrame, first: str, second: str) -> pd.Series:
    """Two columns as one of words; null where both are."""
    both = frame[[first, second]]
    group = both.groupby([first, second], observed=True, dropna=False, sort=False).ngroup()
    distinct = both.assign(group=group).drop_duplicates("group").set_index("group").sort_index()
    words = [
        " ".join(str(part) for part in row if not pd.isna(part)) or None
        for row in distinct.itertuples(index=False)
    ]
    return pd.Series(np.asarray(words, dtype="object")[group], index=frame.index)
