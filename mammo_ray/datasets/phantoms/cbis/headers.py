"""What the header of a CBIS-DDSM phantom's file says: the attributes of the real files.

The DICOM edition has them as tags, the JPEG edition as columns of `dicom_info.csv`.
"""

import numpy as np

from mammo_ray.datasets.phantoms.cbis.cases import (
    CaseRow,
    cbis_uid,
    series_of,
    text_number,
)
from mammo_ray.datasets.phantoms.cbis.files import Pixels, PlannedFile
from mammo_ray.datasets.phantoms.cbis.traps import Swap
from mammo_ray.schema import Kind

DESCRIPTIONS = {
    Kind.FULL: "full mammogram images",
    Kind.CROP: "cropped images",
    Kind.MASK: "ROI mask images",
}
_OTHER = {Kind.CROP: Kind.MASK, Kind.MASK: Kind.CROP}
_BITS = {Kind.FULL: 16, Kind.CROP: 16, Kind.MASK: 8}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SIDES = {"L": "LEFT", "R": "RIGHT"}


def file_header(file: PlannedFile, pixels: Pixels, seed: int) -> dict[str, object]:
    """Keyword -> value of a file that is there, as its header (with its traps) has it.

    Bit depths are those of the DICOM edition, whatever the pixels are stored in.
    """
    case, study, _, _ = _table_path(file).split("/")
    bits = _BITS[_told(file, Swap.BITS)]
    minute = text_number(study) % 420
    return {
        "AccessionNumber": "",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "BodyPartExamined": "BREAST",
        "Columns": pixels.shape[1],
        "ContentDate": "20160426" if case.startswith("Mass") else "20160503",
        "ContentTime": f"{9 + minute // 60:02d}{minute % 60:02d}32.685000",
        "ConversionType": "WSD",
        "HighBit": bits - 1,
        "InstanceNumber": 1,
        "LargestImagePixelValue": (1 << bits) - 1,
        "Laterality": file.row.laterality,
        "Modality": "MG",
        "PatientBirthDate": "",
        "PatientID": case,
        "PatientName": case,
        "PatientOrientation": file.row.view_position,
        "PatientSex": "",
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelRepresentation": 0,
        "ReferringPhysicianName": "",
        "Rows": pixels.shape[0],
        "SOPClassUID": _SECONDARY_CAPTURE,
        "SOPInstanceUID": cbis_uid(seed, "image", file.path),
        "SamplesPerPixel": 1,
        "SecondaryCaptureDeviceManufacturer": "MathWorks",
        "SecondaryCaptureDeviceManufacturerModelName": "MATLAB",
        "SeriesDescription": DESCRIPTIONS[_told(file, Swap.DESCRIPTION)],
        "SeriesInstanceUID": series_of(_table_path(file)),
        "SeriesNumber": 1,
        "SmallestImagePixelValue": int(np.min(pixels)) if file.role is Kind.CROP else 0,
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": f"2016072{minute % 10}",
        "StudyID": "DDSM",
        "StudyInstanceUID": study,
        "StudyTime": f"{9 + minute // 60:02d}{minute % 60:02d}26",
        **(_undescribed(file.row, file.role) if file.undescribed else {}),
    }


def _table_path(file: PlannedFile) -> str:
    """The path in the table's column under which the file lies."""
    swapped = file.traps.swap is not None
    return file.row.paths[_OTHER.get(file.role, file.role) if swapped else file.role]


def _told(file: PlannedFile, swap: Swap) -> Kind:
    """What the header takes the file for where that swap interchanges its words."""
    return _OTHER.get(file.role, file.role) if file.traps.swap is swap else file.role


def _undescribed(row: CaseRow, role: Kind) -> dict[str, object]:
    """An empty SeriesDescription; masks that have none differ in other attributes too."""
    if role is not Kind.MASK:
        return {"SeriesDescription": ""}
    side = _SIDES[row.laterality]
    name = f"{row.patient_id}_{side}_{row.view_position}_{row.abnormality}.dcm"
    return {
        "SeriesDescription": "",
        "BodyPartExamined": f"{side.title()} Breast",
        "Laterality": "",
        "PatientID": name,
        "PatientName": f"{row.patient_id}^{row.patient_id}",
        "StudyDate": "",
        "StudyTime": "",
    }
