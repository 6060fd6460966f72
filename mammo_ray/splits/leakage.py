"""Women and films on more than one side: refused, or counted."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray.errors import PatientLeak
from mammo_ray.splits.words import TEST, TRAIN, VALID, require_columns

# What must not stand on two sides, and what it is called.
_KEPT_TOGETHER = {"patient_id": "women", "film_id": "films"}


def require_no_leak(frame: pd.DataFrame, sides: str) -> None:
    """Refuse a frame in which a woman or film stands on two sides; null sides are not used.

    Args:
        frame: rows with `patient_id` and, optionally, `film_id`.
        sides: the column with the side or fold of every row.

    Raises:
        PatientLeak: with the numbers of women, films and images, no identifier.
        InputError: a missing column.
    """
    require_columns(frame, "patient_id", sides)
    concerned = np.zeros(len(frame), dtype=bool)
    found = []
    for column, noun in _KEPT_TOGETHER.items():
        if column not in frame:
            continue
        torn, count = torn_rows(frame[column], frame[sides])
        concerned |= torn
        if count:
            found.append(f"{count} {noun}")
    if found:
        counts = frame.loc[concerned, sides].value_counts().sort_index()
        where = ", ".join(f"{count} in {name}" for name, count in counts.items() if count)
        raise PatientLeak(
            f"{' and '.join(found)} stand on more than one side of {sides!r}: "
            f"{int(concerned.sum())} images are concerned ({where})"
        )


def torn_rows(keys: pd.Series, sides: pd.Series) -> tuple[npt.NDArray[np.bool_], int]:
    """Rows on a side whose key stands on another side too, and the number of such keys."""
    key, names = pd.factorize(keys)
    side, words = pd.factorize(sides)
    used = (key >= 0) & (side >= 0)
    low = np.full(len(names), len(words), dtype=np.int64)
    high = np.full(len(names), -1, dtype=np.int64)
    np.minimum.at(low, key[used], side[used])
    np.maximum.at(high, key[used], side[used])
    torn = low < high
    rows = np.zeros(len(keys), dtype=bool)
    rows[used] = torn[key[used]]
    return rows, int(torn.sum())


def leaking_shares(frame: pd.DataFrame, sides: pd.Series) -> dict[str, float | None]:
    """Percentages of test rows whose woman, and whose film, was seen in training or validation.

    Args:
        frame: rows with `patient_id` and, optionally, `film_id`.
        sides: `train`, `valid`, `test` or null for every row, with the index of the frame.

    Returns:
        `women` and `films`, 0 to 100; null where there is no test row or no film is known.
    """
    learned = sides.isin([TRAIN, VALID]).to_numpy(dtype=bool)
    tested = (sides == TEST).to_numpy(dtype=bool, na_value=False)

    def share(keys: pd.Series) -> float | None:
        key, names = pd.factorize(keys)
        if not tested.any() or not len(names):
            return None
        seen = np.zeros(len(names) + 1, dtype=bool)  # the last is for rows without a key
        seen[key[learned & (key >= 0)]] = True
        return float(100 * seen[key[tested]].mean())

    return {noun: share(frame[c]) for c, noun in _KEPT_TOGETHER.items() if c in frame}


def leaking_shares_of_folds(frame: pd.DataFrame, folds: pd.Series) -> dict[str, float | None]:
    """As `leaking_shares`, where every fold in turn is tested against all the others."""
    used = folds.notna()

    def share(keys: pd.Series) -> float | None:
        if not used.any() or not keys.notna().any():
            return None
        rows, _ = torn_rows(keys, folds)
        return float(100 * rows[used].mean())

    return {noun: share(frame[c]) for c, noun in _KEPT_TOGETHER.items() if c in frame}
