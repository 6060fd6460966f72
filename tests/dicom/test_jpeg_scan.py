"""JPEG streams that libjpeg decodes with no more than a warning."""

import struct

import imagecodecs
import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.jpeg_scan import check_samples, check_scans
from mammo_ray.errors import ImageRejected
from tests.dicom.files import JPEG, dicom_file, encode, gradient

CONFIG = DecodeConfig()
LOSSLESS, BASELINE = JPEG + "70", JPEG + "50"


def outcome_of(frame: bytes, pixels: np.ndarray, syntax: str, bits: int) -> str:
    """`same`, `wrong`, or the reason of the rejection."""
    try:
        decoded = decode_image(dicom_file(pixels, syntax, bits, fragments=[frame]), CONFIG)
    except ImageRejected as error:
        return str(error.reason)
    return "same" if np.array_equal(decoded.stored, pixels) else "wrong"


def scan_of(frame: bytes) -> int:
    """First byte of the entropy-coded data."""
    start = frame.index(b"\xff\xda")
    return start + 2 + int(struct.unpack_from(">H", frame, start + 2)[0])


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_every_bit_of_a_whole_lossless_scan_is_accounted_for(bits: int, predictor: int) -> None:
    pixels = gradient(bits, (200, 130))
    noise = np.random.default_rng(0).integers(0, 40, pixels.shape).astype(pixels.dtype)
    pixels = np.where(pixels > 60, pixels - noise, pixels)
    frame = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=bits)
    scan = check_scans(frame)
    assert scan is not None
    assert (scan.predictor, scan.precision) == (predictor, bits)
    check_samples(pixels, scan)
    changed = pixels.copy()
    changed[90, 60] ^= 1 << (bits - 1)
    with pytest.raises(ValueError, match="the samples take"):
        check_samples(changed, scan)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_lossless_scan_that_was_cut_and_closed_again_is_rejected(bits: int) -> None:
    pixels = gradient(bits, (200, 130))
    frame = encode(pixels, LOSSLESS, bits)
    for share in (0.2, 0.5, 0.9, 0.99):
        cut = frame[: scan_of(frame) + int(share * (len(frame) - scan_of(frame)))]
        assert outcome_of(cut + b"\xff\xd9", pixels, LOSSLESS, bits) in {
            "decode-failed",
            "codestream-mismatch",
        }


@pytest.mark.parametrize("damage", ["zeros", "lost", "random"])
def test_damage_inside_a_lossless_scan_is_nearly_always_seen(damage: str) -> None:
    random_source = np.random.default_rng(3)
    pixels = gradient(12, (200, 130))
    frame = encode(pixels, LOSSLESS, 12)
    wrong = 0
    for _ in range(40):
        at = int(random_source.integers(scan_of(frame), len(frame) - 70))
        put = {"zeros": bytes(64), "lost": b"", "random": random_source.bytes(64)}[damage]
        outcome = outcome_of(frame[:at] + put + frame[at + 64 :], pixels, LOSSLESS, 12)
        wrong += outcome == "wrong"
    assert wrong <= 5  # without the count, all of them


@pytest.mark.parametrize("marker", [0xC0, 0xD0, 0xD8, 0x01])
@pytest.mark.parametrize(("syntax", "bits"), [(BASELINE, 8), (LOSSLESS, 12)])
def test_a_marker_that_may_not_stand_in_a_scan_is_rejected(
    syntax: str, bits: int, marker: int
) -> None:
    pixels = gradient(bits)
    frame = bytearray(encode(pixels, syntax, bits))
    at = (scan_of(frame) + len(frame)) // 2
    frame[at : at + 3] = bytes([0, 0xFF, marker])
    assert outcome_of(bytes(frame), pixels, syntax, bits) == "codestream-mismatch"


def test_data_after_the_end_of_a_jpeg_image_is_rejected() -> None:
    pixels = gradient(8)
    frame = encode(pixels, BASELINE, 8)
    at = (scan_of(frame) + len(frame)) // 2
    closed = frame[:at] + b"\0\xff\xd9" + frame[at:]
    assert outcome_of(closed, pixels, BASELINE, 8) == "codestream-mismatch"


@pytest.mark.parametrize("fill", [b"\xff", b"\xff\xff\xff", b"\0"])
def test_fill_bytes_before_the_end_are_no_damage(fill: bytes) -> None:
    pixels = gradient(12)
    frame = encode(pixels, LOSSLESS, 12)
    assert outcome_of(frame[:-2] + fill + frame[-2:], pixels, LOSSLESS, 12) == "same"


def test_restarts_out_of_order_are_rejected() -> None:
    pixels = gradient(8)
    frame = encode(pixels, BASELINE, 8)
    start = frame.index(b"\xff\xda")
    interval = b"\xff\xdd\x00\x04\x00\x0a"
    at = (scan_of(frame) + len(frame)) // 2
    for restart, expected in ((0xD0, True), (0xD1, False)):
        damaged = frame[:at] + bytes([0, 0xFF, restart]) + frame[at + 3 :]
        damaged = damaged[:start] + interval + damaged[start:]
        if expected:
            assert check_scans(damaged) is None
        else:
            assert outcome_of(damaged, pixels, BASELINE, 8) == "codestream-mismatch"


def test_a_colour_scan_is_walked_but_not_counted() -> None:
    colour = np.stack([gradient(8)] * 3, axis=-1)
    assert check_scans(encode(colour, LOSSLESS, 8)) is None


@pytest.mark.parametrize("suffix", ["90", "91", "201"])
def test_jpeg_2000_that_was_cut_and_closed_again_is_rejected(suffix: str) -> None:
    pixels = gradient(8, (200, 130))
    frame = encode(pixels, JPEG + suffix, 8)
    for share in (0.3, 0.6, 0.9, 0.99):
        cut = frame[: int(share * len(frame))] + b"\xff\xd9"
        assert outcome_of(cut, pixels, JPEG + suffix, 8) == "pixel-data-truncated"


def test_a_missing_jpeg_2000_tile_is_rejected() -> None:
    pixels = gradient(8)
    frame = bytearray(encode(pixels, JPEG + "90", 8))
    struct.pack_into(">L", frame, 24, 40)  # XTsiz: now two tiles of 40 columns
    assert outcome_of(bytes(frame), pixels, JPEG + "90", 8) == "pixel-data-truncated"


def test_a_last_tile_part_of_unknown_length_is_read() -> None:
    pixels = gradient(8)
    frame = bytearray(encode(pixels, JPEG + "90", 8))
    struct.pack_into(">L", frame, frame.index(b"\xff\x90\x00\x0a") + 6, 0)
    assert outcome_of(bytes(frame) + b"\0", pixels, JPEG + "90", 8) == "same"
