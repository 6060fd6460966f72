"""Small DICOM mammograms for tests, written by pydicom alone."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"


def breast_pixels(rows: int = 96, columns: int = 64, seed: int = 0) -> np.ndarray:
    """A bright half disc at the left edge on black, with noise: (rows, columns) uint16, 12 bits."""
    y, x = np.mgrid[:rows, :columns]
    inside = ((y - rows / 2) / (rows * 0.45)) ** 2 + (x / (columns * 0.8)) ** 2 < 1
    noise = np.random.default_rng(seed).integers(0, 200, (rows, columns))
    return np.where(inside, 2000 + noise, 0).astype(np.uint16)


def film(pixels: np.ndarray | None, **elements: object) -> Dataset:
    """A mammogram's data set; elements by keyword, None removes one; pixels None: no PixelData."""
    dataset = Dataset()
    values: dict[str, object] = {
        "SOPClassUID": MAMMOGRAPHY,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.1",
        "StudyDate": "20200102",
        "AccessionNumber": "A1",
        "Modality": "MG",
        "PresentationIntentType": "FOR PRESENTATION",
        "PatientID": "W1",
        "PatientName": "Nobody^Known",
        "ImageLaterality": "L",
        "ViewPosition": "MLO",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "WindowCenter": "2048",
        "WindowWidth": "4096",
        **elements,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if pixels is not None:
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelData = pixels.astype("<u2").tobytes()
    return dataset


def write_film(path: Path, dataset: Dataset) -> Path:
    """The data set as a DICOM file (explicit little endian)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(str(dataset.get("SOPClassUID", MAMMOGRAPHY)))
    meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID", "1.2.3.4")))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_exam(root: Path, woman: int, views: tuple[str, ...] = ("MLO",)) -> list[Path]:
    """Both breasts of one woman, one film a view, as `<patient>/<study>/<instance>.dcm`."""
    paths = []
    for number, (side, view) in enumerate((s, v) for s in "LR" for v in views):
        pixels = breast_pixels(seed=10 * woman + number)
        dataset = film(
            pixels if side == "L" else pixels[:, ::-1].copy(),
            PatientID=f"W{woman:03d}",
            StudyInstanceUID=f"1.2.{woman}",
            SOPInstanceUID=f"1.2.{woman}.{number + 1}",
            AccessionNumber=f"A{woman:03d}",
            ImageLaterality=side,
            ViewPosition=view,
        )
        paths.append(write_film(root / f"W{woman:03d}" / "study" / f"{number}.dcm", dataset))
    return paths
