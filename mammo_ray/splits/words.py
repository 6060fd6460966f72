"""Names of sides and columns, and the checks of a table that every split needs."""

import pandas as pd

from mammo_ray.errors import InputError

TRAIN, VALID, TEST = SIDES = ("train", "valid", "test")

# The column that marks a split which shares women on purpose, and its one value.
LEAKAGE, LEAKAGE_ALLOWED = "leakage", "allowed"
LEAKAGE_WARNING = "made on a split that shares women: not a measure of performance"


def require_known_sides(sides: pd.Series) -> None:
    """Refuse a column with another word than train, valid or test; null is no side.

    Raises:
        InputError: naming the unknown words.
    """
    unknown = sorted(set(sides.dropna().unique().astype("str")) - set(SIDES))
    if unknown:
        raise InputError(f"unknown split {', '.join(unknown)}; expected {', '.join(SIDES)} or null")


def require_columns(frame: pd.DataFrame, *names: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        InputError: naming what is missing.
    """
    missing = [name for name in names if name not in frame]
    if missing:
        raise InputError(f"the table lacks the columns {', '.join(missing)}")
