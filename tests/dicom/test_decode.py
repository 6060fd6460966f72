"""Decoding: exact pixels in every transfer syntax, and a reason for everything else."""

import contextlib
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.errors import ImageRejected
from tests.dicom.files import (
    ALL_SYNTAXES,
    BIG_ENDIAN,
    DEFLATED,
    ENCAPSULATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    NATIVE,
    RLE,
    dicom_file,
    encode,
    every_syntax,
    gradient,
)

CONFIG = DecodeConfig()
EXACT = [
    (syntax, bits) for syntax, (_, tried, exact) in ENCAPSULATED.items() if exact for bits in tried
] + [(syntax, bits) for syntax in NATIVE for bits in (8, 12, 16)]
LOSSY = [
    (syntax, bits)
    for syntax, (_, tried, exact) in ENCAPSULATED.items()
    if not exact
    for bits in tried
]


def reason_of(content: bytes) -> str:
    with pytest.raises(ImageRejected) as caught:
        decode_image(content, CONFIG)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(("syntax", "bits"), EXACT)
def test_lossless_pixels_come_back_exactly(syntax: str, bits: int) -> None:
    pixels = gradient(bits)
    decoded = decode_image(dicom_file(pixels, syntax, bits), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.stored.dtype == pixels.dtype
    assert decoded.notes == ()


@pytest.mark.parametrize(("syntax", "bits"), LOSSY)
def test_lossy_pixels_come_back_within_a_percent(syntax: str, bits: int) -> None:
    pixels = gradient(bits)
    decoded = decode_image(dicom_file(pixels, syntax, bits), CONFIG)
    worst = np.abs(decoded.stored.astype(int) - pixels).max()
    assert worst <= 0.02 * (1 << bits)
    assert decoded.stored.dtype == pixels.dtype


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, RLE])
def test_signed_pixels_keep_their_sign(syntax: str, bits: int) -> None:
    pixels = gradient(bits, signed=True)
    decoded = decode_image(dicom_file(pixels, syntax, bits), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.stored.dtype == pixels.dtype


@pytest.mark.parametrize("suffix", ["70", "80", "90", "201"])
def test_the_header_gives_the_sign_that_an_unsigned_codestream_cannot(suffix: str) -> None:
    pixels = gradient(16, signed=True)
    frame = encode(pixels.view(np.uint16), JPEG + suffix, 16)
    decoded = decode_image(dicom_file(pixels, JPEG + suffix, 16, fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)


def test_signed_jpeg_2000_is_read_and_a_wrong_header_sign_is_noted() -> None:
    pixels = gradient(16, signed=True)
    frame = imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True)
    right = decode_image(dicom_file(pixels, JPEG + "90", fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(right.stored, pixels)
    assert right.notes == ()
    content = dicom_file(pixels, JPEG + "90", fragments=[frame], PixelRepresentation=0)
    wrong = decode_image(content, CONFIG)
    np.testing.assert_array_equal(wrong.stored, pixels.view(np.uint16))
    assert wrong.notes == ("the codestream is signed, PixelRepresentation (0028,0103) is 0",)


def test_bits_outside_the_stored_ones_are_masked() -> None:
    pixels = gradient(12)
    overlaid = pixels | np.uint16(0xA000)
    for syntax, fragments in ((EXPLICIT, None), (RLE, [encode(overlaid, RLE, 16)])):
        content = dicom_file(overlaid, syntax, 12, fragments=fragments)
        np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)


def test_pixels_above_unused_low_bits_are_moved_down() -> None:
    pixels = gradient(12)
    content = dicom_file((pixels << 4).astype(np.uint16), EXPLICIT, 12, HighBit=15)
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)


def test_a_precision_other_than_bits_stored_is_noted_and_keeps_the_values() -> None:
    pixels = gradient(12)
    frame = encode(pixels, JPEG + "70", 16)
    decoded = decode_image(dicom_file(pixels, JPEG + "70", 12, fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.notes == ("the codestream has 16 bits a sample, BitsStored (0028,0101) is 12",)


@pytest.mark.parametrize("syntax", [JPEG + "70", JPEG + "90", RLE])
def test_a_frame_in_several_fragments_is_joined(syntax: str) -> None:
    pixels = gradient(12)
    frame = encode(pixels, syntax, 12)
    frame += b"\0" * (len(frame) % 2)
    cut = len(frame) // 4 * 2
    content = dicom_file(pixels, syntax, 12, fragments=[frame[:cut], frame[cut:]])
    np.testing.assert_array_equal(decode_image(content, CONFIG).stored, pixels)


def test_jp2_boxes_are_taken_off_and_noted() -> None:
    pixels = gradient(12)
    boxed = imagecodecs.jpeg2k_encode(pixels, codecformat="JP2", reversible=True, bitspersample=12)
    decoded = decode_image(dicom_file(pixels, JPEG + "90", 12, fragments=[boxed]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)
    assert decoded.notes == ("the JPEG 2000 codestream was wrapped in JP2 boxes",)


@pytest.mark.parametrize("padding", [b"\0", b"\xff", b"\0\0\xff\0"])
@pytest.mark.parametrize("suffix", ["70", "80", "90", "201"])
def test_padding_after_the_end_marker_is_accepted(suffix: str, padding: bytes) -> None:
    pixels = gradient(8)
    frame = encode(pixels, JPEG + suffix, 8) + padding
    decoded = decode_image(dicom_file(pixels, JPEG + suffix, 8, fragments=[frame]), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels)


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_becomes_its_luma(planar: int) -> None:
    colour = np.stack([gradient(8), gradient(8)[::-1], gradient(8)[:, ::-1]], axis=-1)
    laid_out = np.moveaxis(colour, -1, 0) if planar else colour
    content = dicom_file(colour, EXPLICIT, 8, PlanarConfiguration=planar)
    content = content[: -colour.size] + laid_out.tobytes()
    decoded = decode_image(content, CONFIG)
    expected = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decoded.stored - expected).max() <= 1
    assert decoded.notes == ("colour (RGB) was turned to gray",)
    assert decoded.grayscale.photometric == "MONOCHROME2"


@pytest.mark.parametrize("syntax", [RLE, JPEG + "70", JPEG + "90"])
def test_compressed_colour_becomes_the_same_luma(syntax: str) -> None:
    colour = np.stack([gradient(8), gradient(8)[::-1], gradient(8)[:, ::-1]], axis=-1)
    plain = decode_image(dicom_file(colour, EXPLICIT, 8), CONFIG).stored
    compressed = decode_image(dicom_file(colour, syntax, 8), CONFIG).stored
    np.testing.assert_array_equal(compressed, plain)


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


def test_bytes_beyond_an_uncompressed_frame_are_noted() -> None:
    pixels = gradient(12)
    decoded = decode_image(dicom_file(pixels, EXPLICIT, 12, Rows=90), CONFIG)
    np.testing.assert_array_equal(decoded.stored, pixels[:90])
    assert decoded.notes == ("PixelData has 960 bytes beyond the frame",)


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


# pydicom's own files: name -> decoder, or reason of the rejection.
PYDICOM_FILES = {
    "693_J2KI.dcm": "imagecodecs.jpeg2k",
    "CT_small.dcm": "native",
    "J2K_pixelrep_mismatch.dcm": "imagecodecs.jpeg2k",
    "JPEG2000.dcm": "imagecodecs.jpeg2k",
    "JPEGLSNearLossless_08.dcm": "imagecodecs.jpegls",
    "JPEGLSNearLossless_16.dcm": "imagecodecs.jpegls",
    "MR_small.dcm": "native",
    "MR_small_RLE.dcm": "imagecodecs.dicomrle",
    "MR_small_bigendian.dcm": "native",
    "MR_small_expb.dcm": "native",
    "MR_small_implicit.dcm": "native",
    "MR_small_jp2klossless.dcm": "imagecodecs.jpeg2k",
    "MR_small_jpeg_ls_lossless.dcm": "imagecodecs.jpegls",
    "MR_small_padded.dcm": "native",
    "examples_overlay.dcm": "native",
    "image_dfl.dcm": "native",
    "MR_truncated.dcm": "pixel-data-truncated",
    "JPEG2000-embedded-sequence-delimiter.dcm": "codestream-mismatch",
    "SC_rgb_rle_2frame.dcm": "unsupported-pixel-format",
    "examples_palette.dcm": "unsupported-pixel-format",
    "meta_missing_tsyntax.dcm": "header-invalid",
    "no_meta.dcm": "not-dicom",
    "rtplan.dcm": "no-pixel-data",
    "rtplan_truncated.dcm": "header-truncated",
}


@pytest.mark.filterwarnings("ignore:The pixel data is 8320 bytes long:UserWarning:pydicom")
@pytest.mark.parametrize(("name", "outcome"), PYDICOM_FILES.items())
def test_files_of_pydicom_decode_as_pydicom_does_or_are_rejected(name: str, outcome: str) -> None:
    path = get_testdata_file(name, download=False)
    content = Path(str(path)).read_bytes()
    if "." not in outcome and outcome != "native":
        assert reason_of(content) == outcome
        return
    decoded = decode_image(content, CONFIG)
    assert decoded.decoder == outcome
    expected = pydicom.pixels.pixel_array(pydicom.dcmread(str(path)), raw=True)
    np.testing.assert_array_equal(decoded.stored, expected)


@pytest.mark.parametrize("name", ["MG1_J2KI", "MG1_JPLY"])
def test_real_full_field_images_decode(name: str, real_data: Path) -> None:
    decoded = decode_image((real_data / "wg04" / name).read_bytes(), CONFIG)
    assert decoded.stored.shape == (4664, 3064)
    assert decoded.stored.dtype == np.uint16
    assert 3000 < decoded.stored.max() <= 4095


def test_real_films_of_every_syntax_decode(real_archive: Path) -> None:
    seen: dict[str, str] = {}
    for path in sorted(real_archive.rglob("*.dcm")):
        syntax = str(pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        if syntax not in seen:
            decoded = decode_image(path.read_bytes(), CONFIG)
            assert decoded.stored.shape == (1024, 1024)
            assert decoded.notes == ()
            seen[syntax] = decoded.decoder
    assert len(seen) == 7
    assert set(seen) <= set(ALL_SYNTAXES)
