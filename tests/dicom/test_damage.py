"""Damage: what does not give every pixel that it promises is rejected, with a reason."""

import contextlib
import struct

import imagecodecs
import pytest

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.errors import ImageRejected
from tests.dicom.files import (
    DEFLATED,
    ENCAPSULATED,
    EXPLICIT,
    JPEG,
    RLE,
    dicom_file,
    encode,
    every_syntax,
    gradient,
)

CONFIG = DecodeConfig()


def reason_of(content: bytes) -> str:
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.detail
    return caught.value.reason


@every_syntax
def test_a_truncated_file_is_always_rejected(syntax: str) -> None:
    bits = ENCAPSULATED[syntax][1][0] if syntax in ENCAPSULATED else 12
    content = dicom_file(gradient(bits), syntax, bits)
    whole = len(content.rstrip(b"\0")) if syntax == DEFLATED else len(content)
    lengths = {whole - cut for cut in (1, 2, 3, 7, 8, 9, 16, 40, 100)}
    lengths |= {int(len(content) * share) for share in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)}
    for length in sorted(lengths):
        assert reason_of(content[:length]) in {
            "pixel-data-truncated",
            "header-truncated",
            "header-invalid",
            "no-pixel-data",
        }


@pytest.mark.parametrize("syntax", list(ENCAPSULATED))
def test_a_frame_that_was_cut_before_it_was_packed_is_rejected(syntax: str) -> None:
    bits = ENCAPSULATED[syntax][1][0]
    pixels = gradient(bits)
    frame = encode(pixels, syntax, bits)
    for share in (0.1, 0.5, 0.9, 0.99):
        cut = frame[: int(len(frame) * share)]
        content = dicom_file(pixels, syntax, bits, fragments=[cut])
        assert reason_of(content) in {
            "pixel-data-truncated",
            "codestream-mismatch",
            "decode-failed",
        }


@every_syntax
def test_every_cut_inside_the_header_is_rejected(syntax: str) -> None:
    content = dicom_file(gradient(8, (16, 16)), syntax, 8)
    end = 360 if syntax == DEFLATED else content.index(b"MG", 132)
    for length in range(0, end, 7):
        reason = reason_of(content[:length])
        expected = {"empty-file"} if length == 0 else {"not-dicom"} if length < 132 else {
            "header-truncated", "header-invalid", "no-pixel-data"
        }  # fmt: skip
        assert reason in expected, length


def test_a_short_uncompressed_frame_is_truncated_even_in_a_whole_file() -> None:
    pixels = gradient(12)
    content = dicom_file(pixels, EXPLICIT, 12, Rows=97)
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.reason == "pixel-data-truncated"
    assert "expected 15520 for 97 x 80" in caught.value.detail


@every_syntax
def test_a_header_that_promises_too_many_pixels_is_rejected_unread(syntax: str) -> None:
    content = dicom_file(gradient(8), syntax, 8, Rows=65500, Columns=65500)
    assert reason_of(content) == "image-too-large"


@pytest.mark.parametrize("suffix", ["50", "51", "57", "70", "80", "90", "91", "201"])
def test_a_codestream_that_promises_more_than_the_header_is_rejected(suffix: str) -> None:
    pixels = gradient(8)
    bits = 12 if suffix == "51" else 8
    frame = bytearray(encode(gradient(bits), JPEG + suffix, bits))
    if suffix in ("90", "91", "201"):
        struct.pack_into(">2L", frame, 8, 65500, 65500)
    else:
        marker = {"50": 0xC0, "51": 0xC1, "80": 0xF7}.get(suffix, 0xC3)
        struct.pack_into(">2H", frame, frame.index(bytes([0xFF, marker])) + 5, 65500, 65500)
    content = dicom_file(pixels, JPEG + suffix, 8, fragments=[bytes(frame)])
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.reason == "codestream-mismatch"
    assert "65500" in caught.value.detail


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Rows": None}, "header-invalid"),
        ({"Rows": 0}, "header-invalid"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "unsupported-pixel-format"),
        ({"BitsStored": 12, "HighBit": 11}, "header-invalid"),
        ({"HighBit": 2}, "header-invalid"),
        ({"NumberOfFrames": 60}, "unsupported-pixel-format"),
        ({"NumberOfFrames": 0}, "unsupported-pixel-format"),
        ({"SamplesPerPixel": 2}, "unsupported-pixel-format"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "unsupported-pixel-format"),
        ({"PhotometricInterpretation": None}, "unsupported-pixel-format"),
        ({"WindowCenter": [1, 2], "WindowWidth": 4}, "grayscale-invalid"),
        ({"VOILUTFunction": "LOGARITHM", "PixelPaddingValue": 0}, "grayscale-invalid"),
    ],
)
def test_a_header_that_cannot_be_right_is_rejected(
    elements: dict[str, object], reason: str
) -> None:
    assert reason_of(dicom_file(gradient(8), EXPLICIT, 8, **elements)) == reason


