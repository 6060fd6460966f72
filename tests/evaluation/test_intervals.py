"""Intervals: the right AUC, honest coverage with few women, and words for chance."""

import time

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from mammo_ray.evaluation.intervals import AucInterval, chance_statement, roc_auc_interval


def screening(
    seed: int, women: int = 60, with_cancer: int = 12, images: int = 4, auc: float = 0.8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and women: correlated images, cancer in two images of its women."""
    random = np.random.default_rng(seed)
    woman = np.repeat(np.arange(women), images)
    labels = ((woman < with_cancer) & (np.tile(np.arange(images), women) < 2)).astype(int)
    shift = np.sqrt(2) * norm.ppf(auc)
    of_woman = random.standard_normal(women)[woman]
    noise = random.standard_normal(len(woman))
    return labels, np.sqrt(0.5) * (of_woman + noise) + shift * labels, woman


@pytest.mark.parametrize("digits", [0, 1, 9])  # few digits: many ties
def test_auc_is_that_of_scikit_learn(digits: int) -> None:
    labels, scores, women = screening(0)
    found = roc_auc_interval(labels, scores.round(digits), women, samples=100)
    assert found.auc == pytest.approx(roc_auc_score(labels, scores.round(digits)), abs=1e-12)
    assert 0 < found.low < found.auc < found.high < 1


def test_auc_of_a_hand_worked_example() -> None:
    # Pairs of (without, with): 2 < 3, 2 < 5, 4 > 3, 4 < 5 -> 3 of 4.
    found = roc_auc_interval(np.array([0, 0, 1, 1]), np.array([2, 4, 3, 5]), np.array([*"abcd"]))
    assert found.auc == 0.75


def test_resamples_give_the_auc_of_the_repeated_rows() -> None:
    from mammo_ray.evaluation.intervals import _draws, _Ranked

    labels, scores, women = screening(1, women=15, with_cancer=4)
    scores = scores.round(1)
    weights = np.concatenate(list(_draws(labels, women, 50, np.random.default_rng(0))))
    assert weights.shape == (50, 60)
    for times, auc in zip(weights, _Ranked.of(labels, scores).auc(weights), strict=True):
        assert len(set(times[:4])) == 1  # the images of one woman are drawn together
        rows = np.repeat(np.arange(60), times)
        assert auc == pytest.approx(roc_auc_score(labels[rows], scores[rows]), abs=1e-12)


@pytest.mark.parametrize(("auc", "with_cancer"), [(0.5, 10), (0.7, 12), (0.9, 15)])
def test_intervals_cover_the_truth_when_few_women_have_cancer(auc: float, with_cancer: int) -> None:
    runs = 200
    covered = 0
    for seed in range(runs):
        labels, scores, women = screening(seed, with_cancer=with_cancer, auc=auc)
        found = roc_auc_interval(labels, scores, women, samples=200, seed=seed)
        covered += found.low <= auc <= found.high
    assert 0.92 <= covered / runs <= 0.995


def test_images_of_one_woman_do_not_narrow_the_interval() -> None:
    labels, scores, women = screening(2, images=2)
    once = roc_auc_interval(labels, scores, women)
    copied = [np.tile(values, 10) for values in (labels, scores, women)]
    tenfold = roc_auc_interval(*copied)
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_same_seed_same_interval() -> None:
    data = screening(3)
    assert roc_auc_interval(*data, seed=5) == roc_auc_interval(*data, seed=5)
    assert roc_auc_interval(*data, seed=5) != roc_auc_interval(*data, seed=6)


def test_more_confidence_is_wider() -> None:
    data = screening(3)
    narrow, wide = (roc_auc_interval(*data, confidence=c) for c in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_perfect_order_of_few_women_does_not_claim_certainty() -> None:
    labels = np.array([0] * 20 + [1] * 10)
    women = np.arange(30)
    assert roc_auc_interval(labels, labels, women) == AucInterval(
        1.0, pytest.approx(0.025**0.1), 1.0
    )
    assert roc_auc_interval(labels, -labels, women) == AucInterval(
        0.0, 0.0, pytest.approx(1 - 0.025**0.1)
    )


def test_one_woman_with_cancer_says_nothing_about_others() -> None:
    labels, scores, women = screening(0, with_cancer=1)
    found = roc_auc_interval(labels, scores, women)
    assert (found.low, found.high) == (0.0, 1.0)


def test_2000_resamples_of_264_images_take_less_than_two_seconds() -> None:
    data = screening(0, women=132, with_cancer=22, images=2)
    started = time.process_time()
    roc_auc_interval(*data, samples=2000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.45, 0.75, "not distinguishable from chance"),
        (0.5, 0.7, "not distinguishable from chance"),
        (0.3, 0.5, "not distinguishable from chance"),
        (0.51, 0.7, "better than chance"),
        (0.2, 0.49, "worse than chance"),
    ],
)
def test_chance_is_said_in_words(low: float, high: float, words: str) -> None:
    sentence = chance_statement(0.6, low, high)
    assert sentence == f"ROC AUC 0.600 (interval {low:.3f} to {high:.3f}), {words}"
