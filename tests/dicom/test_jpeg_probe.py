"""Proof, from what libjpeg reads behind the data, that a lossless scan was read whole."""

import imagecodecs
import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom import jpeg_probe
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.jpeg_probe import decode_lossless
from mammo_ray.dicom.jpeg_scan import LosslessScan, check_scans
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import RejectionReason
from tests.dicom.files import JPEG, Array, dicom_file, gradient


def encoded(pixels: Array, bits: int, predictor: int = 1) -> tuple[bytes, LosslessScan]:
    frame = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=bits)
    scan = check_scans(frame)
    assert scan is not None
    return frame, scan


def textured(bits: int) -> Array:
    """Whatever the bits, most differences take several of them."""
    noise = np.random.default_rng(bits).integers(0, 1 << (bits - 5), (200, 130))
    return (gradient(bits, noise.shape) // 2 + noise).astype(np.uint16)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [12, 16])
def test_whole_scans_are_proved_without_counting(
    bits: int, predictor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[LosslessScan] = []
    monkeypatch.setattr(jpeg_probe, "check_samples", lambda _, scan: counted.append(scan))
    pixels = textured(bits)
    frame, scan = encoded(pixels, bits, predictor)
    decoded = decode_lossless(frame, scan, imagecodecs.jpeg8_decode)
    assert decoded.shape == pixels.shape
    assert np.array_equal(decoded, pixels)
    assert not counted


_LITTLE = [
    np.full((9, 7), 5, np.uint16),
    textured(12)[:, :1],
    textured(12)[:1],
    gradient(8),
]


@pytest.mark.parametrize("pixels", _LITTLE)
def test_scans_that_prove_little_are_counted(pixels: Array) -> None:
    frame, scan = encoded(np.ascontiguousarray(pixels), 8 if pixels.dtype == np.uint8 else 12)
    assert np.array_equal(decode_lossless(frame, scan, imagecodecs.jpeg8_decode), pixels)


@pytest.mark.parametrize("lost", [1, 2, 20, 2000])
def test_a_scan_that_lost_its_last_bytes_is_rejected(lost: int) -> None:
    frame, _ = encoded(textured(12), 12)
    cut = frame[: -2 - lost].rstrip(b"\xff") + b"\xff\xd9"
    scan = check_scans(cut)
    assert scan is not None
    with pytest.raises(ValueError, match="the samples take"):
        decode_lossless(cut, scan, imagecodecs.jpeg8_decode)


def test_bytes_behind_the_last_sample_are_rejected() -> None:
    frame, _ = encoded(textured(12), 12)
    longer = frame[:-2] + b"\x51\x13\xa4" + frame[-2:]
    scan = check_scans(longer)
    assert scan is not None
    with pytest.raises(ValueError, match="the samples take"):
        decode_lossless(longer, scan, imagecodecs.jpeg8_decode)


def test_samples_that_leave_their_precision_are_rejected() -> None:
    pixels = textured(12)
    pixels[40, 60] = 4095
    frame, _ = encoded(pixels, 12)
    precision = frame.index(b"\xff\xc3") + 4
    narrow = frame[:precision] + b"\x0b" + frame[precision + 1 :]
    content = dicom_file(pixels, JPEG + "70", 12, fragments=[narrow])
    with pytest.raises(ImageRejected, match="the codestream has 11 bits") as caught:
        decode_image(content, DecodeConfig())
    assert caught.value.reason == RejectionReason.DECODE_FAILED
