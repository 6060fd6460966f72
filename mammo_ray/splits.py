"""Splits and folds that never share a woman between their sides.

Rows that share a `patient_id` or, where that column exists, a `film_id` form one group and always
stay together. Groups are dealt out by stratum (with cancer, without, unlabelled) in an order that
depends on the seed and the identifiers alone: the order of the rows changes nothing.
"""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mammo_ray import storage
from mammo_ray.errors import InputError, PatientLeak

TRAIN, VALID, TEST = SIDES = ("train", "valid", "test")
SPLIT_COLUMNS = ("image_id", "patient_id", "split")

_WITH_CANCER, _WITHOUT_CANCER, _UNLABELLED = _STRATA = (
    "with cancer",
    "without cancer",
    "without a label",
)


def assign_folds(manifest: pd.DataFrame, n_splits: int = 5, seed: int = 0) -> npt.NDArray[np.int64]:
    """Fold number (0 to `n_splits` - 1) of every row, in row order.

    Every stratum is spread evenly: the numbers of women of a stratum in two folds differ by at
    most one, and women with many images go to the folds that have the fewest images.

    Args:
        manifest: rows with `patient_id`, `cancer` (0, 1 or null) and, optionally, `film_id`.
        n_splits: number of folds, at least 2.
        seed: changes which women end up together.

    Returns:
        Integers, shape (rows,).

    Raises:
        InputError: fewer women with or without cancer than folds, a missing column or patient.
    """
    if n_splits < 2:
        raise InputError(f"n_splits must be at least 2, found {n_splits}")
    groups = _groups(manifest, seed)
    fold_of_group = np.zeros(len(groups.table), dtype=np.int64)
    images_in_fold = np.zeros(n_splits, dtype=np.int64)
    for stratum, chosen in groups.by_stratum():
        if stratum != _UNLABELLED and len(chosen) < n_splits:
            raise InputError(
                f"{n_splits} folds need at least {n_splits} women {stratum}, found {len(chosen)}"
            )
        women, images = np.zeros_like(images_in_fold), np.zeros_like(images_in_fold)
        for group in chosen.sort_values("images", ascending=False, kind="stable").index:
            size = groups.table.at[group, "images"]
            fold = np.lexsort((images_in_fold, images, women))[0]  # the last key counts first
            fold_of_group[group] = fold
            women[fold] += 1
            images[fold] += size
            images_in_fold[fold] += size
    return fold_of_group[groups.of_row]


def assign_split(
    frame: pd.DataFrame, validation_fraction: float, test_fraction: float, seed: int
) -> pd.Series:
    """`train`, `valid` or `test` for every row, with the index of the frame.

    Where a `split` column gives a side it is kept, and the other rows of that woman follow it.
    The rest of the women are divided; a side that the column already fills (`valid`, `test`)
    gets no more of them, so that an official test set stays what it is.

    Args:
        frame: rows with `patient_id`, `cancer` (0, 1 or null) and, optionally, `split` and
            `film_id`.
        validation_fraction: share of the women to divide, 0 to below 1.
        test_fraction: share of the women to divide, 0 to below 1.
        seed: changes which women go where.

    Raises:
        InputError: too few women with or without cancer for one of each on every side, an
            unknown side, a missing column or patient.
        PatientLeak: the `split` column puts one woman on two sides.
    """
    groups = _groups(frame, seed)
    side = _given_sides(frame, groups)
    free = side.isna()
    if free.any():
        wanted = {VALID: validation_fraction, TEST: test_fraction}
        filled = set(side.dropna())
        fractions = {name: f for name, f in wanted.items() if f > 0 and name not in filled}
        for stratum, chosen in groups.by_stratum():
            has_train = bool(((groups.table["stratum"] == stratum) & (side == TRAIN)).any())
            members = chosen.index[free[chosen.index]]
            counts = _side_counts(len(members), fractions, stratum, has_train)
            names = np.repeat([*counts, TRAIN], [*counts.values(), len(members)])
            side[members] = names[: len(members)]
    return pd.Series(side.to_numpy()[groups.of_row], index=frame.index, name="split", dtype="str")


def require_no_leak(frame: pd.DataFrame, sides: str) -> None:
    """Refuse a frame in which a woman or film stands on two sides; null sides are not used.

    Args:
        frame: rows with `patient_id` and, optionally, `film_id`.
        sides: the column with the side or fold of every row.

    Raises:
        PatientLeak: with the numbers of women and images, no identifier.
        InputError: a missing column.
    """
    _require_columns(frame, "patient_id", sides)
    used = frame[frame[sides].notna()]
    for column, noun in (("patient_id", "women"), ("film_id", "films")):
        if column not in used:
            continue
        shared = used.groupby(column)[sides].nunique().loc[lambda count: count > 1].index
        if len(shared):
            images = used[used[column].isin(shared)]
            counts = images[sides].value_counts().sort_index()
            where = ", ".join(f"{count} in {name}" for name, count in counts.items())
            raise PatientLeak(
                f"{len(shared)} {noun} stand on more than one side of {sides!r}: "
                f"{len(images)} images are concerned ({where})"
            )


