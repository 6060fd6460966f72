"""Metrics: equal to scikit-learn and to examples worked by hand, and whole in JSON."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from mammo_ray.config import EvaluateConfig
from mammo_ray.evaluation.metrics import CURVE_POINTS, evaluate_scores

CONFIG = EvaluateConfig(bootstrap_samples=100)


def hand_worked() -> pd.DataFrame:
    """Six women with an image of each breast; at 0.5: 2 hits, 1 miss, 1 false alarm, 6 right."""
    with_cancer = [(0.9, 1), (0.6, 1), (0.4, 1)]
    without = [(0.8, 0), (0.3, 0), (0.2, 0), (0.1, 0), (0.1, 0), (0.0, 0), (0.05, 0)]
    rows = [*with_cancer, *without]
    return pd.DataFrame(
        {
            "patient_id": [*"ABCABCDDEE"],
            "laterality": [*"LLLRRRLRLR"],
            "study_uid": [f"1.{letter}" for letter in "ABCABCDDEE"],
            "score": [score for score, _ in rows],
            "cancer": [cancer for _, cancer in rows],
        }
    )


def random_scores(count: int = 3000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    cancer = random.random(count) < 0.2
    score = 1 / (1 + np.exp(-(random.standard_normal(count) + cancer)))
    return pd.DataFrame(
        {
            "patient_id": [f"P{k // 4}" for k in range(count)],
            "laterality": ["L" if k % 4 < 2 else "R" for k in range(count)],
            "cancer": cancer.astype(int),
            "score": score,
        }
    )


def test_hand_worked_numbers() -> None:
    found = evaluate_scores(hand_worked(), CONFIG)
    assert found["confusion_matrix"] == [[6, 1], [1, 2]]
    expected = {
        "units": 10, "women": 5, "women_with_cancer": 3, "positives": 3, "negatives": 7,
        "unlabelled": 0, "unscored": 0, "partial": 0, "threshold": 0.5,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert found["prevalence"] == pytest.approx(0.3)
    assert found["accuracy"] == pytest.approx(0.8)
    assert found["sensitivity"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(6 / 7)
    assert found["roc_auc"]["value"] == pytest.approx(19 / 21)  # 0.8 beats 0.6 and 0.4
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    squares = 0.01 + 0.16 + 0.36 + 0.64 + 0.09 + 0.04 + 0.01 + 0.01 + 0 + 0.0025
    assert found["brier"] == pytest.approx(squares / 10)
    report = found["classification_report"]["cancer"]
    assert report == {"precision": 2 / 3, "recall": 2 / 3, "f1-score": 2 / 3, "support": 3}


def test_breasts_and_exams_are_judged_as_well() -> None:
    found = evaluate_scores(hand_worked(), CONFIG)
    assert found["breasts"]["units"] == 10
    assert found["exams"]["units"] == 5
    # Exams: A 0.9, B 0.6, C 0.4 with cancer (A also 0.8 without); D 0.1, E 0.05 without.
    assert found["exams"]["roc_auc"]["value"] == 1.0
    assert found["exams"]["confusion_matrix"] == [[2, 0], [1, 2]]


def test_numbers_equal_those_of_scikit_learn() -> None:
    frame = random_scores()
    found = evaluate_scores(frame, EvaluateConfig(bootstrap_samples=100, threshold=0.6))
    labels, scores = frame["cancer"], frame["score"]
    answers = scores >= 0.6
    for name, value in {
        "accuracy": metrics.accuracy_score(labels, answers),
        "sensitivity": metrics.recall_score(labels, answers),
        "specificity": metrics.recall_score(labels, answers, pos_label=0),
        "average_precision": metrics.average_precision_score(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
    }.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert found["roc_auc"]["value"] == pytest.approx(
        metrics.roc_auc_score(labels, scores), abs=1e-9
    )
    assert found["confusion_matrix"] == metrics.confusion_matrix(labels, answers).tolist()


def test_a_score_at_the_threshold_counts_as_cancer() -> None:
    frame = hand_worked()
    found = evaluate_scores(frame, EvaluateConfig(bootstrap_samples=100, threshold=0.4))
    assert found["sensitivity"] == 1


def test_curves_are_thin_and_keep_their_ends_and_their_area() -> None:
    found = evaluate_scores(random_scores(), CONFIG)
    roc = found["roc_curve"]
    assert len(roc["sensitivity"]) == len(roc["false_positive_rate"]) <= CURVE_POINTS
    assert (roc["false_positive_rate"][0], roc["sensitivity"][0]) == (0, 0)
    assert (roc["false_positive_rate"][-1], roc["sensitivity"][-1]) == (1, 1)
    area = metrics.auc(roc["false_positive_rate"], roc["sensitivity"])
    assert area == pytest.approx(found["roc_auc"]["value"], abs=0.01)
    curve = found["precision_recall_curve"]
    assert len(curve["precision"]) == len(curve["recall"]) <= CURVE_POINTS
    assert (curve["recall"][0], curve["recall"][-1], curve["precision"][-1]) == (1, 0, 1)


def test_unlabelled_and_unscored_images_are_counted_and_left_out() -> None:
    frame = hand_worked().astype({"cancer": "Int8"})
    extra = pd.DataFrame(
        {
            "patient_id": ["F", "G"], "laterality": ["L", "L"], "study_uid": ["1.F", "1.G"],
            "score": [0.99, None], "cancer": pd.array([None, 1], dtype="Int8"),
        }
    )  # fmt: skip
    found = evaluate_scores(pd.concat([frame, extra]), CONFIG)
    assert (found["units"], found["unlabelled"], found["unscored"]) == (10, 1, 1)
    assert found["roc_auc"] == evaluate_scores(frame, CONFIG)["roc_auc"]


@pytest.mark.parametrize(("cancer", "without"), [(0, 10), (1, 0)])
def test_one_class_has_no_auc_and_says_why(cancer: int, without: int) -> None:
    found = evaluate_scores(hand_worked().assign(cancer=cancer), CONFIG)
    assert found["roc_auc"] is None
    assert found["roc_curve"] is None
    assert f"found {10 - without} with and {without} without" in found["statement"]
    assert found["statement"] in found["summary"]
    assert found["sensitivity" if cancer == 0 else "specificity"] is None
    assert found["accuracy"] in (0.7, 0.3)


def test_no_labelled_image_at_all_is_no_crash() -> None:
    found = evaluate_scores(hand_worked().assign(cancer=None), CONFIG)
    assert found["units"] == 0
    assert found["accuracy"] is None
    assert found["confusion_matrix"] is None
    json.dumps(found, allow_nan=False)


def test_everything_goes_into_json_and_back() -> None:
    found = evaluate_scores(random_scores(), CONFIG)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_summary_says_how_many_and_whether_it_is_chance() -> None:
    frame = random_scores(400)
    summary = evaluate_scores(frame, CONFIG)["summary"]
    assert summary.startswith("On 400 images of 100 women, ")
    assert summary.endswith("better than chance.")
    shuffled = frame.assign(score=np.random.default_rng(1).random(400))
    assert evaluate_scores(shuffled, CONFIG)["summary"].endswith("distinguishable from chance.")


def test_labels_or_images_of_several_kinds_are_never_pooled_silently() -> None:
    frame = hand_worked().assign(label_level="image", image_kind=["ffdm"] * 4 + ["film"] * 6)
    assert evaluate_scores(frame, CONFIG)["notes"] == [
        "images of several kinds are judged together: 4 ffdm, 6 film"
    ]
