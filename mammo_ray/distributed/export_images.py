"""One exported file from the bytes of its source: gray levels, masks, DICOM around image files."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray import storage
from mammo_ray.config import Config, DecodeConfig
from mammo_ray.dicom.decode import DecodedImage
from mammo_ray.dicom.encode import encode_file
from mammo_ray.dicom.grayscale import apply_table, gray_table
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected, UsageError
from mammo_ray.image_files.decode import decode_file
from mammo_ray.image_files.header import is_image_file
from mammo_ray.preprocess.mask_classes import MaskUnusable, classes_of
from mammo_ray.schema import ImageKind, Kind, RejectionReason

FileFormat = Literal["dcm", "png16", "jpg"]
JPEG_QUALITY = 95
_PREFIX = 132  # bytes that tell an image file from a DICOM file
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_RLE = "1.2.840.10008.1.2.5"  # lossless, and every reader has it

File = Mapping[str, Any]


def require_format(name: str) -> FileFormat:
    """The format of that name.

    Raises:
        UsageError: there is none.
    """
    for known in get_args(FileFormat):
        if name == known:
            found: FileFormat = known
            return found
    raise UsageError(f"--format {name!r} is none of {', '.join(get_args(FileFormat))}")


def suffix_of(file_format: FileFormat, kind: str) -> str:
    """The suffix of an exported file; masks lose nothing, so none is a JPEG."""
    if file_format == "dcm":
        return ".dcm"
    return ".jpg" if file_format == "jpg" and kind != Kind.MASK else ".png"


def export_content(
    file: File, file_format: FileFormat, config: Config, sandbox: Sandbox | None
) -> bytes:
    """The bytes of one exported file.

    Args:
        file: a row of `export_plan.FILES`.
        file_format: a DICOM file goes out as `dcm` byte for byte; an image file becomes a DICOM
            Secondary Capture.
        config: section `decode` is used.
        sandbox: where the source is read and decoded; None does it in this process.

    Raises:
        ImageRejected: the source cannot be used.
        StorageError: reading failed.
    """
    uri = file["uri"]
    try:
        if file_format == "dcm" and not is_image_file(storage.read_bytes(uri, 0, _PREFIX)):
            content = storage.read_bytes(uri)
            _require_same_size(file, content)
            return content
        work = partial(render, file=file, file_format=file_format, config=config.decode)
        if sandbox is not None:
            return sandbox.run(uri, work, config.decode.timeout_seconds)
        return work(storage.read_bytes(uri))
    except (FileNotFoundError, PermissionError) as error:
        raise ImageRejected(
            RejectionReason.UNREADABLE_FILE, f"the file cannot be read: {type(error).__name__}"
        ) from error


def render(content: bytes, file: File, file_format: FileFormat, config: DecodeConfig) -> bytes:
    """The bytes of one exported file from those of its source, decoded.

    Raises:
        ImageRejected: the source does not give every pixel it promises, or is no mask.
    """
    _require_same_size(file, content)
    image = decode_file(content, config)
    if file["kind"] == Kind.MASK:
        mask = _mask(image, file["mask_values"])
        return _encoded(".png", mask) if file_format != "dcm" else _mask_file(file, mask)
    if file_format == "dcm":
        return _captured(file, image)
    if file_format == "png16":
        return _encoded(".png", apply_table(image.stored, gray_table(image.grayscale, config, 16)))
    gray = apply_table(image.stored, gray_table(image.grayscale, config, 8))
    return _encoded(".jpg", gray, cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)


def _require_same_size(file: File, content: bytes) -> None:
    """The file must still be the one that the manifest speaks of."""
    if file["bytes"] is not None and file["bytes"] != len(content):
        raise ImageRejected(
            RejectionReason.FILE_CHANGED,
            f"the file has {len(content)} bytes, {file['bytes']} when the manifest was made",
        )


def _mask(image: DecodedImage, values: list[int] | None) -> npt.NDArray[np.uint8]:
    """(rows, columns): 0 and 255 of one class, else the number of the class."""
    try:
        classes = classes_of(image, tuple(values) if values else None)
    except MaskUnusable as error:
        raise ImageRejected(RejectionReason.UNSUPPORTED_PIXEL_FORMAT, f"mask: {error}") from error
    return classes if values and len(values) > 1 else classes * np.uint8(255)


def _encoded(suffix: str, pixels: npt.NDArray[Any], *settings: int) -> bytes:
    done, content = cv2.imencode(suffix, pixels, list(settings))
    if not done:
        raise ImageRejected(
            RejectionReason.UNSUPPORTED_PIXEL_FORMAT, f"{pixels.shape} pixels as {suffix}"
        )
    return bytes(content)


def _captured(file: File, image: DecodedImage) -> bytes:
    header = _header(file)
    header["BitsStored"] = image.grayscale.bits_stored
    if file["transfer_syntax"] == "image/jpeg":
        # Its pixels have lost what JPEG takes, whatever is done with them now (C.7.6.1.1.5).
        header |= {"LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1"}
    return encode_file(header, image.stored, _RLE)


def _mask_file(file: File, mask: npt.NDArray[np.uint8]) -> bytes:
    return encode_file({**_header(file), "BitsStored": 8}, mask, _RLE)


def _header(file: File) -> dict[str, object]:
    """What makes pixels a Secondary Capture image of their patient (PS3.3 A.8.1).

    Ids that the data set does not have follow from `image_id`, so that a second export gives the
    same ones.
    """
    image_id = str(file["image_id"])
    study = file["study_uid"] or _uid("study", str(file["patient_id"]), str(file["study_date"]))
    return {
        "SOPClassUID": _SECONDARY_CAPTURE,
        "SOPInstanceUID": _uid(image_id, str(file["kind"]), str(file["number"])),
        "StudyInstanceUID": study,
        "SeriesInstanceUID": file["series_uid"] or _uid("series", image_id),
        "StudyDate": file["study_date"] or "",
        "StudyTime": "",
        "StudyID": "",
        "SeriesNumber": None,
        "InstanceNumber": int(file["number"]),
        "AccessionNumber": file["accession"] or "",
        "ReferringPhysicianName": "",
        "PatientName": "",
        "PatientID": file["patient_id"] or "",
        "PatientBirthDate": "",
        "PatientSex": "",
        "PatientOrientation": "",
        "Modality": "MG",
        "BodyPartExamined": "BREAST",
        "ConversionType": "DF" if file["image_kind"] == ImageKind.FILM else "WSD",
        "ImageLaterality": file["laterality"] or "",
        "ViewPosition": file["view_position"] or "",
        "PhotometricInterpretation": "MONOCHROME2",
    }


def _uid(*parts: str) -> str:
    """A UID of the 2.25 root (PS3.5 B.2) that follows from some text."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogateescape")).digest()
    return f"2.25.{int.from_bytes(digest[:16])}"
