"""What a viewer shows of a DICOM file: pydicom's own lookup tables, and none of our code."""

from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import apply_modality_lut, apply_voi_lut

JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"


def stored_pixels(dataset: pydicom.Dataset) -> npt.NDArray[np.generic]:
    """Stored values, by decoders that are not those that encoded them where there are two."""
    if dataset.file_meta.TransferSyntaxUID == JPEG_LOSSLESS_SV1:
        return imagecodecs.jpegsof3_decode(get_frame(dataset.PixelData, 0, number_of_frames=1))
    return dataset.pixel_array


def displayed(path: Path) -> npt.NDArray[np.float64]:
    """Gray levels of a file, 0 (black) to 1."""
    dataset = pydicom.dcmread(path)
    values = apply_modality_lut(stored_pixels(dataset), dataset)
    if "VOILUTSequence" in dataset:
        names = [item.LUTExplanation for item in dataset.VOILUTSequence]
        table = apply_voi_lut(values.astype(np.int32), dataset, index=names.index("NORMAL"))
        level = table / 4095
    else:
        bits, signed = dataset.BitsStored, dataset.PixelRepresentation
        ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1])
        low, high = ends * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        level = (apply_voi_lut(values, dataset).astype(np.float64) - low) / (high - low)
    return 1 - level if dataset.PhotometricInterpretation == "MONOCHROME1" else level