def split_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The table of `split.csv`: one row an image, sorted by `image_id`.

    Raises:
        InputError: a missing column, an unknown side, an image that stands twice.
        PatientLeak: a woman on two sides.
    """
    _require_columns(frame, *SPLIT_COLUMNS)
    table = frame.loc[:, list(SPLIT_COLUMNS)].sort_values("image_id").reset_index(drop=True)
    repeated = int(table["image_id"].duplicated().sum())
    if repeated:
        raise InputError(f"a split gives each image one row; {repeated} rows repeat an image_id")
    _require_known_sides(table["split"])
    require_no_leak(table, "split")
    return table


def read_split(uri: str) -> pd.DataFrame:
    """The table of a `split.csv`; an empty side is null.

    Raises:
        InputError: no such file, not such a table, or see `split_table`.
        PatientLeak: a woman on two sides.
    """
    try:
        return parse_split(storage.read_bytes(uri), uri)
    except FileNotFoundError as error:
        raise InputError(f"split file {uri} does not exist") from error


def parse_split(content: bytes, source: str) -> pd.DataFrame:
    """As `read_split`, from the content of the file; `source` names it in messages."""
    try:
        table = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
    except ValueError as error:  # pandas' and Unicode's errors are ValueErrors
        raise InputError(f"split file {source} is not a CSV table: {error}") from error
    _require_columns(table, *SPLIT_COLUMNS)
    return split_table(table.assign(split=table["split"].replace("", None)))


@dataclass(frozen=True)
class _Groups:
    """Rows that must stay together, in the order in which they are dealt out.

    Attributes:
        of_row: number of the group of every row, shape (rows,).
        table: one row a group: `images`, `stratum`.
    """

    of_row: npt.NDArray[np.int64]
    table: pd.DataFrame

    def by_stratum(self) -> list[tuple[str, pd.DataFrame]]:
        """The groups of each stratum that has any."""
        found = [(name, self.table[self.table["stratum"] == name]) for name in _STRATA]
        return [(name, table) for name, table in found if len(table)]


def _groups(frame: pd.DataFrame, seed: int) -> _Groups:
    _require_columns(frame, "patient_id", "cancer")
    unknown = int(frame["patient_id"].isna().sum())
    if unknown:
        raise InputError(f"{unknown} rows have no patient_id: who they belong to is unknown")
    rows = pd.DataFrame(
        {
            "component": _components(frame),
            "patient_id": frame["patient_id"].astype("str").to_numpy(),
            "cancer": frame["cancer"].astype("float64").to_numpy(),
        }
    )
    table = rows.groupby("component").agg(
        key=("patient_id", "min"), images=("patient_id", "size"), cancer=("cancer", "max")
    )
    digests = [hashlib.sha256(f"{seed}\x1f{key}".encode()).hexdigest() for key in table["key"]]
    table = table.assign(digest=digests).sort_values("digest")
    number = pd.Series(np.arange(len(table)), index=table.index)
    stratum = table["cancer"].map({1.0: _WITH_CANCER, 0.0: _WITHOUT_CANCER}).fillna(_UNLABELLED)
    dealt = pd.DataFrame({"images": table["images"].to_numpy(), "stratum": stratum.to_numpy()})
    return _Groups(number[rows["component"]].to_numpy(dtype=np.int64), dealt)


def _components(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Number of the connected set of women and films that each row belongs to."""
    women, _ = pd.factorize(frame["patient_id"])
    if "film_id" not in frame:
        return women.astype(np.int64)
    films, known = pd.factorize(frame["film_id"])
    has_film = films >= 0
    nodes = len(women) + len(known)  # women first: at most one a row
    links = (women[has_film], len(women) + films[has_film])
    graph = coo_array((np.ones(int(has_film.sum())), links), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    return np.asarray(component[women], dtype=np.int64)


def _given_sides(frame: pd.DataFrame, groups: _Groups) -> pd.Series:
    """Side of each group as the `split` column gives it, else null."""
    side = pd.Series([None] * len(groups.table), dtype="object")
    if "split" not in frame or not frame["split"].notna().any():
        return side
    _require_known_sides(frame["split"])
    given = pd.DataFrame({"group": groups.of_row, "split": frame["split"].to_numpy()}).dropna()
    sides = given.groupby("group")["split"]
    torn = int((sides.nunique() > 1).sum())
    if torn:
        raise PatientLeak(f"the column 'split' puts {torn} women on more than one side")
    first = sides.first()
    side[first.index] = first.to_numpy()
    return side


def _side_counts(
    women: int, fractions: dict[str, float], stratum: str, has_train: bool
) -> dict[str, int]:
    """How many women of a stratum go to each side that is not `train`."""
    counts = {name: int(women * fraction + 0.5) for name, fraction in fractions.items()}
    if stratum == _UNLABELLED:
        return counts
    counts = {name: max(1, count) for name, count in counts.items()}
    for_train = 0 if has_train else 1
    needed = len(counts) + for_train
    if women < needed:
        sides = ", ".join([*([] if has_train else [TRAIN]), *counts])
        raise InputError(
            f"one woman {stratum} on each side ({sides}) needs at least {needed}, found {women}"
        )
    while sum(counts.values()) > women - for_train:
        largest = max(counts, key=lambda name: counts[name])
        counts[largest] -= 1
    return counts


def _require_known_sides(sides: pd.Series) -> None:
    unknown = sorted(set(sides.dropna().astype("str")) - set(SIDES))
    if unknown:
        raise InputError(f"unknown split {', '.join(unknown)}; expected {', '.join(SIDES)} or null")


def _require_columns(frame: pd.DataFrame, *names: str) -> None:
    missing = [name for name in names if name not in frame]
    if missing:
        raise InputError(f"the table lacks the columns {', '.join(missing)}")
