"""Batches: every image once an epoch, weighted, and the same for a seed."""

import numpy as np
import pytest

from mammo_ray.config import AugmentConfig
from mammo_ray.errors import InputError
from mammo_ray.training.batches import LabelledImages, TrainingBatches, class_weights

OFF, ON = AugmentConfig(enabled=False), AugmentConfig(enabled=True)


def numbered(count: int = 10, positives: int = 3) -> LabelledImages:
    """Images whose gray is their number."""
    pixels = np.arange(1, count + 1, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 6), np.uint8)
    return LabelledImages(pixels, (np.arange(count) < positives).astype(np.int8))


def seen(batches: TrainingBatches) -> list[int]:
    return [int(image[0, 0, 0]) for batch in range(len(batches)) for image in batches[batch][0]]


def test_every_image_comes_once_an_epoch_with_its_own_label_and_weight() -> None:
    batches = TrainingBatches(numbered(), 4, (0.5, 2.0), OFF, seed=0)
    assert [batches[k][0].shape for k in range(len(batches))] == [
        (4, 8, 6, 1), (4, 8, 6, 1), (2, 8, 6, 1),
    ]  # fmt: skip
    assert sorted(seen(batches)) == list(range(1, 11))
    for k in range(len(batches)):
        pixels, labels, weights = batches[k]
        assert pixels.dtype == np.uint8
        for image, label, weight in zip(pixels, labels, weights, strict=True):
            positive = image[0, 0, 0] <= 3
            assert label.tolist() == [float(positive)]
            assert weight == (2.0 if positive else 0.5)


def test_epochs_differ_and_come_again_with_the_same_seed() -> None:
    batches = TrainingBatches(numbered(), 4, (1, 1), OFF, seed=1)
    orders = []
    for epoch in (0, 1, 0):
        batches.start_epoch(epoch)
        orders.append(seen(batches))
    assert orders[0] == orders[2] != orders[1]
    assert seen(TrainingBatches(numbered(), 4, (1, 1), OFF, seed=2)) != orders[0]


def test_a_change_to_an_image_does_not_depend_on_its_batch() -> None:
    random = np.random.default_rng(0)
    images = LabelledImages(random.integers(0, 255, (6, 16, 16), np.uint8), np.arange(6) % 2)
    by_size = []
    for size in (2, 3):
        batches = TrainingBatches(images, size, (1, 1), ON, seed=0)
        batches.start_epoch(3)
        batches[1]  # out of order
        by_size.append(np.concatenate([batches[k][0] for k in range(len(batches))]))
    np.testing.assert_array_equal(by_size[0], by_size[1])


def test_changes_differ_between_epochs() -> None:
    images = LabelledImages(
        np.random.default_rng(0).integers(0, 255, (1, 16, 16), np.uint8), np.ones(1)
    )
    batches = TrainingBatches(images, 1, (1, 1), ON, seed=0)
    first = batches[0][0]
    batches.start_epoch(1)
    assert (batches[0][0] != first).any()


def test_class_weights_make_both_classes_count_the_same() -> None:
    labels = np.array([0] * 9 + [1] * 3)
    without, with_cancer = class_weights(labels, enabled=True)
    assert (without, with_cancer) == (12 / 18, 12 / 6)
    assert 9 * without == pytest.approx(3 * with_cancer)
    assert 9 * without + 3 * with_cancer == pytest.approx(12)
    assert class_weights(labels, enabled=False) == (1.0, 1.0)


@pytest.mark.parametrize("positives", [0, 10])
def test_a_side_with_one_class_is_refused_with_its_numbers(positives: int) -> None:
    with pytest.raises(InputError, match=f"valid .*: {positives} of its 10 images show cancer"):
        numbered(positives=positives).require_both_classes("valid")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (LabelledImages(np.zeros((2, 8, 8)), np.array([0, 1])), "uint8 or uint16, found"),
        (LabelledImages(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1])), "found"),
        (LabelledImages(np.zeros((2, 8, 8), np.uint8), np.array([0, 1, 1])), "each of 2 images"),
        (LabelledImages(np.zeros((2, 8, 8), np.uint8), np.array([0, 2])), "0 or 1"),
        (LabelledImages(np.zeros((0, 8, 8), np.uint8), np.array([])), "0 of its 0 images"),
    ],
)
def test_wrong_arrays_are_refused(images: LabelledImages, message: str) -> None:
    with pytest.raises(InputError, match=message):
        images.require_both_classes("train")
