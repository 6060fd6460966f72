"""From prepared pixels to scores, by the model of a bundle."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from mammo_ray.errors import BundleError
from mammo_ray.models.bundle import read_bundle
from mammo_ray.models.threads import limit_threads


class Classifier:
    """Loads a bundle once and answers in batches of one fixed shape.

    A network gives slightly other numbers (in the seventh digit) for another size of batch. So
    every batch has `batch_size` rows, the last one filled up with zeros, and a row's score does
    not depend on its neighbours.

    Args:
        bundle_folder: a folder or `s3://` prefix.
        batch_size: rows a batch, at least 1.
        digest: of the bundle that is expected; None takes any.
        threads: CPU threads of the network in this process.

    Attributes:
        bundle: facts, configuration and digest of the model.

    Raises:
        BundleError: a bundle that is damaged, cannot be loaded, or is not the expected one.
    """

    def __init__(
        self, bundle_folder: str, batch_size: int, digest: str | None = None, threads: int = 1
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, found {batch_size}")
        self.bundle = read_bundle(bundle_folder)
        if digest is not None and self.bundle.digest != digest:
            raise BundleError(
                f"the model bundle was replaced during the run: expected {digest}, "
                f"found {self.bundle.digest}"
            )
        self.batch_size = batch_size
        limit_threads(threads)
        self._model = self.bundle.load_model()

    @property
    def digest(self) -> str:
        """Digest of the bundle."""
        return self.bundle.digest

    def predict(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Score of every image: the sigmoid of the model's logit, 0 to 1.

        Args:
            pixels: (N, H, W), of the size and depth that the bundle names.

        Returns:
            (N,); NaN where the model gave no finite logit, so that the image is rejected.

        Raises:
            BundleError: images of another size or depth.
        """
        self._require_fit(pixels)
        logits = np.empty(len(pixels), dtype=np.float64)
        for start in range(0, len(pixels), self.batch_size):
            rows = pixels[start : start + self.batch_size]
            batch = np.zeros((self.batch_size, *pixels.shape[1:], 1), dtype=pixels.dtype)
            batch[: len(rows), ..., 0] = rows
            answers = np.asarray(self._model.predict_on_batch(batch), dtype=np.float64)
            logits[start : start + len(rows)] = answers[: len(rows), 0]
        scores: npt.NDArray[np.float64] = expit(logits)
        scores[~np.isfinite(logits)] = np.nan
        return scores

    def _require_fit(self, pixels: npt.NDArray[Any]) -> None:
        inputs = self.bundle.facts.inputs
        expected = (inputs.height, inputs.width), np.dtype(f"uint{inputs.bits}")
        if pixels.ndim != 3 or (pixels.shape[1:], pixels.dtype) != expected:
            raise BundleError(
                f"the model takes images of {expected[0]} {expected[1]}, "
                f"found {pixels.shape[1:]} {pixels.dtype}"
            )
