"""Codestreams and files that `mammo_ray.dicom.encode` writes, read back by other decoders."""

import io
from collections.abc import Callable

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.encaps import get_frame

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.encode import encode_file, encode_frame

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
JPEG_LOSSLESS, JPEG_LS = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"
JPEG_2000_LOSSLESS, JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HTJ2K, RLE = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5"

Array = npt.NDArray[np.generic]

MINIMAL_HEADER = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2",
    "SOPInstanceUID": "2.25.1",
    "PhotometricInterpretation": "MONOCHROME2",
}


def textured(bits: int, shape: tuple[int, int] = (61, 47), *, signed: bool = False) -> Array:
    """Smooth shapes and grain that use the whole range of the bits; odd sizes."""
    rng = np.random.default_rng(bits)
    smooth = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), 6)
    field = smooth / np.abs(smooth).max() + 0.02 * rng.standard_normal(shape)
    top = (1 << bits) - 1
    levels = np.clip(np.rint((field + 1) / 2 * top), 0, top)
    levels.flat[:2] = 0, top
    if signed:
        return (levels - (1 << (bits - 1))).astype(np.int16)
    return levels.astype(np.uint8 if bits <= 8 else np.uint16)


def decoded_file(content: bytes) -> tuple[pydicom.Dataset, bytes]:
    dataset = pydicom.dcmread(io.BytesIO(content))
    return dataset, get_frame(dataset.PixelData, 0, number_of_frames=1)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_jpeg_lossless_is_bit_exact_in_a_second_decoder(bits: int) -> None:
    stored = textured(bits)
    content = encode_frame(stored, JPEG_LOSSLESS, bits)
    np.testing.assert_array_equal(imagecodecs.jpegsof3_decode(content), stored)


def test_jpeg_lossless_sv1_declares_its_precision_and_predictor_one() -> None:
    content = encode_frame(textured(12), JPEG_LOSSLESS, 12)
    sof3, sos = content.index(b"\xff\xc3"), content.index(b"\xff\xda")
    assert content[sof3 + 4] == 12
    assert content[sos + 7] == 1


@pytest.mark.parametrize("syntax", [JPEG_2000_LOSSLESS, HTJ2K])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_jpeg_2000_and_htj2k_are_bit_exact_and_declare_their_precision(
    syntax: str, bits: int
) -> None:
    stored = textured(bits)
    content = encode_frame(stored, syntax, bits)
    siz = content.index(b"\xff\x51")
    assert content[siz + 40] == bits - 1
    dataset, _ = decoded_file(encode_file({**MINIMAL_HEADER, "BitsStored": bits}, stored, syntax))
    np.testing.assert_array_equal(dataset.pixel_array, stored)


@pytest.mark.parametrize("bits", [8, 16])
def test_jpeg_ls_is_bit_exact_and_declares_its_precision(bits: int) -> None:
    stored = textured(bits)
    content = encode_frame(stored, JPEG_LS, bits)
    assert content[content.index(b"\xff\xf7") + 4] == bits
    np.testing.assert_array_equal(imagecodecs.jpegls_decode(content), stored)


@pytest.mark.parametrize(
    "stored", [textured(8), textured(12), textured(13, signed=True), np.zeros((3, 300), np.uint16)]
)
def test_rle_is_bit_exact_in_pydicom(stored: Array) -> None:
    bits = stored.dtype.itemsize * 8
    content = encode_frame(stored, RLE, bits)
    dataset, frame = decoded_file(encode_file({**MINIMAL_HEADER, "BitsStored": bits}, stored, RLE))
    assert frame == content
    np.testing.assert_array_equal(dataset.pixel_array, stored)


def test_rle_packs_every_row_by_itself() -> None:
    stored = np.full((4, 10), 7, np.uint8)
    segment = encode_frame(stored, RLE, 8)[64:]
    assert segment == bytes([257 - 10, 7]) * 4


