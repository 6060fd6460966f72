"""A small convolutional network that one CPU core can train: the default, and the demo's model."""

import math

import keras
from keras import layers

from mammo_ray.config import ModelConfig


def small_cnn(height: int, width: int, config: ModelConfig, bits: int = 8) -> keras.Model:
    """A network from prepared pixels to one logit, `cancer`.

    A strided stem and pooling between the stages keep it quick. Lesions are small and bright, so
    space is pooled by its maximum (one lesion is enough) beside its mean (the breast around it).
    Group normalisation has no statistics that move: a batch of any size, or any share of one on
    many workers, gives the same answer.

    Args:
        height: rows of the input, at least 8.
        width: columns of the input, at least 8.
        config: channels of the first stage (doubled twice) and dropout before the head.
        bits: nominal bits of the pixels; 0 to 2**bits - 1 becomes 0 to 1 inside the network.

    Returns:
        A model from (batch, height, width, 1) pixels to (batch, 1) float32 logits.
    """
    channels = config.width
    # === Functional model ===
    pixels = keras.Input((height, width, 1), name="pixels")  # (B, H, W, 1), 0 .. 2**bits - 1
    # In float32 whatever the policy: 65535 is infinite in float16.
    x = layers.Rescaling(1 / (2**bits - 1), dtype="float32", name="nominal_range")(pixels)

    x = layers.Conv2D(channels, 5, strides=2, padding="same", name="stem")(x)  # (B, H/2, W/2, C)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.MaxPooling2D(2, name="stem_pool")(x)  # (B, H/4, W/4, C)

    for stage, factor in enumerate((2, 4), start=1):
        x = _convolution(x, channels * factor, f"stage{stage}")
        x = layers.MaxPooling2D(2, padding="same", name=f"stage{stage}_pool")(x)
    x = _convolution(x, channels * 4, "stage3")  # (B, H/16, W/16, 4C)

    mean = layers.GlobalAveragePooling2D(name="mean_pool")(x)
    maximum = layers.GlobalMaxPooling2D(name="max_pool")(x)
    x = layers.Concatenate(name="pooled")([mean, maximum])  # (B, 8C)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    # Small weights: training starts from a probability near one half.
    start = keras.initializers.RandomNormal(stddev=0.01)
    logit = layers.Dense(1, dtype="float32", kernel_initializer=start, name="cancer")(x)  # (B, 1)
    return keras.Model(pixels, logit, name="small_cnn")


def _convolution(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """3 x 3 convolution, group normalisation, ReLU."""
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.GroupNormalization(math.gcd(channels, 8), name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
