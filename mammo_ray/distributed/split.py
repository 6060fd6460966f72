"""`split.csv` or `folds.csv` of a manifest, and how much a careless split would have leaked."""

import pandas as pd

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.distributed.manifest import locate_manifest, manifest_digest
from mammo_ray.errors import InputError
from mammo_ray.run_record import RunRecord
from mammo_ray.splits import (
    SIDES,
    TEST,
    SplitOptions,
    assign_folds,
    folds_table,
    leaking_shares,
    leaking_shares_of_folds,
    official_split,
    ratio_split,
    settled_sides,
    split_table,
)

__all__ = ["SplitOptions", "write_split"]

_COLUMNS = [
    "image_id", "patient_id", "film_id", "kind", "split", "cancer", "site", "density",
]  # fmt: skip

Shares = dict[str, float | None]


def write_split(manifest: str, out: str, options: SplitOptions, config: Config) -> RunRecord:
    """Divide the women of a manifest into sides or folds and write the CSV.

    A row without a patient gets no side and no fold: nobody knows who it would leak to.

    The record's details hold `leakage`: percentages of test rows (of the kind `data.kind`) whose
    woman and whose film training has seen, in the split that was made (`made`) and in one of equal
    size by row (`by_row`); and `summary`, one sentence a line for people.

    Args:
        manifest: the file or its folder.
        out: the CSV; its run record is put beside it.
        options: which kind of split, and how.
        config: `data.kind` says which rows the percentages count.

    Raises:
        InputError: no manifest, no known patient, too few women.
        PatientLeak: an official split that shares women or films and is not told what to do.
    """
    record = RunRecord("split", config)
    uri, _ = locate_manifest(manifest)
    record.inputs = {"manifest": manifest_digest(uri), **_said(options)}
    frame: pd.DataFrame = storage.read_table(uri, columns=_COLUMNS).to_pandas()
    named = frame["patient_id"].notna()
    if not named.any():
        raise InputError(f"none of the {len(frame)} rows has a patient_id: nobody can be divided")
    counted = named & (frame["kind"] == config.data.kind).fillna(value=False).astype(bool)
    divide = {"folds": _folds, "ratio": ratio_split, "official": official_split}[options.kind]
    side = divide(frame[named], options).reindex(frame.index)
    if options.kind == "folds":
        table = folds_table(frame, side)
        leakage = _leakage_of_folds(frame[counted], side[counted], options)
    else:
        table = split_table(frame.assign(split=side), leakage_allowed=options.allow_leakage)
        leakage = _leakage(frame[counted], side[counted], options)
    record.counts = _counts(frame, side)
    storage.write_text(out, table.to_csv(index=False, lineterminator="\n"))
    record.details = {
        "leakage": {**leakage, "rows": config.data.kind},
        "summary": _summary(frame, side, leakage, options),
    }
    record.write_beside(out)
    return record


def _said(options: SplitOptions) -> dict[str, str]:
    return {name: str(value) for name, value in vars(options).items()}


def _folds(frame: pd.DataFrame, options: SplitOptions) -> pd.Series:
    """Fold of every row; null for the official test side, and for women dropped from it."""
    used = pd.Series(data=True, index=frame.index)
    if not options.include_test and (frame["split"] == TEST).any():
        sides = settled_sides(frame, options)
        dropped = sides.isna() & frame["split"].notna()
        used = ~(dropped | (sides == TEST).fillna(value=False).astype(bool))
    if not used.any():
        raise InputError("every row stands on the test side: nothing is left to fold")
    folds = pd.Series(pd.NA, index=frame.index, dtype="Int64", name="fold")
    folds[used] = assign_folds(frame[used], options.folds, options.seed)
    return folds


def _leakage(frame: pd.DataFrame, sides: pd.Series, options: SplitOptions) -> dict[str, Shares]:
    """Percentages of the split that was made, and of one by row with a test side of its size."""
    used = sides.notna()
    tested = float((sides[used] == TEST).mean()) if used.any() else 0.0
    made = leaking_shares(frame, sides)
    if not 0 < tested < 1:
        return {"made": made, "by_row": {}}
    careless = SplitOptions(
        test_fraction=tested, validation_fraction=0, allow_leakage=True, seed=options.seed
    )
    try:
        by_row = ratio_split(frame[used], careless)
    except InputError:  # too few labelled rows to divide: there is nothing to compare with
        return {"made": made, "by_row": {}}
    return {"made": made, "by_row": leaking_shares(frame[used], by_row)}


def _leakage_of_folds(
    frame: pd.DataFrame, folds: pd.Series, options: SplitOptions
) -> dict[str, Shares]:
    """Percentages over all folds, and of rows dealt out to as many folds one by one."""
    rows, used = frame[folds.notna()], folds.dropna()
    made = leaking_shares_of_folds(rows, used)
    each = rows.assign(patient_id=rows["image_id"], film_id=None)
    try:
        dealt = assign_folds(each, options.folds, options.seed)
    except InputError:  # too few labelled rows to divide: there is nothing to compare with
        return {"made": made, "by_row": {}}
    by_row = leaking_shares_of_folds(rows, pd.Series(dealt, index=rows.index))
    return {"made": made, "by_row": by_row}


def _counts(frame: pd.DataFrame, side: pd.Series) -> dict[str, int]:
    """Women, images and positive images of every side or fold, and images of none."""
    names = {name: name for name in SIDES} if side.name == "split" else {}
    names = names or {number: f"fold_{number}" for number in sorted(side.dropna().unique())}
    counts: dict[str, int] = {"images": len(frame), "women": int(frame["patient_id"].nunique())}
    for value, name in names.items():
        rows = frame[(side == value).fillna(value=False).astype(bool)]
        counts[f"{name}_women"] = int(rows["patient_id"].nunique())
        counts[f"{name}_images"] = len(rows)
        counts[f"{name}_positive"] = int(rows["cancer"].fillna(0).sum())
    counts["unused_images"] = int(side.isna().sum())
    counts["unused_without_patient"] = int(frame["patient_id"].isna().sum())
    return counts


def _summary(
    frame: pd.DataFrame, side: pd.Series, leakage: dict[str, Shares], options: SplitOptions
) -> str:
    """What was made, and both percentages, in sentences."""
    counts = _counts(frame, side)
    names = [name.removesuffix("_women") for name in counts if name.endswith("_women")]
    lines = [
        f"{name}: {counts[f'{name}_women']:,} women, {counts[f'{name}_images']:,} images, "
        f"{counts[f'{name}_positive']:,} with cancer"
        for name in names
    ]
    if counts["unused_images"]:
        nameless = counts["unused_without_patient"]
        why = f", {nameless:,} of them without a patient_id" if nameless else ""
        lines.append(f"on no side: {counts['unused_images']:,} images{why}")
    what = "these folds share" if options.kind == "folds" else f"this {options.kind} split shares"
    lines.append(f"{what} with training {_percent(leakage['made'])} of the test rows")
    if leakage["by_row"]:
        lines.append(f"a split by row would share {_percent(leakage['by_row'])}")
    if options.allow_leakage:
        lines.append("it is marked: every result made on it says that it is no performance")
    return "\n".join(lines)


def _percent(shares: Shares) -> str:
    nouns = {"women": "the woman", "films": "the film"}
    said = [
        f"{nouns[name]} of {share:.1f} %" for name, share in shares.items() if share is not None
    ]
    return " and ".join(said) or "nothing that is known"
