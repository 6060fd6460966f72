"""The data set's own split, with what it shares between its sides settled."""

import pandas as pd

from mammo_ray.errors import InputError, PatientLeak
from mammo_ray.splits.groups import groups_of
from mammo_ray.splits.leakage import require_no_leak
from mammo_ray.splits.options import SplitOptions
from mammo_ray.splits.sides import carve_validation, given_sides
from mammo_ray.splits.words import VALID, require_columns


def official_split(frame: pd.DataFrame, options: SplitOptions) -> pd.Series:
    """The sides of the `split` column, with the index of the frame.

    Rows without a side follow their woman where she has one, and else stay without. Women and
    films on several sides are settled as `options.shared` says. Validation is carved by patient
    from `train` where the data set has none.

    Args:
        frame: rows with `patient_id`, `cancer`, `split` and, optionally, `film_id`.
        options: `shared`, `validation_fraction` and `seed` count.

    Raises:
        PatientLeak: women or films stand on several sides and `shared` is `refuse`.
        InputError: no row has a side, an unknown side, or too few women to carve from.
    """
    sides = settled_sides(frame, options)
    if VALID in set(sides.dropna().unique()):
        return sides
    return carve_validation(frame, sides, options.validation_fraction, options.seed)


def settled_sides(frame: pd.DataFrame, options: SplitOptions) -> pd.Series:
    """As `official_split`, without validation carved."""
    require_columns(frame, "split")
    if not frame["split"].notna().any():
        raise InputError("the data set has no split of its own: its column 'split' is empty")
    groups = groups_of(frame, options.seed)
    side, torn = given_sides(frame, groups)
    if torn.any():
        if options.shared == "refuse":
            _refuse(frame)
        side[torn] = None if options.shared == "drop" else options.shared
    values = side.to_numpy()[groups.of_row]
    return pd.Series(values, index=frame.index, name="split", dtype="str")


def _refuse(frame: pd.DataFrame) -> None:
    hint = "settle them (--shared train, test or drop): on one side with all images, or on none"
    try:
        require_no_leak(frame, "split")
    except PatientLeak as leak:
        raise PatientLeak(f"{leak}; {hint}") from leak
    # Women who share a film, each on a side of her own by rows without one.
    raise PatientLeak(f"women joined by a film stand on more than one side of 'split'; {hint}")