def test_lossy_jpeg_2000_is_close_and_says_that_it_is_lossy() -> None:
    stored = textured(12, (256, 256))
    header = {**MINIMAL_HEADER, "BitsStored": 12}
    dataset, _ = decoded_file(encode_file(header, stored, JPEG_2000))
    error = dataset.pixel_array.astype(int) - stored.astype(int)
    assert 0 < np.abs(error).max() < 0.02 * 4096
    assert dataset.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionRatio > 1
    assert dataset.LossyImageCompressionMethod == "ISO_15444_1"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("stored", [textured(8), textured(10), textured(13, signed=True)])
def test_uncompressed_pixels_of_any_sign_come_back(syntax: str, stored: Array) -> None:
    bits = stored.dtype.itemsize * 8
    content = encode_file({**MINIMAL_HEADER, "BitsStored": bits}, stored, syntax)
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert len(dataset.PixelData) % 2 == 0
    assert dataset.PixelRepresentation == int(stored.dtype == np.int16)
    np.testing.assert_array_equal(dataset.pixel_array, stored)


def test_the_header_is_completed_from_the_array() -> None:
    header = {
        **MINIMAL_HEADER,
        "BitsStored": 12,
        "ViewCodeSequence": [
            {"CodeValue": "399162004", "ViewModifierCodeSequence": [{"CodeValue": "399055006"}]}
        ],
        "ImageType": ["ORIGINAL", "PRIMARY"],
    }
    dataset, _ = decoded_file(encode_file(header, textured(12), HTJ2K))
    assert (dataset.Rows, dataset.Columns) == (61, 47)
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (16, 12, 11)
    assert dataset.file_meta.TransferSyntaxUID == HTJ2K
    assert dataset.file_meta.MediaStorageSOPInstanceUID == "2.25.1"
    view = dataset.ViewCodeSequence[0]
    assert view.ViewModifierCodeSequence[0].CodeValue == "399055006"
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY"]


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG_LOSSLESS, JPEG_2000, HTJ2K, RLE])
def test_the_same_input_gives_the_same_bytes(syntax: str) -> None:
    header = {**MINIMAL_HEADER, "BitsStored": 12}
    assert encode_file(header, textured(12), syntax) == encode_file(header, textured(12), syntax)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encode_frame(textured(12), "1.2.840.10008.1.2.4.50", 12), "not written here"),
        (lambda: encode_frame(textured(12), JPEG_LS, 12), "8 or 16"),
        (lambda: encode_frame(textured(12), HTJ2K, 10), "outside 0 to 1023"),
        (lambda: encode_frame(textured(8), RLE, 12), "uint8 does not hold it"),
        (lambda: encode_frame(textured(8), RLE, 0), "BitsStored is 0"),
        (lambda: encode_frame(textured(12, signed=True), HTJ2K, 12), "signed"),
        (lambda: encode_frame(np.zeros((2, 2, 3), np.uint8), RLE, 8), "3-D uint8"),
        (lambda: encode_frame(np.zeros((2, 2), np.float32), RLE, 8), "float32"),
        (lambda: encode_file({"NoSuchKeyword": 1}, textured(8), RLE), "NoSuchKeyword"),
    ],
)
def test_what_cannot_be_written_is_refused(call: Callable[[], bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_boxed_frame_decodes_to_the_same_values_and_only_jpeg_2000_has_boxes() -> None:
    stored = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
    header = {**MINIMAL_HEADER, "BitsStored": 12}
    boxed = encode_file(header, stored, JPEG_2000_LOSSLESS, boxed=True)
    assert b"jP  \r\n\x87\n" in boxed
    np.testing.assert_array_equal(decode_image(boxed, DecodeConfig()).stored, stored)
    with pytest.raises(ValueError, match="not written in JP2 boxes"):
        encode_file(header, stored, JPEG_LOSSLESS, boxed=True)
