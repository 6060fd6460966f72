"""How good scores are, in numbers that go into JSON; scikit-learn counts where it can."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics

from mammo_ray.config import EvaluateConfig
from mammo_ray.evaluation.intervals import chance_statement, roc_auc_interval
from mammo_ray.evaluation.levels import judged_images, units_of

CURVE_POINTS = 200

Array = npt.NDArray[Any]
Numbers = dict[str, Any]


def evaluate_scores(frame: pd.DataFrame, config: EvaluateConfig) -> Numbers:
    """Every number about a set of scored images, JSON-able.

    Args:
        frame: one row an image: `patient_id`, `cancer` (0, 1 or null), `score` (0 to 1; null where
            unscored) and, optionally, `study_uid`, `study_date`, `laterality`, `label_level`,
            `label_source` and `image_kind`.
        config: threshold, and size, seed and confidence of the bootstrap.

    Returns:
        What `judge` gives for images; under `breasts` and `exams` the same for those; `summary`,
        one sentence about the images; `notes`, what a reader must know, in words.

    Raises:
        InputError: a missing column, a row without a patient, a score outside 0 to 1.
    """
    images = judged_images(frame)
    by_image = judge(units_of(images, "image"), config)
    return {
        "summary": _summary(by_image),
        "notes": _notes(frame, images),
        **by_image,
        "breasts": judge(units_of(images, "breast"), config),
        "exams": judge(units_of(images, "exam"), config),
    }


def judge(units: pd.DataFrame, config: EvaluateConfig) -> Numbers:
    """The numbers of one level: counts, numbers at the threshold, and ranking.

    Args:
        units: from `units_of`; unlabelled and unscored units are counted and left out.
        config: as for `evaluate_scores`.

    Returns:
        `confusion_matrix` is [[true negative, false positive], [false negative, true positive]];
        `roc_auc` holds `value`, `low`, `high` and `confidence`. What cannot be computed is null,
        and `statement` says why.
    """
    used = units.dropna(subset=["cancer", "score"])
    labels = used["cancer"].to_numpy().astype(np.int64)
    scores = used["score"].to_numpy()
    return {
        "units": len(used),
        "women": int(used["patient_id"].nunique()),
        "women_with_cancer": int(used.loc[used["cancer"] == 1, "patient_id"].nunique()),
        "positives": int(labels.sum()),
        "negatives": int((labels == 0).sum()),
        "prevalence": float(labels.mean()) if len(labels) else None,
        "unlabelled": int(units["cancer"].isna().sum()),
        "unscored": int(units["score"].isna().sum()),
        "partial": int(used["partial"].sum()),
        **_at_threshold(labels, scores, config.threshold),
        **_ranking(labels, scores, used["patient_id"].to_numpy(), config),
    }


def _at_threshold(labels: Array, scores: Array, threshold: float) -> Numbers:
    """Numbers of the answer `score >= threshold`, and of the scores as probabilities."""
    if not len(labels):
        rates = ["accuracy", "sensitivity", "specificity", "brier"]
        tables = ["confusion_matrix", "classification_report"]
        return {"threshold": threshold, **dict.fromkeys([*rates, *tables])}
    answers = (scores >= threshold).astype(np.int64)
    matrix = metrics.confusion_matrix(labels, answers, labels=[0, 1]).tolist()
    (true_negative, false_positive), (false_negative, true_positive) = matrix
    report = metrics.classification_report(
        labels,
        answers,
        labels=[0, 1],
        target_names=["no cancer", "cancer"],
        output_dict=True,
        zero_division=0.0,
    )
    return {
        "threshold": threshold,
        "accuracy": float(metrics.accuracy_score(labels, answers)),
        "sensitivity": _share(true_positive, false_negative),
        "specificity": _share(true_negative, false_positive),
        "brier": float(metrics.brier_score_loss(labels, scores, pos_label=1)),
        "confusion_matrix": matrix,
        "classification_report": report,
    }


def _ranking(labels: Array, scores: Array, women: Array, config: EvaluateConfig) -> Numbers:
    """Numbers that need no threshold but both classes."""
    positives = int(labels.sum())
    if not 0 < positives < len(labels):
        names = ["roc_auc", "average_precision", "roc_curve", "precision_recall_curve"]
        reason = (
            "no ROC AUC: it needs labelled and scored cases with and without cancer, "
            f"found {positives} with and {len(labels) - positives} without"
        )
        return {**dict.fromkeys(names), "statement": reason}
    interval = roc_auc_interval(
        labels,
        scores,
        women,
        samples=config.bootstrap_samples,
        confidence=config.confidence,
        seed=config.seed,
    )
    auc = {"value": interval.auc, "low": interval.low, "high": interval.high}
    return {
        "roc_auc": {**auc, "confidence": config.confidence},
        "statement": chance_statement(interval.auc, interval.low, interval.high),
        "average_precision": float(metrics.average_precision_score(labels, scores)),
        "roc_curve": _roc_curve(labels, scores),
        "precision_recall_curve": _precision_recall_curve(labels, scores),
    }


def _roc_curve(labels: Array, scores: Array) -> Numbers:
    """At most `CURVE_POINTS` points, (0, 0) to (1, 1)."""
    false_positive_rate, sensitivity, _ = metrics.roc_curve(labels, scores)
    return {
        "false_positive_rate": _thinned(false_positive_rate),
        "sensitivity": _thinned(sensitivity),
    }


def _precision_recall_curve(labels: Array, scores: Array) -> Numbers:
    """At most `CURVE_POINTS` points, by falling recall."""
    precision, recall, _ = metrics.precision_recall_curve(labels, scores, drop_intermediate=True)
    return {"recall": _thinned(recall), "precision": _thinned(precision)}


def _thinned(values: Array) -> list[float]:
    """Evenly spaced entries with both ends."""
    count = min(len(values), CURVE_POINTS)
    kept = np.linspace(0, len(values) - 1, count).round().astype(np.int64)
    return [float(value) for value in values[kept]]


def _share(right: int, wrong: int) -> float | None:
    return right / (right + wrong) if right + wrong else None


def _summary(images: Numbers) -> str:
    """One sentence: how many, how good, and whether that can be told from chance."""
    who = (
        f"{images['units']:,} images of {images['women']:,} women, "
        f"{images['women_with_cancer']:,} of them with cancer"
    )
    return f"On {who}: {images['statement']}."


def _notes(frame: pd.DataFrame, images: pd.DataFrame) -> list[str]:
    """What a reader must know: labels or images of several kinds stand in one table."""
    notes = []
    for column, noun in (
        ("label_level", "labels of several levels"),
        ("label_source", "labels of several sources"),
        ("image_kind", "images of several kinds"),
    ):
        if column in frame:
            counts = frame[column].dropna().astype("str").value_counts().sort_index()
            if len(counts) > 1:
                found = ", ".join(f"{count} {name}" for name, count in counts.items())
                notes.append(f"{noun} are judged together: {found}")
    no_side = int(images["laterality"].isna().sum())
    if no_side:
        notes.append(f"{no_side} images of no known side are left out of the breasts")
    return notes
