"""One row for every file of a scored archive, ready to be judged: numbers instead of words."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray import schema
from mammo_ray.identifiers import keyed_id
from mammo_ray.scoring.grouping import exam_keys
from mammo_ray.scoring.protocol import SIDES, VIEWS, Scope

UNKNOWN = "unknown"
# What the columns `side` and `view` number; the first ones are those of `protocol`.
ALL_SIDES: tuple[str, ...] = (*SIDES, schema.Laterality.BOTH, UNKNOWN)
ALL_VIEWS: tuple[str, ...] = (
    *VIEWS,
    *(view for view in schema.ViewPosition if view not in VIEWS),
    UNKNOWN,
)

_TEXT = (
    "image_id", "uri", "patient_id", "study_uid", "study_date", "accession", "laterality",
    "view_position", "reason", "image_kind",
)  # fmt: skip


def gather_files(images: pd.DataFrame, rejections: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Planned images and the files that never became one, in one frame.

    Args:
        images: columns of `schema.SCORED_IMAGES`, one row a planned image.
        rejections: columns of `schema.REJECTIONS`. Rows of later stages than the manifest are
            left aside where `images` holds the same image: they would count twice.
        scope: what the model was validated on.

    Returns:
        String columns as in the tables; `planned`, `scored`, `kind_in_scope`,
        `implant_in_scope`, `usable` (scored and in scope), `satisfies` (usable, and its kind is
        known), `side` and `view` (positions in `ALL_SIDES`, `ALL_VIEWS`), `score` and `cancer`
        (floats, NaN where null). An image that claims to be scored and has no finite score is a
        rejection.
    """
    later = rejections["stage"].astype("string").ne(schema.Stage.MANIFEST)
    counted = rejections[~(later & rejections["image_id"].isin(images["image_id"]))]
    files = pd.DataFrame(
        {name: pd.concat([_text(images, name), _text(counted, name)]) for name in _TEXT}
    ).reset_index(drop=True)
    blank = np.full(len(counted), np.nan)
    for name in ("score", "cancer"):
        known = pd.to_numeric(images[name]).to_numpy(dtype="float64", na_value=np.nan)
        files[name] = np.concatenate([known, blank])
    files["planned"] = np.arange(len(files)) < len(images)
    implants = images["implant"].eq(True).to_numpy(dtype=bool, na_value=False)
    files["implant_in_scope"] = scope.implants | ~np.append(implants, blank > 0)
    kinds = list(scope.image_kinds)
    files["kind_in_scope"] = files["image_kind"].isna() | files["image_kind"].isin(kinds)
    _mark_scored(files, images["status"])
    files["side"] = _codes(files["laterality"], ALL_SIDES)
    files["view"] = _codes(files["view_position"], ALL_VIEWS)
    return files


def number_exams(files: pd.DataFrame, exam_key: str) -> list[str]:
    """Add the column `exam` and those of `exam_keys`; return the sorted ids that it numbers."""
    keys = exam_keys(files)
    codes, distinct = pd.factorize(keys["key"])
    ids = np.array([keyed_id("exam", exam_key, key) for key in distinct], dtype=object)
    order = np.argsort(ids)
    position = np.empty(len(ids), dtype=np.int64)
    position[order] = np.arange(len(ids))
    files["exam"] = position[codes]
    for name in ("by_folder", "shared_study", "unidentified"):
        files[name] = keys[name].to_numpy(dtype=bool)
    return list(ids[order])


def view_labels() -> npt.NDArray[np.object_]:
    """(side, view): how reasons name a view, such as `L CC` or `R, view unknown`."""
    labels = np.empty((len(ALL_SIDES), len(ALL_VIEWS)), dtype=object)
    for s, side in enumerate(ALL_SIDES):
        for v, view in enumerate(ALL_VIEWS):
            labels[s, v] = _label(side, view)
    return labels


def _label(side: str, view: str) -> str:
    if side == UNKNOWN:
        return "side and view unknown" if view == UNKNOWN else f"{view}, side unknown"
    return f"{side}, view unknown" if view == UNKNOWN else f"{side} {view}"


def _text(frame: pd.DataFrame, name: str) -> "pd.Series[str]":
    """A string column; null where it is empty or where the table has no such column."""
    if name not in frame:
        return pd.Series(pd.NA, index=frame.index, dtype="string")
    text = frame[name].astype("string")
    return text.mask(text.eq("").fillna(False))


def _mark_scored(files: pd.DataFrame, status: "pd.Series[str]") -> None:
    claimed = np.zeros(len(files), dtype=bool)
    claimed[: len(status)] = status.eq(schema.ImageStatus.SCORED).to_numpy(dtype=bool)
    files["scored"] = claimed & np.isfinite(files["score"])
    files["score"] = files["score"].where(files["scored"])
    no_number = claimed & ~files["scored"]
    files["reason"] = files["reason"].mask(no_number, schema.RejectionReason.NON_FINITE_SCORE)
    files["usable"] = files["scored"] & files["kind_in_scope"] & files["implant_in_scope"]
    files["satisfies"] = files["usable"] & files["image_kind"].notna()


def _codes(text: "pd.Series[str]", names: tuple[str, ...]) -> npt.NDArray[np.int8]:
    """Position of each value in `names`; its last name, `unknown`, for null and for others."""
    codes = pd.Categorical(text, categories=pd.Index(names[:-1], dtype="string")).codes
    return np.where(codes < 0, len(names) - 1, codes).astype(np.int8)
