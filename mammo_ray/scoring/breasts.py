"""From the scores of images to breasts: mean within a view position, then over view positions."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from mammo_ray import schema
from mammo_ray.scoring.exam_files import ALL_SIDES, ALL_VIEWS, UNKNOWN
from mammo_ray.scoring.protocol import SIDES

_UNKNOWN_SIDE = ALL_SIDES.index(UNKNOWN)


def judge_breasts(files: pd.DataFrame, missing: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """One row for every side that an exam has a file of, sorted by exam and side.

    Images of unknown side may show different breasts, so they are not averaged: the highest
    stands for all. A score is partial where a file of the breast gave none, where a view
    that the protocol requires of the breast is missing, or where a file of the exam that gave
    none could belong to any of its breasts.

    Args:
        files: from `exam_files`, with the column `exam`.
        missing: (exam, side, view), required and not satisfied; see `protocol.required_views`.

    Returns:
        Columns `exam`, `side`, `score`, `partial`, `images_planned`, `images_scored`,
        `cancer`, and `views_scored`: for each of `ALL_VIEWS`, bit 1 << position.
    """
    breast = (files["exam"] * len(ALL_SIDES) + files["side"]).rename("breast")
    counts = pd.DataFrame(
        {
            "images_planned": 1,
            "images_scored": files["scored"].astype(int),
            "unusable": (~files["usable"]).astype(int),
        }
    )
    breasts = counts.groupby(breast).sum()
    breasts["cancer"] = files["cancer"].groupby(breast).max()
    breasts["exam"], breasts["side"] = np.divmod(breasts.index.to_numpy(), len(ALL_SIDES))
    cells = _view_means(files, breast)
    breasts["score"] = _combine_views(files, breast, cells)
    bits = cells.groupby("breast")["bit"].sum()
    breasts["views_scored"] = bits.reindex(breasts.index, fill_value=0)
    breasts["partial"] = breasts["score"].notna() & _is_partial(breasts, files, missing)
    return breasts


def breast_table(breasts: pd.DataFrame, exams: pd.DataFrame) -> pa.Table:
    """The table `schema.BREASTS`.

    Args:
        breasts: from `judge_breasts`.
        exams: columns `exam_id` and `patient_id`, one row an exam, in their order.
    """
    flags = (breasts["views_scored"].to_numpy()[:, np.newaxis] >> np.arange(len(ALL_VIEWS))) & 1
    offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int32)
    views = np.array(ALL_VIEWS, dtype=object)[np.nonzero(flags)[1]]
    arrays = {
        "exam_id": exams["exam_id"].to_numpy(dtype=object)[breasts["exam"]],
        "patient_id": exams["patient_id"].to_numpy(dtype=object)[breasts["exam"]],
        "laterality": np.array(ALL_SIDES, dtype=object)[breasts["side"]],
        "views_scored": pa.ListArray.from_arrays(pa.array(offsets), pa.array(views, pa.string())),
    }
    return pa.table(
        [
            pa.array(arrays.get(field.name, breasts.get(field.name)), field.type, from_pandas=True)
            for field in schema.BREASTS
        ],
        schema=schema.BREASTS,
    )


def _view_means(files: pd.DataFrame, breast: "pd.Series[int]") -> pd.DataFrame:
    """Mean score of every (breast, view position) with a usable image."""
    usable = files[files["usable"]]
    means = usable["score"].groupby([breast[usable.index], usable["view"]]).mean().reset_index()
    means["bit"] = np.left_shift(1, means["view"].to_numpy(dtype="int64"))
    return means


def _combine_views(
    files: pd.DataFrame, breast: "pd.Series[int]", cells: pd.DataFrame
) -> "pd.Series[float]":
    scores = cells.groupby("breast")["score"].mean()
    unplaced = files[files["usable"] & (files["side"] == _UNKNOWN_SIDE)]
    highest = unplaced["score"].groupby(breast[unplaced.index]).max()
    return highest.combine_first(scores)


def _is_partial(
    breasts: pd.DataFrame, files: pd.DataFrame, missing: npt.NDArray[np.bool_]
) -> "pd.Series[bool]":
    unplaced = ~files["usable"] & (files["side"] == _UNKNOWN_SIDE)
    lacking = np.zeros((len(missing), len(ALL_SIDES)), dtype=bool)
    lacking[:, : len(SIDES)] = missing.any(axis=2)
    return (
        (breasts["unusable"] > 0)
        | breasts["exam"].isin(files.loc[unplaced, "exam"])
        | lacking[breasts["exam"], breasts["side"]]
    )
