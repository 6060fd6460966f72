"""Training images as Keras takes them: shuffled, augmented and weighted, the same for a seed."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from mammo_ray.config import AugmentConfig
from mammo_ray.errors import InputError
from mammo_ray.training.augmentation import augment


@dataclass(frozen=True)
class LabelledImages:
    """Prepared images of one side of a split.

    Attributes:
        pixels: (N, H, W), uint8 or uint16.
        labels: (N,), 0 or 1.
    """

    pixels: npt.NDArray[Any]
    labels: npt.NDArray[Any]

    def require_both_classes(self, side: str) -> None:
        """Refuse a side on which nothing can be learnt or judged.

        Raises:
            InputError: wrong shapes, types or labels, or only one class, with the numbers.
        """
        if self.pixels.ndim != 3 or self.pixels.dtype not in (np.uint8, np.uint16):
            raise InputError(
                f"{side} pixels must be (images, height, width) of uint8 or uint16, "
                f"found {self.pixels.shape} of {self.pixels.dtype}"
            )
        if self.labels.shape != self.pixels.shape[:1] or not np.isin(self.labels, (0, 1)).all():
            raise InputError(f"{side} needs a label, 0 or 1, for each of {len(self.pixels)} images")
        positives = int(self.labels.sum())
        if not 0 < positives < len(self.labels):
            raise InputError(
                f"{side} needs images with and without cancer: "
                f"{positives} of its {len(self.labels)} images show cancer"
            )


def class_weights(labels: npt.NDArray[Any], enabled: bool) -> tuple[float, float]:
    """Weight of an image without and with cancer; their mean over the images is 1.

    Args:
        labels: (N,), 0 or 1, both present.
        enabled: by inverse frequency, else 1 and 1.
    """
    if not enabled:
        return 1.0, 1.0
    positives = int(labels.sum())
    return len(labels) / (2 * (len(labels) - positives)), len(labels) / (2 * positives)


class TrainingBatches(keras.utils.PyDataset):
    """Batches of (pixels (B, H, W, 1), labels (B, 1), weights (B,)).

    The order and every change to an image depend on the seed, the number of the epoch and the
    image alone, not on batches, threads or what was drawn before. The last batch may be smaller:
    no image is left out.

    Args:
        images: the training side.
        batch_size: images a batch.
        weights: of an image without and with cancer.
        config: augmentation.
        seed: of the shuffling and the changes.
    """

    def __init__(
        self,
        images: LabelledImages,
        batch_size: int,
        weights: tuple[float, float],
        config: AugmentConfig,
        seed: int,
    ) -> None:
        super().__init__()
        self.images = images
        self.batch_size = batch_size
        self.weights = np.asarray(weights, dtype=np.float32)
        self.config = config
        self.seed = seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Shuffle for an epoch, counted from 0."""
        self.epoch = epoch
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.images.labels))

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(
        self, index: int
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        pixels = np.stack([self._image(int(number)) for number in chosen])
        labels = self.images.labels[chosen].astype(np.int64)
        return pixels[..., None], labels[:, None].astype(np.float32), self.weights[labels]

    def _image(self, number: int) -> npt.NDArray[Any]:
        random = np.random.default_rng([self.seed, self.epoch, number])
        return augment(self.images.pixels[number], self.config, random)
