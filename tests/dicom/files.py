"""DICOM files for tests, in every transfer syntax that the decoder reads.

Made with pydicom and imagecodecs' encoders alone, so that a mistake of the package's own encoder
cannot hide one of its decoder.
"""

import io
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels import get_encoder
from pydicom.uid import UID

IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
RLE = "1.2.840.10008.1.2.5"
JPEG = "1.2.840.10008.1.2.4."
HEADER_LENGTH_LIMIT = 4096

Array = NDArray[Any]


def gradient(bits: int, shape: tuple[int, int] = (96, 80), signed: bool = False) -> Array:
    """A smooth image with texture over the whole range of its bits."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = np.sin(rows / 17) * np.cos(columns / 11) + np.sin((rows * columns) / 400) / 3
    scaled = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    levels = np.rint(scaled * ((1 << bits) - 1)).astype(np.int64)
    if signed:
        return (levels - (1 << (bits - 1))).astype(np.int8 if bits <= 8 else np.int16)
    return levels.astype(np.uint8 if bits <= 8 else np.uint16)


def _rle(pixels: Array, bits: int) -> bytes:
    encoder = get_encoder(UID(RLE))
    return encoder.encode(
        np.ascontiguousarray(pixels),
        encoding_plugin="pydicom",
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1 if pixels.ndim == 2 else 3,
        bits_allocated=pixels.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(pixels.dtype.kind == "i"),
        photometric_interpretation="MONOCHROME2" if pixels.ndim == 2 else "RGB",
        planar_configuration=0,
        number_of_frames=1,
    )


def _lossless_jpeg(pixels: Array, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=bits)


def _lossy_jpeg(pixels: Array, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=bits)


def _jpeg_2000(pixels: Array, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(
        pixels, codecformat="J2K", reversible=True, bitspersample=bits, mct=False
    )


def _lossy_jpeg_2000(pixels: Array, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(
        pixels, level=60, codecformat="J2K", reversible=False, bitspersample=bits
    )


def _high_throughput(pixels: Array, _bits: int) -> bytes:
    return imagecodecs.htj2k_encode(pixels, reversible=True)


def _jpeg_ls(pixels: Array, _bits: int) -> bytes:
    return imagecodecs.jpegls_encode(pixels)


# Transfer syntax -> (encoder of one frame, bits that it is tried with, exact).
ENCAPSULATED: dict[str, tuple[Callable[[Array, int], bytes], tuple[int, ...], bool]] = {
    RLE: (_rle, (8, 12, 16), True),
    JPEG + "50": (_lossy_jpeg, (8,), False),
    JPEG + "51": (_lossy_jpeg, (12,), False),
    JPEG + "57": (_lossless_jpeg, (8, 12, 16), True),
    JPEG + "70": (_lossless_jpeg, (8, 10, 12, 14, 16), True),
    JPEG + "80": (_jpeg_ls, (8, 16), True),
    JPEG + "81": (_jpeg_ls, (8, 16), True),
    JPEG + "90": (_jpeg_2000, (8, 12, 16), True),
    JPEG + "91": (_lossy_jpeg_2000, (8, 12), False),
    JPEG + "201": (_high_throughput, (8, 16), True),
    JPEG + "202": (_high_throughput, (8, 16), True),
    JPEG + "203": (_high_throughput, (8, 16), True),
}
NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN)
ALL_SYNTAXES = (*NATIVE, *ENCAPSULATED)

every_syntax = pytest.mark.parametrize("syntax", ALL_SYNTAXES)


def encode(pixels: Array, syntax: str, bits: int) -> bytes:
    """One frame in an encapsulated syntax."""
    return ENCAPSULATED[syntax][0](np.ascontiguousarray(pixels), bits)


def header_of(pixels: Array, bits: int) -> pydicom.Dataset:
    """A mammogram's header for an array."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    dataset.SOPInstanceUID = "2.25.1001"
    dataset.StudyInstanceUID = "2.25.1002"
    dataset.SeriesInstanceUID = "2.25.1003"
    dataset.PatientID = "woman-1"
    dataset.Modality = "MG"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = pixels.itemsize * 8
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    return dataset


def dicom_file(
    pixels: Array,
    syntax: str = EXPLICIT,
    bits: int | None = None,
    fragments: list[bytes] | None = None,
    **elements: object,
) -> bytes:
    """A whole file; `fragments` replaces the frame, `elements` change or (None) drop others."""
    bits = bits or pixels.itemsize * 8
    dataset = header_of(pixels, bits)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    if syntax in ENCAPSULATED:
        frames = fragments or [encode(pixels, syntax, bits)]
        dataset.PixelData = encapsulate([frames[0]])
        if len(frames) > 1:
            dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" + b"".join(
                b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in frames
            )
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    else:
        order = ">" if syntax == BIG_ENDIAN else "<"
        content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        dataset.PixelData = content + b"\0" * (len(content) % 2)
        dataset["PixelData"].VR = "OB" if pixels.itemsize == 1 and syntax != IMPLICIT else "OW"
    return file_of(dataset, syntax)


def file_of(dataset: pydicom.Dataset, syntax: str = EXPLICIT) -> bytes:
    """The bytes of a dataset as a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.3")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "2.25.1")
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
