"""Digests of pixels: the same for the same picture, whatever holds it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.datasets.checks.looks import content_hash, look_at_image, pixel_hash
from mammo_ray.errors import ImageRejected
from tests.films import film, write_film

_PICTURE = np.random.default_rng(0).integers(0, 4096, (90, 70)).astype(np.uint16)


def test_the_type_that_holds_the_values_does_not_matter() -> None:
    small = (_PICTURE % 200).astype(np.uint8)
    assert pixel_hash(small) == pixel_hash(small.astype(np.uint16))
    assert pixel_hash(small) == pixel_hash(small.astype(np.int16))
    assert pixel_hash(_PICTURE) == pixel_hash(np.asfortranarray(_PICTURE))


@pytest.mark.parametrize(
    "changed",
    [_PICTURE + np.uint16(1), _PICTURE.T, _PICTURE[::-1], _PICTURE.reshape(70, 90)],
)
def test_another_picture_has_another_digest(changed: np.ndarray) -> None:
    assert pixel_hash(_PICTURE) != pixel_hash(changed)


def test_negative_values_are_no_positive_ones() -> None:
    negative = np.full((2, 2), -1, dtype=np.int16)
    assert pixel_hash(negative) != pixel_hash(negative.view(np.uint16))


@pytest.mark.parametrize(
    "moved",
    [
        _PICTURE[:, ::-1],
        _PICTURE[::-1],
        np.rot90(_PICTURE),
        np.pad(_PICTURE, ((5, 9), (0, 30))),
        np.pad(np.rot90(_PICTURE[::-1]), 12),
    ],
    ids=["mirrored", "upside down", "turned", "padded", "all of it"],
)
def test_moved_copies_share_their_content(moved: np.ndarray) -> None:
    assert content_hash(_PICTURE) == content_hash(moved)
    assert pixel_hash(_PICTURE) != pixel_hash(moved)


def test_other_content_is_told_apart() -> None:
    other = _PICTURE.copy()
    other[10, 10] ^= 1
    assert content_hash(_PICTURE) != content_hash(other)


@pytest.mark.parametrize(
    "plain",
    [
        np.zeros((90, 70), dtype=np.uint8),
        np.tile(np.array([0, 255], dtype=np.uint8), (90, 35)),
        _PICTURE[:20, :20],
    ],
    ids=["blank", "two-valued", "tiny"],
)
def test_pictures_that_chance_could_repeat_have_no_content_digest(plain: np.ndarray) -> None:
    assert content_hash(plain) is None


def test_a_dicom_file_and_a_png_of_the_same_pixels_agree(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.dcm", film(_PICTURE))
    _, encoded = cv2.imencode(".png", _PICTURE)
    config = DecodeConfig()
    first = look_at_image(path.read_bytes(), config)
    second = look_at_image(encoded.tobytes(), config)
    assert first == second
    assert (first["rows"], first["columns"], first["blank"]) == (90, 70, False)


def test_a_blank_image_is_told() -> None:
    _, encoded = cv2.imencode(".png", np.zeros((8, 8), dtype=np.uint8))
    assert look_at_image(encoded.tobytes(), DecodeConfig())["blank"] is True


def test_a_file_that_is_cut_off_is_rejected() -> None:
    _, encoded = cv2.imencode(".png", _PICTURE)
    with pytest.raises(ImageRejected):
        look_at_image(encoded.tobytes()[:500], DecodeConfig())