def test_an_unknown_transfer_syntax_is_named() -> None:
    content = dicom_file(gradient(8), JPEG + "90", 8)
    video = content.replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.66")
    with pytest.raises(ImageRejected, match=r"4\.66") as caught:
        decode_image(video, CONFIG)
    assert caught.value.reason == "unsupported-transfer-syntax"


def test_float_pixels_are_unsupported() -> None:
    content = dicom_file(gradient(16), EXPLICIT, 16)
    floats = content.replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x08\x00OF")
    assert reason_of(floats) == "unsupported-pixel-format"


def test_an_offset_table_of_two_frames_is_rejected() -> None:
    content = dicom_file(gradient(8), JPEG + "70", 8)
    start = content.index(b"\xe0\x7f\x10\x00OB") + 12
    table = b"\xfe\xff\x00\xe0" + struct.pack("<L2L", 8, 0, 100)
    item_end = start + 8 + struct.unpack_from("<L", content, start + 4)[0]
    assert reason_of(content[:start] + table + content[item_end:]) == "unsupported-pixel-format"


@pytest.mark.parametrize(
    ("suffix", "name"),
    [("50", "jpeg8"), ("70", "jpeg8"), ("80", "jpegls"), ("90", "jpeg2k"), ("201", "htj2k")],
)
def test_what_a_decoder_refuses_no_other_one_fills_up(
    suffix: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("damaged  data")

    content = dicom_file(gradient(8), JPEG + suffix, 8)
    monkeypatch.setattr(imagecodecs, f"{name}_decode", refuse)
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.reason == "decode-failed"
    assert caught.value.detail == f"imagecodecs.{name} failed: RuntimeError: damaged data"


def test_an_error_that_the_htj2k_decoder_only_prints_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = gradient(16)
    frame = encode(pixels, JPEG + "201", 16)
    printed = 0
    for cut in range(200, len(frame) - 200, 97):
        damaged = frame[:cut] + frame[cut + 150 : -2] + bytes(range(20, 170)) + b"\xff\xd9"
        lost: list[object] = []
        with monkeypatch.context() as patch, contextlib.suppress(RuntimeError):
            patch.setattr("sys.unraisablehook", lost.append)
            imagecodecs.htj2k_decode(damaged)
        if lost:
            printed += 1
            content = dicom_file(pixels, JPEG + "201", 16, fragments=[damaged])
            assert reason_of(content) == "decode-failed"
    assert printed > 5


@pytest.mark.parametrize(
    ("offset", "value"), [(0, 1), (0, 3), (4, 60), (8, 2**32 - 6), (8, 64), (8, 10**6)]
)
def test_an_rle_header_that_leads_out_of_its_frame_is_rejected(offset: int, value: int) -> None:
    pixels = gradient(16)
    frame = bytearray(encode(pixels, RLE, 16))
    struct.pack_into("<L", frame, offset, value)
    content = dicom_file(pixels, RLE, 16, fragments=[bytes(frame)])
    assert reason_of(content) == "codestream-mismatch"


def test_an_rle_frame_that_decodes_to_too_little_is_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*_: object, **__: object) -> bytes:
        return bytes(10)

    content = dicom_file(gradient(16), RLE, 16)
    monkeypatch.setattr(imagecodecs, "dicomrle_decode", short)
    with pytest.raises(ImageRejected, match="10 bytes decoded, expected 15360"):
        decode_image(content, CONFIG)


def test_no_memory_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    content = dicom_file(gradient(8), JPEG + "70", 8)
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", greedy)
    assert reason_of(content) == "out-of-memory"
