"""A few lesions of CBIS-DDSM by hand: tables, DICOM files and JPEG files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from mammo_ray.datasets.phantoms.folder import csv_text
from mammo_ray.dicom.encode import encode_file

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

FILM_SIZE, CROP_SIZE = (60, 40), (16, 12)
INFO = ("image_path", "PatientID", "SeriesDescription", "BitsAllocated", "Rows", "Columns")
_SIDES = {"L": "LEFT", "R": "RIGHT"}
_WORDS = {
    "mass": ("breast_density", "mass shape", "mass margins"),
    "calc": ("breast density", "calc type", "calc distribution"),
}


@dataclass(frozen=True)
class Row:
    """One row of a case table; `changed` sets fields by the name of their column."""

    patient: str = "P_00001"
    side: str = "L"
    view: str = "CC"
    number: int = 1
    table: str = "mass"
    split: str = "train"
    pathology: str = "BENIGN"
    own_series: bool = False
    changed: Mapping[str, str] = field(default_factory=dict)

    @property
    def film_case(self) -> str:
        split = {"train": "Training", "test": "Test"}[self.split]
        side = _SIDES[self.side]
        return f"{self.table.title()}-{split}_{self.patient}_{side}_{self.view}"

    @property
    def case(self) -> str:
        return f"{self.film_case}_{self.number}"

    @property
    def film_series(self) -> str:
        return _uid(self.film_case)

    @property
    def crop_series(self) -> str:
        return _uid(self.case)

    @property
    def mask_series(self) -> str:
        return _uid(self.case + "/mask") if self.own_series else self.crop_series

    @property
    def full_path(self) -> str:
        return f"{self.film_case}/1.2.1/{self.film_series}/000000.dcm"

    @property
    def crop_path(self) -> str:
        return f"{self.case}/1.2.2/{self.crop_series}/000000.dcm"

    @property
    def mask_path(self) -> str:
        return f"{self.case}/1.2.2/{self.mask_series}/00000{int(not self.own_series)}.dcm"

    def fields(self) -> dict[str, str]:
        density, first, second = _WORDS[self.table]
        return {
            "patient_id": self.patient,
            density: "3",
            "left or right breast": _SIDES[self.side],
            "image view": self.view,
            "abnormality id": str(self.number),
            "abnormality type": {"mass": "mass", "calc": "calcification"}[self.table],
            first: "OVAL",
            second: "N/A",
            "assessment": "4",
            "pathology": self.pathology,
            "subtlety": "0",
            "image file path": self.full_path,
            "cropped image file path": self.crop_path,
            "ROI mask file path": self.mask_path + "\n",
            **self.changed,
        }


def _uid(text: str) -> str:
    return str(generate_uid(prefix="1.2.826.0.1.3680043.2.", entropy_srcs=[text]))


def write_case_tables(folder: Path, *rows: Row) -> None:
    """The case tables of the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, split in sorted({(row.table, row.split) for row in rows}):
        chosen = [row.fields() for row in rows if (row.table, row.split) == (table, split)]
        content = csv_text(list(chosen[0]), [list(fields.values()) for fields in chosen])
        (folder / f"{table}_case_description_{split}_set.csv").write_text(content, "utf-8")


def film_pixels() -> Pixels:
    return _gradient(FILM_SIZE)


def crop_pixels() -> Pixels:
    return _gradient(CROP_SIZE)


def mask_pixels(shape: tuple[int, int] = FILM_SIZE) -> Pixels:
    mask = np.zeros(shape, np.uint8)
    mask[8:24, 8:24] = 255
    return mask


def _gradient(shape: tuple[int, int]) -> Pixels:
    count = shape[0] * shape[1]
    return np.linspace(500, 60000, count).astype(np.uint16).reshape(shape)


def write_dicom(path: Path, case: str, series: str, pixels: Pixels) -> None:
    """A DICOM file with the attributes that tell whose it is."""
    header = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
        "SOPInstanceUID": generate_uid(entropy_srcs=[str(path)]),
        "BitsStored": 8 * pixels.itemsize,
        "Modality": "MG",
        "PatientID": case,
        "StudyInstanceUID": "1.2.3",
        "StudyDate": "20160720",
        "SeriesInstanceUID": series,
        "PhotometricInterpretation": "MONOCHROME2",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_file(header, pixels, ExplicitVRLittleEndian))


def write_dicom_files(root: Path, row: Row) -> None:
    """Film, crop and mask where the table says."""
    write_dicom(root / row.full_path, row.film_case, row.film_series, film_pixels())
    write_dicom(root / row.crop_path, row.case, row.crop_series, crop_pixels())
    write_dicom(root / row.mask_path, row.case, row.mask_series, mask_pixels())


def write_jpeg(path: Path, pixels: Pixels) -> None:
    """A JPEG file of the upper 8 bits."""
    gray = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(".jpg", gray)[1]))


def write_info(root: Path, *rows: tuple[str, str, str, int, tuple[int, int]]) -> None:
    """`dicom_info.csv`: path below jpeg, case, description, bits and size."""
    lines = [
        (f"CBIS-DDSM/jpeg/{path}", case, description, bits, *size)
        for path, case, description, bits, size in rows
    ]
    (root / "csv").mkdir(parents=True, exist_ok=True)
    (root / "csv" / "dicom_info.csv").write_text(csv_text(INFO, lines), "utf-8")
