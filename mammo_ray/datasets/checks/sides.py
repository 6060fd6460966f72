"""Who stands on which side of a split, and what is known of whom."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray.datasets.checks.finding import Check, Finding, examples_of, found, noted
from mammo_ray.datasets.checks.rows import women_of


def check_sides(frame: pd.DataFrame) -> Iterator[Finding]:
    """Images that stand twice, unknown patients, shared women and films, and class balance.

    Args:
        frame: from `checked_rows`.
    """
    yield from _repeated_images(frame)
    yield from _unknown_patients(frame)
    yield from _shared(frame, "patient_id", "women", Check.SHARED_WOMEN)
    yield from _shared(frame, "film_id", "films", Check.SHARED_FILMS)
    yield from _class_balance(frame)


def _repeated_images(frame: pd.DataFrame) -> Iterator[Finding]:
    repeated = frame["image_id"].duplicated(keep="first")
    if repeated.any():
        detail = f"{int(repeated.sum())} rows repeat the image_id of another row"
        yield found(Check.REPEATED_IMAGES, repeated.sum(), detail, examples_of(frame, repeated))


def _unknown_patients(frame: pd.DataFrame) -> Iterator[Finding]:
    unknown = frame["patient_id"].isna()
    if unknown.any():
        detail = (
            f"{int(unknown.sum()):,} of {len(frame):,} images have no patient_id: they cannot be "
            "split without a leak, and none is trained or judged on"
        )
        yield found(Check.UNKNOWN_PATIENTS, unknown.sum(), detail, examples_of(frame, unknown))


def _shared(frame: pd.DataFrame, column: str, noun: str, check: Check) -> Iterator[Finding]:
    """Women or films that the split column puts on more than one side."""
    rows, count = on_several_sides(frame[column], frame["split"])
    if not count:
        return
    known = frame.loc[frame["split"].notna(), column].nunique()
    sides = frame.loc[rows, "split"].astype("str").value_counts().sort_index()
    where = ", ".join(f"{images:,} in {side}" for side, images in sides.items())
    detail = (
        f"{count:,} of {known:,} {noun} stand on more than one side of the split column: "
        f"{int(rows.sum()):,} images ({where}); `mammo split --kind official --shared` settles it"
    )
    yield found(check, count, detail, examples_of(frame, rows))


def on_several_sides(keys: pd.Series, sides: pd.Series) -> tuple[npt.NDArray[np.bool_], int]:
    """Rows on a side whose key stands on another side too, and how many such keys there are."""
    pairs = pd.DataFrame({"key": keys, "side": sides}).dropna()
    counts = pairs.drop_duplicates()["key"].value_counts()
    shared = counts.index[counts > 1]
    return np.asarray(keys.isin(shared) & sides.notna(), dtype=bool), len(shared)


def _class_balance(frame: pd.DataFrame) -> Iterator[Finding]:
    """Images and women with cancer on every side; one class alone neither teaches nor tests."""
    labelled = frame[frame["cancer"].notna()]
    if labelled.empty:
        return
    lines = []
    for side, rows in _by_side(labelled):
        positive = rows[rows["cancer"] == 1]
        share = 100 * len(positive) / len(rows)
        lines.append(
            f"{side}: {len(positive):,} of {len(rows):,} images ({share:.1f} %), "
            f"{women_of(positive):,} of {women_of(rows):,} women"
        )
        if rows["cancer"].nunique() == 1 and side != "all":
            what = "with" if len(positive) else "without"
            detail = f"all {len(rows):,} labelled images of {side} are {what} cancer"
            yield found(Check.ONE_CLASS_SIDE, len(rows), detail)
    yield noted(Check.CLASS_BALANCE, (labelled["cancer"] == 1).sum(), "; ".join(lines))


def _by_side(labelled: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "all", labelled
    for side in sorted(labelled["split"].dropna().unique()):
        yield str(side), labelled[labelled["split"] == side]
    no_side = labelled[labelled["split"].isna()]
    if 0 < len(no_side) < len(labelled):
        yield "no side", no_side
