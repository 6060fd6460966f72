"""`split.csv` and `folds.csv`: one row an image, sorted by `image_id`."""

import io

import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray import storage
from mammo_ray.errors import InputError
from mammo_ray.splits.leakage import require_no_leak
from mammo_ray.splits.words import LEAKAGE, LEAKAGE_ALLOWED, require_columns, require_known_sides

SPLIT_COLUMNS = ("image_id", "patient_id", "split")
_FOLD_COLUMNS = ("image_id", "patient_id", "fold")


def split_table(frame: pd.DataFrame, *, leakage_allowed: bool = False) -> pd.DataFrame:
    """The table of `split.csv`: one row an image, sorted by `image_id`.

    Args:
        frame: rows with `image_id`, `patient_id`, `split` and, optionally, `film_id`; a column
            `leakage` that says `allowed` in every row marks a split that shares women.
        leakage_allowed: mark the table so; nothing is refused then.

    Raises:
        InputError: a missing column, an unknown side, an image that stands twice, a mark that is
            not on every row.
        PatientLeak: a woman or film on two sides, and no mark.
    """
    require_columns(frame, *SPLIT_COLUMNS)
    leaky = leakage_allowed or split_is_leaky(frame)
    if not leaky:
        require_no_leak(frame, "split")
    table = _sorted_table(frame, SPLIT_COLUMNS, "a split")
    require_known_sides(table["split"])
    return table.assign(**{LEAKAGE: LEAKAGE_ALLOWED}) if leaky else table


def split_is_leaky(table: pd.DataFrame) -> bool:
    """Whether a split is marked as one that shares women between its sides.

    Raises:
        InputError: the mark is another word, or stands on some rows only.
    """
    if LEAKAGE not in table or not len(table):
        return False
    found = set(table[LEAKAGE].fillna("").astype("str").unique())
    if found == {""}:
        return False
    if found != {LEAKAGE_ALLOWED}:
        raise InputError(
            f"column {LEAKAGE!r} must say {LEAKAGE_ALLOWED!r} in every row or be absent, "
            f"found {sorted(found)}"
        )
    return True


def read_split(uri: str) -> pd.DataFrame:
    """The table of a `split.csv`; an empty side is null.

    Raises:
        InputError: no such file, not such a table, or see `split_table`.
        PatientLeak: a woman on two sides of a split that is not marked.
    """
    return parse_split(_content(uri, "split"), uri)


def parse_split(content: bytes, source: str) -> pd.DataFrame:
    """As `read_split`, from the content of the file; `source` names it in messages."""
    table = _parse(content, f"split file {source}")
    require_columns(table, *SPLIT_COLUMNS)
    return split_table(table.assign(split=table["split"].replace("", None)))


def folds_table(frame: pd.DataFrame, folds: npt.NDArray[np.int64] | pd.Series) -> pd.DataFrame:
    """The table of `folds.csv`: `image_id`, `patient_id` and `fold`, sorted by `image_id`.

    Args:
        frame: rows with `image_id`, `patient_id` and, optionally, `film_id`.
        folds: fold number of every row; null where a row is in no fold.

    Raises:
        InputError: a missing column, an image that stands twice, a fold that is no number from 0.
        PatientLeak: a woman or film in two folds.
    """
    require_columns(frame, "image_id", "patient_id")
    numbers = np.asarray(pd.Series(folds).astype("Float64").to_numpy(np.float64, na_value=np.nan))
    known = numbers[~np.isnan(numbers)]
    if (known < 0).any() or (known % 1 != 0).any():
        raise InputError("a fold must be a whole number from 0, or empty")
    numbered = frame.assign(fold=pd.Series(numbers).astype("Int64").array)
    require_no_leak(numbered, "fold")
    return _sorted_table(numbered, _FOLD_COLUMNS, "a table of folds")


def read_folds(uri: str) -> pd.DataFrame:
    """The table of a `folds.csv`; an empty fold is null.

    Raises:
        InputError: no such file, not such a table, or see `folds_table`.
        PatientLeak: a woman in two folds.
    """
    return parse_folds(_content(uri, "folds"), uri)


def parse_folds(content: bytes, source: str) -> pd.DataFrame:
    """As `read_folds`, from the content of the file; `source` names it in messages."""
    table = _parse(content, f"folds file {source}")
    require_columns(table, *_FOLD_COLUMNS)
    folds = pd.to_numeric(table["fold"].replace("", None), errors="coerce")
    unreadable = int((folds.isna() & (table["fold"] != "")).sum())
    if unreadable:
        raise InputError(f"folds file {source}: {unreadable} rows have a fold that is no number")
    return folds_table(table, folds)


def _content(uri: str, noun: str) -> bytes:
    try:
        return storage.read_bytes(uri)
    except FileNotFoundError as error:
        raise InputError(f"{noun} file {uri} does not exist") from error


def _parse(content: bytes, what: str) -> pd.DataFrame:
    """A CSV table of text; what is empty stays empty text."""
    try:
        return pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
    except ValueError as error:  # pandas' and Unicode's errors are ValueErrors
        raise InputError(f"{what} is not a CSV table: {error}") from error


def _sorted_table(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> pd.DataFrame:
    table = frame.loc[:, list(columns)].sort_values("image_id").reset_index(drop=True)
    repeated = int(table["image_id"].duplicated().sum())
    if repeated:
        raise InputError(f"{what} gives each image one row; {repeated} rows repeat an image_id")
    return table
