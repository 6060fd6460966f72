"""DICOM files from arrays: one frame as a codestream, and a header with it as the bytes of a file.

The same input gives the same bytes: nothing is taken from the clock, a random source or the host.
"""

import io
import struct
from collections.abc import Callable, Mapping

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

# A 2.25 UID of our own: a fixed 128-bit number (PS3.5 B.2).
IMPLEMENTATION_CLASS_UID = "2.25.223796731934577192322519618385434801952"
IMPLEMENTATION_VERSION_NAME = "MAMMO_RAY"

# Peak signal-to-noise ratio of lossy JPEG 2000, dB: errors of a few parts in a thousand.
_LOSSY_PSNR = 65
# Ssiz after the SIZ marker: Lsiz, Rsiz, eight sizes of 4 bytes, Csiz (ISO/IEC 15444-1 A.5.1).
_SSIZ_OFFSET = 2 + 2 + 2 + 8 * 4 + 2
_SIZ = b"\xff\x51"

_Frame = npt.NDArray[np.generic]


def encode_frame(stored: _Frame, transfer_syntax: str, bits_stored: int) -> bytes:
    """One frame in a transfer syntax; bit-exact except where the syntax is lossy.

    Args:
        stored: stored values, (rows, columns), uint8, uint16 or int16.
        transfer_syntax: UID: uncompressed little endian, RLE, JPEG lossless SV1, JPEG-LS,
            JPEG 2000 or HTJ2K; int16 only uncompressed or RLE.
        bits_stored: bits that the values need, at most those of the array; the precision of the
            codestream. The JPEG-LS encoder writes 8 or 16 only.

    Raises:
        ValueError: another array or bit depth, or a syntax that is not written here.
    """
    encoder = _ENCODERS.get(transfer_syntax)
    if encoder is None:
        raise ValueError(f"transfer syntax {transfer_syntax} is not written here")
    if stored.ndim != 2 or stored.dtype not in (np.uint8, np.uint16, np.int16):
        raise ValueError(
            f"a frame is 2-D uint8, uint16 or int16, not {stored.ndim}-D {stored.dtype}"
        )
    if not 1 <= bits_stored <= stored.dtype.itemsize * 8:
        raise ValueError(f"BitsStored is {bits_stored}; {stored.dtype} does not hold it")
    signed = stored.dtype.kind == "i"
    lowest, highest = _stored_range(bits_stored, signed=signed)
    if stored.min() < lowest or stored.max() > highest:
        raise ValueError(f"stored values lie outside {lowest} to {highest}: {bits_stored} bits")
    if signed and encoder not in (_encode_native, _encode_rle):
        raise ValueError(f"signed pixels are not written in transfer syntax {transfer_syntax}")
    return encoder(np.ascontiguousarray(stored), bits_stored)


def encode_file(
    header: Mapping[str, object], stored: _Frame, transfer_syntax: str, *, boxed: bool = False
) -> bytes:
    """The bytes of a DICOM file (PS3.10) with one frame.

    Args:
        header: keyword -> value; a list of mappings is a sequence. It holds SOPClassUID,
            SOPInstanceUID and BitsStored; what follows from the array is filled in.
        stored: stored values, as in `encode_frame`.
        transfer_syntax: UID of the frame and of the data set.
        boxed: put the lossless JPEG 2000 codestream into the boxes of a JP2 file, which PS3.5
            A.4.4 does not allow and some archives hold.

    Raises:
        ValueError: as in `encode_frame`, a keyword that DICOM does not know, or boxes in another
            transfer syntax.
    """
    dataset = _dataset(header)
    dataset.file_meta = _file_meta(dataset, transfer_syntax)
    _describe_pixels(dataset, stored)
    frame = encode_frame(stored, transfer_syntax, int(dataset.BitsStored))
    if boxed and transfer_syntax != JPEG2000Lossless:
        raise ValueError(f"transfer syntax {transfer_syntax} is not written in JP2 boxes")
    if boxed:
        frame = _encode_jpeg2000(stored, int(dataset.BitsStored), codecformat="jp2")
    wide = stored.dtype.itemsize > 1
    if UID(transfer_syntax).is_compressed:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        if transfer_syntax == JPEG2000:
            _describe_loss(dataset, stored.nbytes / len(frame))
    else:
        dataset.PixelData = frame + b"\x00" * (len(frame) % 2)
        # Implicit VR has OW only (PS3.5 A.1); 8-bit explicit may be OB.
        dataset["PixelData"].VR = (
            "OW" if wide or transfer_syntax == ImplicitVRLittleEndian else "OB"
        )
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _stored_range(bits_stored: int, *, signed: bool) -> tuple[int, int]:
    half = 1 << (bits_stored - 1)
    return (-half, half - 1) if signed else (0, 2 * half - 1)


