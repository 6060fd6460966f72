"""Fit one network in one process with stock Keras; Ray wraps this from outside."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from mammo_ray.config import Config
from mammo_ray.errors import InputError, MammoError
from mammo_ray.models.build import build_model
from mammo_ray.models.threads import limit_threads
from mammo_ray.training.batches import LabelledImages, TrainingBatches, class_weights

_logger = logging.getLogger(__name__)

Epoch = dict[str, float | int | bool]


@dataclass(frozen=True)
class TrainingData:
    """The two sides that a fit sees; the held-out side never comes here."""

    train: LabelledImages
    valid: LabelledImages

    def require_fit(self) -> None:
        """Refuse data that nothing can be learnt from.

        Raises:
            InputError: a side with one class only, or sides of different size or depth.
        """
        self.train.require_both_classes("train")
        self.valid.require_both_classes("valid")
        kinds = [(side.pixels.shape[1:], side.pixels.dtype) for side in (self.train, self.valid)]
        if kinds[0] != kinds[1]:
            raise InputError(f"train images are {kinds[0]}, valid images are {kinds[1]}")


@dataclass(frozen=True)
class FitResult:
    """A fitted network and how it got there.

    Attributes:
        model: with the weights of the best epoch.
        history: one entry an epoch: `epoch` (from 1), `loss`, `valid_loss`, `valid_auc`,
            `seconds`, `best`.
        best_epoch: the epoch that the weights come from.
        weights: of an image without and with cancer in both losses.
    """

    model: keras.Model
    history: list[Epoch]
    best_epoch: int
    weights: tuple[float, float]

    @property
    def metrics(self) -> dict[str, float]:
        """`best_epoch`, and its `loss`, `valid_loss` and `valid_auc`."""
        best = self.history[self.best_epoch - 1]
        numbers = {name: best[name] for name in ("loss", "valid_loss", "valid_auc")}
        return {"best_epoch": self.best_epoch, **numbers}


def fit(
    data: TrainingData, config: Config, on_epoch: Callable[[Epoch], None] | None = None
) -> FitResult:
    """Train the network of a recipe; keep the epoch with the best validation AUC.

    Of two epochs with the same AUC the one with the lower validation loss is better. Training
    stops after `train.patience` epochs without a better AUC. The same seed on one thread gives
    the same weights.

    Args:
        data: prepared images, already split by patient.
        config: the sections `model`, `augment` and `train`.
        on_epoch: called after every epoch with its entry of the history.

    Raises:
        InputError: a side without both classes, or with images of another size.
        MammoError: the network gives no finite numbers any more.
    """
    data.require_fit()
    limit_threads(config.train.threads)
    keras.utils.set_random_seed(config.train.seed)
    height, width = data.train.pixels.shape[1:]
    bits = 8 * data.train.pixels.dtype.itemsize
    model = build_model(config, height, width, bits)
    model.compile(_optimizer(model, config), keras.losses.BinaryCrossentropy(from_logits=True))
    weights = class_weights(data.train.labels, config.train.class_weights)
    batches = TrainingBatches(
        data.train, config.train.batch_size, weights, config.augment, config.train.seed
    )
    judge = _KeepBest(batches, data.valid, config.train.patience, on_epoch)
    model.fit(batches, epochs=config.train.epochs, callbacks=[judge], shuffle=False, verbose=0)
    model.set_weights(judge.best_weights)
    return FitResult(model, judge.history, judge.best_epoch, weights)


def _optimizer(model: keras.Model, config: Config) -> keras.optimizers.Optimizer:
    """AdamW that decays kernels only: biases and norms keep their scale."""
    optimizer = keras.optimizers.AdamW(config.train.learning_rate, config.train.weight_decay)
    kept = [weight for weight in model.trainable_variables if len(weight.shape) < 2]
    optimizer.exclude_from_weight_decay(var_list=kept)
    return optimizer


class _KeepBest(keras.callbacks.Callback):
    """Judges every epoch on the validation side, keeps the best weights, stops when it is time."""

    def __init__(
        self,
        batches: TrainingBatches,
        valid: LabelledImages,
        patience: int,
        on_epoch: Callable[[Epoch], None] | None,
    ) -> None:
        super().__init__()
        self.batches = batches
        self.valid = valid
        self.patience = patience
        self.on_epoch = on_epoch
        self.history: list[Epoch] = []
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self._best = (-np.inf, -np.inf)  # AUC, minus loss
        self._auc_epoch = 0  # the last epoch with a better AUC
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, _logs: object = None) -> None:
        self.batches.start_epoch(epoch)
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        number = epoch + 1
        auc, valid_loss = self._judge(number)
        better = (auc, -valid_loss) > self._best
        if auc > self._best[0]:
            self._auc_epoch = number
        if better:
            self._best, self.best_epoch = (auc, -valid_loss), number
            self.best_weights = self.model.get_weights()
        entry: Epoch = {
            "epoch": number,
            "loss": float((logs or {})["loss"]),
            "valid_loss": valid_loss,
            "valid_auc": auc,
            "seconds": time.monotonic() - self._started,
            "best": better,
        }
        self.history.append(entry)
        _logger.info("epoch %(epoch)d: loss %(loss).4f, valid AUC %(valid_auc).4f", entry)
        if self.on_epoch is not None:
            self.on_epoch(entry)
        if number - self._auc_epoch >= self.patience:
            self.model.stop_training = True

    def _judge(self, epoch: int) -> tuple[float, float]:
        """AUC and weighted cross entropy of the validation side."""
        pixels = self.valid.pixels[..., None]
        logits = self.model.predict(pixels, batch_size=self.batches.batch_size, verbose=0)
        logits = np.asarray(logits, dtype=np.float64)[:, 0]
        if not np.isfinite(logits).all():
            raise MammoError(
                f"training diverged in epoch {epoch}: "
                f"{int((~np.isfinite(logits)).sum())} of {len(logits)} validation answers are not "
                "finite; a lower train.learning_rate may help"
            )
        labels = self.valid.labels.astype(np.int64)
        weights = self.batches.weights[labels].astype(np.float64)
        losses = np.logaddexp(0, np.where(labels == 1, -logits, logits))
        return float(roc_auc_score(labels, logits)), float(np.average(losses, weights=weights))
