"""Scores of prepared rows: one row an image, rejected ones with a null score and their reason."""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.prepared import pixels_of
from mammo_ray.schema import ImageStatus, RejectionReason, Stage

_FATE = ("status", "stage", "reason", "detail")
_DROPPED = {"pixels", "mask", "height", "width", "dtype"}


class PredictsScores(Protocol):
    """What scoring needs of a classifier."""

    @property
    def digest(self) -> str:
        """Digest of the model."""

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Scores (N,) of pixels (N, H, W)."""


def score_prepared(table: pa.Table, classifier: PredictsScores) -> pa.Table:
    """Rows of `prepared.TRANSIT` without pixels, with `score`, `model_digest` and their status.

    A blank image and a score that is not finite are rejections: an unscored view is never negative.
    """
    usable = pc.and_(
        pc.equal(table.column("status"), str(ImageStatus.PREPARED)),
        pc.invert(pc.fill_null(table.column("blank"), fill_value=False)),
    )
    scores = np.full(table.num_rows, np.nan)
    mask = usable.to_numpy(zero_copy_only=False)
    if mask.any():
        scores[mask] = classifier.predict(pixels_of(table.filter(usable)))
    states = table.select([*_FATE, "blank"]).to_pylist()
    fates = [_fate(float(score), state) for score, state in zip(scores, states, strict=True)]
    kept = table.drop_columns([n for n in table.column_names if n in _DROPPED])
    for name in _FATE:
        values = pa.array([fate[name] for fate in fates], pa.string())
        kept = kept.set_column(kept.schema.get_field_index(name), name, values)
    finite = [float(s) if np.isfinite(s) else None for s in scores]
    digest = pa.repeat(pa.scalar(classifier.digest), table.num_rows)
    return kept.append_column("score", pa.array(finite, pa.float64())).append_column(
        "model_digest", digest
    )


def _fate(score: float, state: dict[str, Any]) -> dict[str, str | None]:
    """Status, stage, reason and detail of one image after scoring."""
    if state["status"] == ImageStatus.REJECTED:
        return state
    if state["blank"]:
        detail = "every pixel has one value; expected an image of a breast"
        return _rejected(RejectionReason.BLANK_IMAGE, detail)
    if not np.isfinite(score):
        detail = f"the model answered {score}, expected a number in [0, 1]"
        return _rejected(RejectionReason.NON_FINITE_SCORE, detail)
    return {"status": str(ImageStatus.SCORED), "stage": None, "reason": None, "detail": None}


def _rejected(reason: RejectionReason, detail: str) -> dict[str, str | None]:
    status, stage = str(ImageStatus.REJECTED), str(Stage.SCORE)
    return {"status": status, "stage": stage, "reason": str(reason), "detail": detail}
