"""What every registered network must do."""

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from mammo_ray.config import Config, ModelConfig
from mammo_ray.models.build import REGISTRY, build_model
from mammo_ray.models.model_file import model_from_bytes, model_to_bytes

HEIGHT, WIDTH = 64, 48


@pytest.fixture(autouse=True)
def _same_start() -> Iterator[None]:
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(params=sorted(REGISTRY))
def config(request: pytest.FixtureRequest) -> Config:
    return Config(recipe="test", model=ModelConfig(name=request.param, width=8))


def images(count: int = 3, dtype: str = "uint8") -> np.ndarray:
    top = np.iinfo(dtype).max
    random = np.random.default_rng(0)
    return random.integers(0, top, (count, HEIGHT, WIDTH, 1), dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gives_one_finite_float32_logit_an_image(config: Config, dtype: str) -> None:
    model = build_model(config, HEIGHT, WIDTH, bits=8 * np.dtype(dtype).itemsize)
    logits = model.predict_on_batch(images(dtype=dtype))
    assert model.output_names == ["cancer"]
    assert (logits.shape, logits.dtype) == ((3, 1), np.float32)
    assert np.isfinite(logits).all()


def test_takes_the_smallest_image_that_a_recipe_allows(config: Config) -> None:
    logits = build_model(config, 8, 8, bits=8).predict_on_batch(np.zeros((2, 8, 8, 1), np.uint8))
    assert logits.shape == (2, 1)


def test_the_same_grays_at_8_and_16_bits_give_the_same_logit(config: Config) -> None:
    narrow, wide = (build_model(config, HEIGHT, WIDTH, bits=bits) for bits in (8, 16))
    wide.set_weights(narrow.get_weights())
    grays = images()
    scaled = grays.astype(np.uint16) * 257  # 255 -> 65535
    np.testing.assert_allclose(
        narrow.predict_on_batch(grays), wide.predict_on_batch(scaled), atol=1e-5
    )


def test_every_weight_gets_a_gradient(config: Config) -> None:
    model = build_model(config, HEIGHT, WIDTH, bits=8)
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    model.compile(keras.optimizers.SGD(1.0), keras.losses.BinaryCrossentropy(from_logits=True))
    model.train_on_batch(images(8), np.array([[0], [1]] * 4, dtype=np.float32))
    after = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    unchanged = [
        weight.path
        for weight, old, new in zip(model.trainable_weights, before, after, strict=True)
        if (old == new).all()
    ]
    assert unchanged == []


def test_comes_back_from_its_file_with_the_same_answers(config: Config) -> None:
    model = build_model(config, HEIGHT, WIDTH, bits=8)
    back = model_from_bytes(model_to_bytes(model))
    np.testing.assert_array_equal(model.predict_on_batch(images()), back.predict_on_batch(images()))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_stays_finite_and_near(config: Config, policy: str) -> None:
    full = build_model(config, HEIGHT, WIDTH, bits=16)
    keras.mixed_precision.set_dtype_policy(policy)
    mixed = build_model(config, HEIGHT, WIDTH, bits=16)
    mixed.set_weights(full.get_weights())
    bright = np.full((2, HEIGHT, WIDTH, 1), 65535, dtype=np.uint16)  # infinite in float16
    pixels = np.concatenate([images(dtype="uint16"), bright])
    logits = mixed.predict_on_batch(pixels)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, full.predict_on_batch(pixels), atol=0.03)


def test_answers_do_not_depend_on_the_rest_of_the_batch(config: Config) -> None:
    model = build_model(config, HEIGHT, WIDTH, bits=8)
    pixels = images(8)
    alone = np.concatenate([model.predict_on_batch(pixels[k : k + 1]) for k in range(8)])
    np.testing.assert_allclose(model.predict_on_batch(pixels), alone, atol=1e-5)


def test_width_sets_the_size_of_the_network(config: Config) -> None:
    narrow = build_model(config, HEIGHT, WIDTH, bits=8).count_params()
    wider = config.model_copy(update={"model": config.model.model_copy(update={"width": 16})})
    assert 2 * narrow < build_model(wider, HEIGHT, WIDTH, bits=8).count_params() < 5 * narrow
