"""What is judged: images, breasts (of an exam) or exams, each with one score and one label."""

from typing import Literal

import pandas as pd

from mammo_ray.errors import InputError

_UNKNOWN = "unknown"
_REQUIRED = ("patient_id", "cancer", "score")


def judged_images(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that levels are made of, checked, with the exam of every image.

    Args:
        frame: rows with `patient_id`, `cancer` (0, 1, null), `score` (0 to 1, null where unscored)
            and, optionally, `study_uid`, `study_date`, `laterality` and `view_position`.

    Returns:
        `patient_id`, `exam`, `laterality`, `view_position`, `cancer` and `score`, in row order. An
        exam is a study UID, else patient and date.

    Raises:
        InputError: a missing column, a row without a patient, a score outside 0 to 1.
    """
    missing = [name for name in _REQUIRED if name not in frame]
    if missing:
        raise InputError(f"the scores lack the columns {', '.join(missing)}")
    unknown = int(frame["patient_id"].isna().sum())
    if unknown:
        raise InputError(f"{unknown} scores have no patient_id: women cannot be told apart")
    score = frame["score"].astype("float64")
    outside = int(((score < 0) | (score > 1)).sum())
    if outside:
        raise InputError(f"{outside} scores lie outside 0 to 1")
    patient = frame["patient_id"].astype("str")
    date = _text(frame, "study_date").fillna("")
    return pd.DataFrame(
        {
            "patient_id": patient,
            "exam": _text(frame, "study_uid").fillna(patient + "\x1f" + date),
            "laterality": _text(frame, "laterality"),
            "view_position": _text(frame, "view_position"),
            "cancer": frame["cancer"].astype("float64"),
            "score": score,
        }
    )


def units_of(images: pd.DataFrame, level: Literal["image", "breast", "exam"]) -> pd.DataFrame:
    """One row a unit, scored by the rule of `scoring.aggregate`, with its images' highest label.

    A breast's score is the mean within a view position, then over its view positions (images of no
    known side: the highest); an exam's is the highest of its breasts. An unscored image takes part
    with its label, so that a cancer that only it shows is not forgotten (`partial`).

    Args:
        images: from `judged_images`.
        level: `image`, `breast` (images of no known side are left out) or `exam`.

    Returns:
        `patient_id`, `cancer` (null: unlabelled), `score` (null: unscored) and `partial`.
    """
    if level == "image":
        return images[["patient_id", "cancer", "score"]].assign(partial=False)
    keys = ["patient_id", "exam"]
    if level == "breast":
        keys, images = [*keys, "laterality"], images.dropna(subset=["laterality"])
    units = (
        images.assign(unscored=images["score"].isna())
        .groupby(keys, sort=True)
        .agg(cancer=("cancer", "max"), partial=("unscored", "any"))
    )
    units["score"] = _breast_scores(images).groupby(keys)["score"].max()
    units["partial"] &= units["score"].notna()
    columns: pd.DataFrame = units.reset_index()[["patient_id", "cancer", "score", "partial"]]
    return columns


def _breast_scores(images: pd.DataFrame) -> pd.DataFrame:
    """Score of every breast; images of no known side make one breast `unknown`."""
    breast = ["patient_id", "exam", "laterality"]
    known = images.fillna({"laterality": _UNKNOWN, "view_position": _UNKNOWN})
    views = known.groupby([*breast, "view_position"], as_index=False)["score"].mean()
    means = views.groupby(breast, as_index=False)["score"].mean()
    highest = known[known["laterality"] == _UNKNOWN].groupby(breast, as_index=False)["score"].max()
    known_sides = means[means["laterality"] != _UNKNOWN]
    breasts: pd.DataFrame = pd.concat([known_sides, highest], ignore_index=True)
    return breasts


def _text(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as text, null where empty or where there is no such column."""
    if name not in frame:
        return pd.Series(None, index=frame.index, dtype="str")
    return frame[name].astype("str").replace("", None)
