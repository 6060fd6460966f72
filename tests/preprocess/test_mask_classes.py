"""Gray values of a mask file become the classes that were meant, or the mask is refused."""

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from mammo_ray.config import DecodeConfig
from mammo_ray.image_files.decode import decode_file
from mammo_ray.preprocess.mask_classes import MaskUnusable, classes_of
from tests.dicom.files import dicom_file

SHAPE = (80, 60)
Array = NDArray[np.integer]


def _mask(*values: int, dtype: type = np.uint8) -> Array:
    """A block of 20 x 20 pixels of every value on 0."""
    mask = np.zeros(SHAPE, dtype)
    for index, value in enumerate(values):
        mask[25 * index : 25 * index + 20, 10:30] = value
    return mask


def _classes(mask: Array, values: tuple[int, ...] | None) -> list[int]:
    """Pixels of class 0, 1, 2 ... of a mask stored as PNG."""
    return _counted(imagecodecs.png_encode(mask), values)


def _counted(content: bytes, values: tuple[int, ...] | None) -> list[int]:
    found = classes_of(decode_file(content, DecodeConfig()), values)
    assert found.dtype == np.uint8
    assert found.shape == SHAPE
    return np.bincount(found.ravel()).tolist()


@pytest.mark.parametrize("value", [1, 2, 128, 255])
def test_the_brighter_of_two_values_is_class_one_whatever_it_is(value: int) -> None:
    assert _classes(_mask(value), None) == [4400, 400]


@pytest.mark.parametrize("value", [255, 65535])
def test_masks_of_16_bits_are_read_as_those_of_8(value: int) -> None:
    assert _classes(_mask(value, dtype=np.uint16), None) == [4400, 400]


def test_without_values_the_upper_half_of_the_range_is_class_one() -> None:
    assert _classes(_mask(100, 127, 128), None) == [4400, 400]


def test_without_values_a_mask_of_several_small_classes_is_refused() -> None:
    with pytest.raises(MaskUnusable, match="reach 2, but none is above half"):
        _classes(_mask(1, 2), None)


def test_an_empty_mask_is_background() -> None:
    assert _classes(_mask(), None) == [4800]
    assert _classes(_mask(), (255,)) == [4800]


def test_values_name_their_classes_in_their_order() -> None:
    assert _classes(_mask(1, 2), (1, 2)) == [4000, 400, 400]
    assert _classes(_mask(255, 255, 128), (255, 128)) == [3600, 800, 400]


@pytest.mark.parametrize(("found", "values"), [((85, 170), (170,)), ((255, 128), (255,))])
def test_a_value_that_nobody_named_is_refused(
    found: tuple[int, ...], values: tuple[int, ...]
) -> None:
    with pytest.raises(MaskUnusable, match="is none of the classes"):
        _classes(_mask(*found), values)


def test_marks_that_are_no_class_are_not_an_empty_mask() -> None:
    with pytest.raises(MaskUnusable, match=r"reach 1, but none is near \[255\]"):
        _classes(_mask(1), (255,))


@pytest.mark.parametrize("quality", [75, 90, 98])
def test_what_jpeg_does_to_the_edges_of_a_mask_costs_few_pixels(quality: int) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    cv2.circle(mask, (28, 41), 17, 255, -1)
    content = imagecodecs.jpeg8_encode(mask, level=quality)
    assert len(np.unique(decode_file(content, DecodeConfig()).stored)) > 5
    for values in (None, (255,)):
        found = classes_of(decode_file(content, DecodeConfig()), values)
        assert (found != (mask > 0)).sum() < 0.02 * (mask > 0).sum()


def test_two_classes_survive_jpeg() -> None:
    mask = _mask(128, 255)
    found = _counted(imagecodecs.jpeg8_encode(mask, level=95), (128, 255))
    assert found[2] == pytest.approx(400, abs=30)
    assert found[1] == pytest.approx(400, abs=130)  # an edge of 255 passes 128 on its way down


def test_a_dicom_mask_is_read_by_its_stored_values() -> None:
    assert _counted(dicom_file(_mask(255), bits=8), None) == [4400, 400]
    assert _counted(dicom_file(_mask(1), bits=8), (1,)) == [4400, 400]