def _encode_native(frame: _Frame, _bits_stored: int) -> bytes:
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()


def _encode_rle(frame: _Frame, _bits_stored: int) -> bytes:
    """Byte planes, most significant first, each row packed by itself (PS3.5 Annex G)."""
    planes = np.moveaxis(frame.astype(frame.dtype.newbyteorder(">")).view(np.uint8).reshape(
        *frame.shape, -1), -1, 0)  # fmt: skip
    segments = []
    for plane in planes:
        packed = b"".join(
            bytes(imagecodecs.packbits_encode(row)) for row in np.ascontiguousarray(plane)
        )
        segments.append(packed + b"\x00" * (len(packed) % 2))
    offsets = [64 + sum(map(len, segments[:k])) for k in range(len(segments))]
    head = struct.pack(f"<{1 + len(offsets)}L", len(segments), *offsets)
    return head.ljust(64, b"\x00") + b"".join(segments)


def _encode_jpeg_lossless(frame: _Frame, bits_stored: int) -> bytes:
    # Selection value 1 is predictor 1, the sample to the left (ISO/IEC 10918-1 H.1.2.1).
    return bytes(
        imagecodecs.jpeg8_encode(frame, lossless=True, predictor=1, bitspersample=bits_stored)
    )


def _encode_jpegls(frame: _Frame, bits_stored: int) -> bytes:
    if bits_stored != frame.dtype.itemsize * 8:
        raise ValueError(f"JPEG-LS is written with 8 or 16 bits, not BitsStored {bits_stored}")
    return bytes(imagecodecs.jpegls_encode(frame))


def _encode_jpeg2000(frame: _Frame, bits_stored: int, codecformat: str = "j2k") -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            frame, level=0, codecformat=codecformat, bitspersample=bits_stored, reversible=True
        )
    )


def _encode_jpeg2000_lossy(frame: _Frame, bits_stored: int) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            frame, level=_LOSSY_PSNR, codecformat="j2k", bitspersample=bits_stored, reversible=False
        )
    )


def _encode_htj2k(frame: _Frame, bits_stored: int) -> bytes:
    """HTJ2K of the given precision, from an encoder that knows only 8 and 16 bits.

    The encoder takes half its range off every sample; a decoder adds half the range that Ssiz
    declares. So the samples are moved by the difference first, and Ssiz is set after.
    """
    full_bits = frame.dtype.itemsize * 8
    shift = (1 << (full_bits - 1)) - (1 << (bits_stored - 1))
    moved = (frame.astype(np.int32) + shift).astype(frame.dtype)
    codestream = bytearray(imagecodecs.htj2k_encode(moved, reversible=True))
    codestream[codestream.index(_SIZ) + _SSIZ_OFFSET] = bits_stored - 1
    return bytes(codestream)


_ENCODERS: dict[str, Callable[[_Frame, int], bytes]] = {
    ExplicitVRLittleEndian: _encode_native,
    ImplicitVRLittleEndian: _encode_native,
    RLELossless: _encode_rle,
    JPEGLosslessSV1: _encode_jpeg_lossless,
    JPEGLSLossless: _encode_jpegls,
    JPEG2000Lossless: _encode_jpeg2000,
    JPEG2000: _encode_jpeg2000_lossy,
    HTJ2KLossless: _encode_htj2k,
}


def _dataset(header: Mapping[str, object]) -> Dataset:
    dataset = Dataset()
    for keyword, value in header.items():
        if tag_for_keyword(keyword) is None:
            raise ValueError(f"DICOM has no attribute {keyword!r}")
        setattr(dataset, keyword, _element_value(value))
    return dataset


def _element_value(value: object) -> object:
    """Mappings in a list become the items of a sequence."""
    if isinstance(value, list):
        return [_element_value(item) for item in value]
    return _dataset(value) if isinstance(value, Mapping) else value


def _file_meta(dataset: Dataset, transfer_syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _describe_pixels(dataset: Dataset, stored: _Frame) -> None:
    """Image Pixel module (PS3.3 C.7.6.3) as far as it follows from the array."""
    dataset.SamplesPerPixel = 1
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")


def _describe_loss(dataset: Dataset, ratio: float) -> None:
    """Lossy compression in the past of these pixels (PS3.3 C.7.6.1.1.5)."""
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = round(ratio, 2)
    dataset.LossyImageCompressionMethod = "ISO_15444_1"
