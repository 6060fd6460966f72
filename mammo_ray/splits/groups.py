"""Rows that must stay together, and the order in which they are dealt out."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mammo_ray.errors import InputError
from mammo_ray.splits.words import require_columns

Integers = npt.NDArray[np.int64]

WITH_CANCER, WITHOUT_CANCER, UNLABELLED = STRATA = (
    "with cancer",
    "without cancer",
    "without a label",
)
_CODE_OF_LABEL = {1: 0, 0: 1, -1: 2}


@dataclass(frozen=True)
class Groups:
    """Groups of rows, numbered in the order in which they are dealt out.

    Attributes:
        of_row: number of the group of every row, shape (rows,).
        images: how many rows each group has, shape (groups,).
        stratum: index into `STRATA` of each group; one row with cancer makes a group `with cancer`.
        site: number of the site of each group, 0 where it is unknown.
        density: number of the breast density of each group, 0 where it is unknown.
        noun: what a group is called in messages.
    """

    of_row: Integers
    images: Integers
    stratum: Integers
    site: Integers
    density: Integers
    noun: str = "women"

    def __len__(self) -> int:
        return len(self.images)

    def by_stratum(self) -> list[tuple[str, Integers]]:
        """Numbers of the groups of each stratum that has any, in dealing order."""
        found = [(name, np.flatnonzero(self.stratum == code)) for code, name in enumerate(STRATA)]
        return [(name, chosen) for name, chosen in found if len(chosen)]


def groups_of(frame: pd.DataFrame, seed: int, by: Literal["patient", "row"] = "patient") -> Groups:
    """The groups of a table.

    Args:
        frame: rows with `patient_id`, `cancer` (0, 1 or null) and, optionally, `film_id`, `site`
            and `density`; `image_id` where every row is a group of its own.
        seed: changes the dealing order.
        by: `patient` joins the rows of a woman and of a film; `row` joins nothing.

    Raises:
        InputError: no rows, a missing column, or a row without a patient.
    """
    require_columns(frame, "patient_id", "cancer", *(["image_id"] if by == "row" else []))
    if frame.empty:
        raise InputError("there are no rows to split")
    unknown = int(frame["patient_id"].isna().sum())
    if unknown:
        raise InputError(f"{unknown} rows have no patient_id: who they belong to is unknown")
    keys, names = _sorted_codes(frame["image_id" if by == "row" else "patient_id"])
    joined = np.arange(len(frame)) if by == "row" else _components(frame, keys)
    count = int(joined.max()) + 1
    first_key = np.full(count, len(names), dtype=np.int64)
    np.minimum.at(first_key, joined, keys)
    number = _dealing_numbers([names[key] for key in first_key], seed)
    of_row = number[joined]
    label = frame["cancer"].astype("float64").fillna(-1).to_numpy().astype(np.int64)
    strata = pd.Series(_highest(label, of_row, count)).map(_CODE_OF_LABEL)
    if strata.isna().any():
        raise InputError("cancer must be 0, 1 or null")
    return Groups(
        of_row=of_row,
        images=np.bincount(of_row, minlength=count).astype(np.int64),
        stratum=strata.to_numpy().astype(np.int64),
        site=_attribute(frame, "site", of_row, count),
        density=_attribute(frame, "density", of_row, count),
        noun="rows" if by == "row" else "women",
    )


def _components(frame: pd.DataFrame, women: Integers) -> Integers:
    """Number of the connected set of women and films that each row belongs to."""
    if "film_id" not in frame or not frame["film_id"].notna().any():
        return women
    films, known = pd.factorize(frame["film_id"])
    has_film = films >= 0
    first_film = int(women.max()) + 1
    nodes = first_film + len(known)
    links = (women[has_film], first_film + films[has_film])
    graph = coo_array((np.ones(int(has_film.sum()), dtype=np.int8), links), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    # A film without a row would leave a gap in the numbers; there is none.
    return np.asarray(component[women], dtype=np.int64)


def _sorted_codes(values: pd.Series) -> tuple[Integers, list[str]]:
    """Rank of every value among the distinct ones, which come as text; -1 where it is null."""
    codes, names = pd.factorize(values.astype("str"), sort=True)
    return codes.astype(np.int64), list(names)


def _dealing_numbers(keys: list[str], seed: int) -> Integers:
    """Place of every key in an order that depends on the seed and the keys alone."""
    digests = b"".join(hashlib.sha256(f"{seed}\x1f{key}".encode()).digest()[:8] for key in keys)
    order = np.argsort(np.frombuffer(digests, dtype=">u8"), kind="stable")
    numbers = np.empty(len(keys), dtype=np.int64)
    numbers[order] = np.arange(len(keys))
    return numbers


def _attribute(frame: pd.DataFrame, column: str, of_row: Integers, count: int) -> Integers:
    """One number a group for a column of words: the last in order where its rows differ."""
    if column not in frame:
        return np.zeros(count, dtype=np.int64)
    codes, _ = _sorted_codes(frame[column])
    return _highest(codes, of_row, count) + 1


def _highest(values: Integers, of_row: Integers, count: int) -> Integers:
    """Highest value among the rows of every group."""
    highest = np.full(count, -1, dtype=np.int64)
    np.maximum.at(highest, of_row, values)
    return highest
