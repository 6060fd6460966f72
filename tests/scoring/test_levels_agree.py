"""Evaluation judges the very breast and exam scores that scoring writes."""

import numpy as np
import pandas as pd

from mammo_ray.evaluation.levels import judged_images, units_of
from mammo_ray.schema import REJECTIONS, SCORED_IMAGES, Protocol
from mammo_ray.scoring.aggregate import judge_exams
from mammo_ray.scoring.protocol import Scope


def _archive(images: int, seed: int) -> pd.DataFrame:
    """Images of random women, sides and views; some unscored, some without a side."""
    draw = np.random.default_rng(seed)
    frame = SCORED_IMAGES.empty_table().to_pandas().reindex(range(images))
    woman = draw.integers(0, images // 5, images)
    frame["image_id"] = [f"img-{k}" for k in range(images)]
    frame["uri"] = [f"archive/{w}/{k}.dcm" for k, w in enumerate(woman)]
    frame["patient_id"] = [f"W{w}" for w in woman]
    frame["study_uid"] = [f"1.2.{w}" for w in woman]
    frame["study_date"] = "20200101"
    frame["laterality"] = draw.choice(["L", "R", None], images, p=[0.45, 0.45, 0.1])
    frame["view_position"] = draw.choice(["CC", "MLO", "ML", None], images)
    frame["image_kind"] = "ffdm"
    frame["cancer"] = draw.integers(0, 2, images)
    scored = draw.random(images) > 0.1
    frame["score"] = np.where(scored, draw.random(images), np.nan)
    frame["status"] = np.where(scored, "scored", "rejected")
    frame["reason"] = np.where(scored, None, "decode-failed")
    return frame


def test_breast_and_exam_scores_agree_between_scoring_and_evaluation() -> None:
    frame = _archive(600, seed=4)
    scope = Scope(frozenset({"ffdm"}), implants=False)
    none = REJECTIONS.empty_table().to_pandas()
    judged = judge_exams(frame, none, Protocol.ANY, scope, "key")
    images = judged_images(frame)
    exams = judged.exams.to_pandas().set_index("patient_id").sort_index()
    units = units_of(images, "exam").set_index("patient_id").sort_index()
    assert len(units) == len(exams) > 100
    np.testing.assert_allclose(units["score"], exams["score"])
    np.testing.assert_array_equal(units["cancer"], exams["cancer"])
    breasts = judged.breasts.to_pandas()
    breasts = breasts[breasts["laterality"].isin(["L", "R"])]
    expected = np.sort(breasts["score"].to_numpy(dtype=float))
    found = np.sort(units_of(images, "breast")["score"].to_numpy(dtype=float))
    np.testing.assert_allclose(found, expected)
