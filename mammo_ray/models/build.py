"""Networks by the name that a recipe gives them."""

from collections.abc import Callable

import keras

from mammo_ray.config import Config, ModelConfig
from mammo_ray.models.small_cnn import small_cnn

REGISTRY: dict[str, Callable[[int, int, ModelConfig, int], keras.Model]] = {
    "small-cnn": small_cnn,
}


def build_model(config: Config, height: int, width: int, bits: int) -> keras.Model:
    """The network that a recipe names, with fresh weights.

    Args:
        config: its `model` section names and sizes the network.
        height: rows of the prepared images.
        width: columns of the prepared images.
        bits: nominal bits of their pixels, 8 or 16.

    Returns:
        A model from (batch, height, width, 1) pixels to (batch, 1) float32 logits, `cancer`.
    """
    return REGISTRY[config.model.name](height, width, config.model, bits)
