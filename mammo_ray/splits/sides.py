"""Train, valid and test sides by share, and validation carved from a training side."""

import numpy as np
import pandas as pd

from mammo_ray.errors import InputError, PatientLeak
from mammo_ray.splits.groups import UNLABELLED, Groups, groups_of
from mammo_ray.splits.options import SplitOptions
from mammo_ray.splits.words import SIDES, TEST, TRAIN, VALID, require_known_sides


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
    groups = groups_of(frame, seed)
    side, torn = given_sides(frame, groups)
    if torn.any():
        raise PatientLeak(
            f"the column 'split' puts {int(torn.sum())} women on more than one side; "
            "`mammo split --kind official --shared` settles it"
        )
    wanted = {VALID: validation_fraction, TEST: test_fraction}
    filled = set(side.dropna())
    _deal(groups, side, {name: f for name, f in wanted.items() if name not in filled})
    return _of_rows(side, groups, frame)


def ratio_split(frame: pd.DataFrame, options: SplitOptions) -> pd.Series:
    """Sides by share alone, whatever the `split` column says; with the index of the frame.

    Who is held out does not depend on the share of validation that is carved from the rest. Rows
    are divided instead of women where leakage is allowed; `split_table` must then be told to mark
    what it refuses else.

    Args:
        frame: rows with `patient_id`, `cancer` (0, 1 or null) and, optionally, `film_id`;
            `image_id` too for a split by row.
        options: shares, seed, and whether rows are divided instead of women.

    Raises:
        InputError: too few women (or rows) with or without cancer, a missing column or patient.
    """
    groups = groups_of(frame, options.seed, options.by)
    side = pd.Series([None] * len(groups), dtype="object")
    _deal(groups, side, options.fractions)
    return _of_rows(side, groups, frame)


def carve_validation(
    frame: pd.DataFrame, sides: pd.Series, fraction: float, seed: int
) -> pd.Series:
    """The sides with a share of the training women moved to `valid`; the others as they are.

    Args:
        frame: rows with `patient_id`, `cancer` and, optionally, `film_id`.
        sides: of every row, with the index of the frame.
        fraction: share of the women on `train`; 0 moves none.
        seed: changes who is moved.

    Raises:
        InputError: too few women with or without cancer on `train`.
    """
    train = pd.Series((sides == TRAIN).to_numpy(dtype=bool, na_value=False), index=sides.index)
    if fraction <= 0 or not train.any():
        return sides
    groups = groups_of(frame[train], seed)
    side = pd.Series([None] * len(groups), dtype="object")
    _deal(groups, side, {VALID: fraction})
    carved = sides.astype("object").copy()
    carved[train] = _of_rows(side, groups, frame[train])
    return carved.astype("str").rename("split")


def given_sides(frame: pd.DataFrame, groups: Groups) -> tuple[pd.Series, np.ndarray]:
    """Side of each group as the `split` column gives it, else null; and which are torn.

    A torn group has rows on several sides; it is given the first of them in the order of `SIDES`.

    Raises:
        InputError: an unknown side.
    """
    side = pd.Series([None] * len(groups), dtype="object")
    if "split" not in frame or not frame["split"].notna().any():
        return side, np.zeros(len(groups), dtype=bool)
    require_known_sides(frame["split"])
    present = np.zeros((len(groups), len(SIDES)), dtype=bool)
    for index, name in enumerate(SIDES):
        on_side = (frame["split"] == name).to_numpy(dtype=bool, na_value=False)
        present[groups.of_row[on_side], index] = True
    known = np.flatnonzero(present.any(axis=1))
    side[known] = np.asarray(SIDES, dtype="object")[present[known].argmax(axis=1)]
    return side, present.sum(axis=1) > 1


def _of_rows(side: pd.Series, groups: Groups, frame: pd.DataFrame) -> pd.Series:
    values = side.to_numpy()[groups.of_row]
    return pd.Series(values, index=frame.index, name="split", dtype="str")


def _deal(groups: Groups, side: pd.Series, fractions: dict[str, float]) -> None:
    """Give every group without a side one, in place: those named in their shares, the rest train.

    The order of `fractions` is the order of dealing.
    """
    fractions = {name: fraction for name, fraction in fractions.items() if fraction > 0}
    free = side.isna().to_numpy()
    for stratum, chosen in groups.by_stratum():
        has_train = bool((side[chosen] == TRAIN).any())
        members = chosen[free[chosen]]
        if not len(members):
            continue
        counts = {name: int(len(members) * share + 0.5) for name, share in fractions.items()}
        if stratum != UNLABELLED:
            who = f"{groups.noun} {stratum}"
            counts = _one_at_least(counts, len(members), who, has_train=has_train)
        names = np.repeat([*counts, TRAIN], [*counts.values(), len(members)])
        side[members] = names[: len(members)]


def _one_at_least(
    counts: dict[str, int], members: int, who: str, *, has_train: bool
) -> dict[str, int]:
    """The numbers for each side, raised to one where they are none, with one left for `train`."""
    counts = {name: max(1, count) for name, count in counts.items()}
    for_train = 0 if has_train else 1
    needed = len(counts) + for_train
    if members < needed:
        sides = ", ".join([*([] if has_train else [TRAIN]), *counts])
        raise InputError(
            f"one of the {who} on each side ({sides}) needs at least {needed}, found {members}"
        )
    while sum(counts.values()) > members - for_train:
        largest = max(counts, key=lambda name: counts[name])
        counts[largest] -= 1
    return counts
