"""Figures are pictures of the numbers that they are given."""

from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from mammo_ray.config import EvaluateConfig
from mammo_ray.evaluation.metrics import evaluate_scores
from mammo_ray.reports import figures


def decoded(png: bytes) -> np.ndarray:
    """(H, W, 3) uint8, blue first."""
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def share_of(png: bytes, color: str) -> float:
    """Share of the pixels that have this very color."""
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return float(np.all(decoded(png) == [blue, green, red], axis=2).mean())


def scored(labels: list[int | None]) -> pd.DataFrame:
    """One image a woman; scores rise."""
    return pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(len(labels))],
            "cancer": pd.array(labels, dtype="Int8"),
            "score": np.linspace(0.1, 0.9, len(labels)),
        }
    )


def drawn(labels: list[int | None]) -> dict[str, bytes]:
    frame = scored(labels)
    evaluation = evaluate_scores(frame, EvaluateConfig(bootstrap_samples=100))
    return figures.evaluation_figures(evaluation, frame)


def test_both_labels_give_all_figures() -> None:
    found = drawn([0, 0, 1, 0, 1, 1, None])
    assert set(found) == {"scores", "roc", "precision_recall", "confusion_matrix"}
    assert all(decoded(png).shape[0] > 400 for png in found.values())


def test_one_label_gives_no_curves() -> None:
    assert set(drawn([0, 0, 0])) == {"scores", "confusion_matrix"}


def test_no_label_gives_no_figure() -> None:
    assert drawn([None, None]) == {}


def test_a_better_confusion_matrix_looks_different() -> None:
    good = {"confusion_matrix": [[9, 1], [0, 10]], "threshold": 0.5}
    bad = {"confusion_matrix": [[1, 9], [10, 0]], "threshold": 0.5}
    one, other = (decoded(figures.plot_confusion_matrix(n)) for n in (good, bad))
    height, width = one.shape[:2]
    corner = (slice(height // 5, height // 4), slice(width // 4, width // 3))
    assert one[corner].mean() < other[corner].mean()


@pytest.mark.parametrize("column", ["valid_loss", "valid_auc"])
def test_a_history_shows_validation_in_its_own_color(column: str) -> None:
    history: list[dict[str, Any]] = [{"epoch": k, "loss": 1 / k, "best": k == 2} for k in (1, 2, 3)]
    without = figures.plot_history(history)
    with_validation = figures.plot_history([entry | {column: 0.5} for entry in history])
    assert share_of(without, "#D55E00") == 0
    assert share_of(with_validation, "#D55E00") > 0


def test_one_epoch_is_enough_for_a_history() -> None:
    assert decoded(figures.plot_history([{"epoch": 1, "loss": 0.7}])).size > 0


def test_a_histogram_without_labels_is_plain() -> None:
    png = figures.plot_score_histogram(pd.Series([0.1, 0.2, 0.2, 0.9]))
    assert share_of(png, "#0072B2") > 0.03
    assert share_of(png, "#E69F00") == 0


def test_images_are_shown_over_the_full_range_of_their_type() -> None:
    gray = [np.full((8, 8), 32768, np.uint16), np.full((8, 8), 128, np.uint8)]
    assert share_of(figures.display_images(gray, ["a", "b"], columns=2), "#808080") > 0.3
