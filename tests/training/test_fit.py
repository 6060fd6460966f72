"""Fitting: it learns, keeps the best epoch, stops in time, and repeats itself."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mammo_ray.config import AugmentConfig, Config, ModelConfig, TrainConfig
from mammo_ray.errors import InputError, MammoError
from mammo_ray.models.threads import limit_threads
from mammo_ray.training.batches import LabelledImages, TrainingBatches
from mammo_ray.training.fit import Epoch, TrainingData, _KeepBest, fit


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    limit_threads(1)


def blobs(count: int, seed: int, dtype: str = "uint8") -> LabelledImages:
    """Noise at 64 x 64; every second image has a bright blob, seven pixels wide, somewhere."""
    random = np.random.default_rng(seed)
    pixels = random.integers(60, 120, (count, 64, 64))
    labels = np.arange(count) % 2
    rows, columns = np.mgrid[:64, :64]
    for number in np.flatnonzero(labels):
        row, column = random.integers(8, 56, 2)
        pixels[number][(rows - row) ** 2 + (columns - column) ** 2 <= 9] += 90
    scale = np.iinfo(dtype).max // 255
    return LabelledImages((pixels * scale).astype(dtype), labels)


def config(**train: object) -> Config:
    return Config(
        recipe="test",
        model=ModelConfig(width=8, dropout=0),
        augment=AugmentConfig(enabled=True, vertical_flip=True),
        train=TrainConfig(**({"epochs": 8, "batch_size": 8, "learning_rate": 3e-3} | train)),
    )


def test_a_planted_blob_is_learnt() -> None:
    told: list[Epoch] = []
    result = fit(TrainingData(blobs(96, 0), blobs(40, 1)), config(), told.append)
    assert told == result.history
    assert [entry["epoch"] for entry in result.history] == list(range(1, len(told) + 1))
    assert result.metrics["valid_auc"] == max(entry["valid_auc"] for entry in result.history)
    unseen = blobs(60, 2)
    scores = result.model.predict(unseen.pixels[..., None], verbose=0)[:, 0]
    assert roc_auc_score(unseen.labels, scores) > 0.95


def test_16_bit_images_are_learnt_from_as_well() -> None:
    data = TrainingData(blobs(96, 0, "uint16"), blobs(40, 1, "uint16"))
    assert fit(data, config(), None).metrics["valid_auc"] > 0.95


def test_the_model_has_the_weights_of_its_best_epoch() -> None:
    valid = blobs(40, 1)
    result = fit(TrainingData(blobs(32, 0), valid), config(epochs=4, learning_rate=0.02))
    logits = result.model.predict(valid.pixels[..., None], verbose=0)[:, 0]
    assert roc_auc_score(valid.labels, logits) == pytest.approx(result.metrics["valid_auc"])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    data = TrainingData(blobs(24, 0), blobs(12, 1))
    runs = [fit(data, config(epochs=2, seed=seed)) for seed in (3, 3, 4)]
    weights = [np.concatenate([w.ravel() for w in run.model.get_weights()]) for run in runs]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


def test_weights_of_the_rarer_class_are_reported() -> None:
    images = blobs(24, 0)
    kept = np.r_[0:24:2, 1:9:2]  # 12 without, 4 with
    train = LabelledImages(images.pixels[kept], images.labels[kept])
    result = fit(TrainingData(train, blobs(12, 1)), config(epochs=1))
    assert result.weights == (16 / 24, 16 / 8)


class _Scripted(keras.Model):
    """Answers with the logits that the test wrote down for the epoch."""

    def __init__(self, answers: list[list[float]]) -> None:
        super().__init__()
        self.answers = answers
        self.epoch = 0
        self.stop_training = False

    def predict(self, *_: object, **__: object) -> np.ndarray:
        return np.array(self.answers[self.epoch])[:, None]

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.epoch)]


def run_script(answers: list[list[float]], patience: int) -> _KeepBest:
    """The callback after epochs with these validation logits; labels are 0, 0, 1, 1."""
    valid = LabelledImages(np.zeros((4, 8, 8), np.uint8), np.array([0, 0, 1, 1]))
    judge = _KeepBest(TrainingBatches(valid, 2, (1, 1), AugmentConfig(), 0), valid, patience, None)
    model = _Scripted(answers)
    judge.set_model(model)
    for epoch in range(len(answers)):
        model.epoch = epoch
        judge.on_epoch_begin(epoch)
        judge.on_epoch_end(epoch, {"loss": 1.0})
        if model.stop_training:
            break
    return judge


HALF, GOOD, BETTER = [0, 1, 0, 1], [-1, 1, 0, 2], [-1, -1, 1, 1]


def test_best_epoch_is_that_of_the_best_auc_then_of_the_lower_loss() -> None:
    sharper = [-2.0, -2, 2, 2]
    judge = run_script([HALF, BETTER, GOOD, sharper, BETTER], patience=5)
    assert [entry["valid_auc"] for entry in judge.history] == [0.5, 1, 0.75, 1, 1]
    assert [entry["best"] for entry in judge.history] == [True, True, False, True, False]
    assert judge.best_epoch == 4
    assert judge.best_weights == [3]


def test_training_stops_when_the_auc_has_not_risen_for_so_many_epochs() -> None:
    judge = run_script([HALF, GOOD, HALF, GOOD, HALF, BETTER], patience=2)
    assert len(judge.history) == 4


def test_validation_loss_is_the_mean_cross_entropy() -> None:
    judge = run_script([[0, 0, 0, np.log(3)]], patience=1)
    expected = (3 * np.log(2) + np.log(4 / 3)) / 4
    assert judge.history[0]["valid_loss"] == pytest.approx(expected, abs=1e-12)


def test_a_network_that_answers_no_numbers_ends_the_training() -> None:
    with pytest.raises(MammoError, match="diverged in epoch 1: 2 of 4"):
        run_script([[0, np.nan, 1, np.inf]], patience=1)


def test_a_side_without_cancer_is_refused_before_anything_starts() -> None:
    healthy = LabelledImages(np.zeros((5, 16, 16), np.uint8), np.zeros(5))
    with pytest.raises(InputError, match=r"valid .*: 0 of its 5 images"):
        fit(TrainingData(blobs(8, 0), healthy), config())


def test_sides_of_different_size_are_refused() -> None:
    small = LabelledImages(np.zeros((4, 32, 32), np.uint8), np.array([0, 1, 0, 1]))
    with pytest.raises(InputError, match=r"\(64, 64\).*\(32, 32\)"):
        fit(TrainingData(blobs(8, 0), small), config())
