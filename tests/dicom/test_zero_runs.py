"""Zeros in JPEG 2000 and HTJ2K: few in a whole codestream, many where a disk block was lost."""

import imagecodecs
import numpy as np
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.zero_runs import check_zero_runs
from mammo_ray.errors import ImageRejected
from tests.dicom.files import JPEG, dicom_file, gradient

SHAPE = (512, 400)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]
NOISE = np.random.default_rng(0).integers(0, 4096, SHAPE)
PICTURES = {
    "film": gradient(12, SHAPE) // 2 + NOISE // 64,
    "noise": NOISE,
    "shifted": (gradient(8, SHAPE).astype(int) // 16) << 8,
    "ramp": COLUMNS * 4,
    "cubic": COLUMNS**3 // 2**18,
    "dots": (ROWS + COLUMNS) % 2 * 4095,
    "black": ROWS * 0,
}


def codestream(picture: str, *, high_throughput: bool) -> bytes:
    pixels = PICTURES[picture].astype(np.uint16)
    if high_throughput:
        return imagecodecs.htj2k_encode(pixels, reversible=True)
    return imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True)


def with_zeros(frame: bytes, count: int, *, at: int | None = None) -> bytes:
    at = frame.index(b"\xff\x93") + 40 if at is None else at
    return frame[:at] + bytes(count) + frame[at + count :]


@pytest.mark.parametrize("high_throughput", [False, True])
@pytest.mark.parametrize("picture", PICTURES)
def test_no_whole_codestream_has_too_many(picture: str, high_throughput: bool) -> None:
    check_zero_runs(codestream(picture, high_throughput=high_throughput))


@pytest.mark.parametrize(("high_throughput", "count"), [(False, 256), (True, 1024)])
@pytest.mark.parametrize("picture", ["film", "noise"])
def test_a_block_of_zeros_is_found_wherever_it_lies(
    picture: str, high_throughput: bool, count: int
) -> None:
    frame = codestream(picture, high_throughput=high_throughput)
    start = frame.index(b"\xff\x93")
    for at in range(start + 2, len(frame) - count - 8, 5003):
        broken = with_zeros(frame, count, at=at)
        if broken[at + count : at + count + 2] in (b"\xff\x90", b"\xff\xd9"):
            continue
        with pytest.raises(ImageRejected, match=r"zeros from byte \d+ on"):
            check_zero_runs(broken)


def test_zeros_in_front_of_the_end_are_padding() -> None:
    frame = codestream("film", high_throughput=False)
    check_zero_runs(frame[:-2] + bytes(5000) + frame[-2:])


@pytest.mark.parametrize(
    ("offset", "value", "found"),
    [
        (12, 0x00, True),
        (12, 0x01, False),  # arithmetic coding is bypassed
        (12, 0x41, True),  # HTJ2K: the bit speaks of something else
        (5, 0x00, True),
        (6, 0x20, False),  # 8192 layers: as many empty packets as zeros
    ],
)
def test_zeros_that_the_coding_allows_are_left_alone(offset: int, value: int, found: bool) -> None:
    frame = bytearray(with_zeros(codestream("noise", high_throughput=False), 3000))
    place = frame.index(b"\xff\x52")
    assert frame[place + 12] == 0
    frame[place + offset] = value
    if found:
        with pytest.raises(ImageRejected, match="expected at most"):
            check_zero_runs(bytes(frame))
    else:
        check_zero_runs(bytes(frame))


def test_small_precincts_allow_more_empty_packets() -> None:
    frame = with_zeros(codestream("noise", high_throughput=False), 3000)
    place = frame.index(b"\xff\x52")
    levels = frame[place + 9]
    segment = bytearray(frame[place : place + 14])
    segment[3], segment[4] = 12 + levels + 1, 1
    check_zero_runs(frame[:place] + segment + b"\x22" * (levels + 1) + frame[place + 14 :])


def test_a_codestream_without_a_coding_style_is_left_to_its_decoder() -> None:
    frame = codestream("film", high_throughput=False)
    place = frame.index(b"\xff\x52")
    check_zero_runs(with_zeros(frame[:place] + frame[place + 14 :], 3000))


def test_a_lost_block_is_the_reason_of_a_rejection() -> None:
    pixels = PICTURES["film"].astype(np.uint16)
    frame = with_zeros(codestream("film", high_throughput=False), 512)
    with pytest.raises(ImageRejected, match="codestream-mismatch: the JPEG 2000 codestream has"):
        decode_image(dicom_file(pixels, JPEG + "90", 12, fragments=[frame]), DecodeConfig())
