"""The classifier: a row's score is its own, whatever stands beside it."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from mammo_ray.config import Config, ModelConfig
from mammo_ray.errors import BundleError
from mammo_ray.models.build import build_model
from mammo_ray.models.bundle import BundleFacts, input_facts, write_bundle
from mammo_ray.models.model_file import model_to_bytes
from mammo_ray.schema import LabelLevel
from mammo_ray.scoring.scorer import Classifier

CONFIG = Config(recipe="test", model=ModelConfig(width=8))
HEIGHT, WIDTH = 32, 24


def write(folder: Path, poisoned: bool = False) -> str:
    """A bundle with fresh weights that spread its answers; poisoned: with one infinite weight."""
    keras.utils.set_random_seed(1)
    model = build_model(CONFIG, HEIGHT, WIDTH, bits=8)
    weights = model.get_weights()
    weights[-2] = weights[-2] * 100
    if poisoned:
        weights[-1] = np.array([np.inf], dtype=np.float32)
    model.set_weights(weights)
    facts = BundleFacts(
        inputs=input_facts(HEIGHT, WIDTH, 8),
        label_level=LabelLevel.IMAGE,
        preprocess_digest=CONFIG.preprocess_digest(),
        manifest_digest="0" * 32,
    )
    split = pd.DataFrame({"image_id": ["a"], "patient_id": ["p"], "split": ["train"]})
    write_bundle(str(folder), facts, model_to_bytes(model), CONFIG, split)
    return str(folder)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("bundle"))


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH), dtype=np.uint8)


def test_scores_are_the_sigmoid_of_the_logits(bundle: str) -> None:
    classifier = Classifier(bundle, batch_size=4)
    scores = classifier.predict(images(6))
    logits = classifier.bundle.load_model().predict_on_batch(images(6)[..., None])[:, 0]
    assert (scores.shape, scores.dtype) == ((6,), np.float64)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits.astype(float))), atol=1e-6)
    assert np.ptp(scores) > 1e-3  # answers differ, so that the tests below can fail


def test_a_score_does_not_depend_on_the_other_rows(bundle: str) -> None:
    classifier = Classifier(bundle, batch_size=4)
    pixels = images(11)
    together = classifier.predict(pixels)
    alone = np.concatenate([classifier.predict(pixels[k : k + 1]) for k in range(11)])
    backwards = classifier.predict(pixels[::-1])[::-1]
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6)
    np.testing.assert_allclose(backwards, together, rtol=0, atol=1e-6)


def test_every_batch_has_the_same_shape(bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier(bundle, batch_size=4)
    shapes = []
    predict = classifier._model.predict_on_batch

    def _watched(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return predict(batch)

    monkeypatch.setattr(classifier._model, "predict_on_batch", _watched)
    classifier.predict(images(9))
    assert shapes == [(4, HEIGHT, WIDTH, 1)] * 3


def test_no_images_give_no_scores(bundle: str) -> None:
    assert Classifier(bundle, batch_size=4).predict(images(0)).shape == (0,)


def test_an_answer_that_is_not_finite_stays_nan(tmp_path: Path) -> None:
    scores = Classifier(write(tmp_path, poisoned=True), batch_size=2).predict(images(3))
    assert np.isnan(scores).all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, WIDTH, HEIGHT), np.uint8),
        np.zeros((2, HEIGHT, WIDTH), np.uint16),
        np.zeros((2, HEIGHT, WIDTH), np.float32),
        np.zeros((2, HEIGHT, WIDTH, 1), np.uint8),
    ],
)
def test_images_that_the_model_does_not_take_are_refused(bundle: str, pixels: np.ndarray) -> None:
    with pytest.raises(BundleError, match=r"takes images of \(32, 24\) uint8, found"):
        Classifier(bundle, batch_size=2).predict(pixels)


def test_an_empty_batch_size_is_refused(bundle: str) -> None:
    with pytest.raises(ValueError, match="at least 1, found 0"):
        Classifier(bundle, batch_size=0)


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle\.yaml"):
        Classifier(str(tmp_path), batch_size=2)
