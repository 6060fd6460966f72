"""What the benchmarks measure against: the shortest usual code for the same work."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels import apply_voi_lut


def require_decoders() -> None:
    """End where pydicom has no decoder of JPEG lossless, and so no figure to compare with."""
    if importlib.util.find_spec("libjpeg") is None:
        sys.exit("pylibjpeg-libjpeg is missing: run `make bench`, which puts it on the path")


def decode(path: Path) -> NDArray[np.integer]:
    """Stored values, by pydicom's default decoder."""
    return pydicom.dcmread(path).pixel_array


def prepare(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """A breast crop of `height` x `width`, as notebooks on mammograms make it.

    Window, minimum and maximum in float64, CLAHE and Otsu's threshold at full size, the box of the
    largest contour, then the resize.
    """
    dataset = pydicom.dcmread(path)
    pixels = apply_voi_lut(dataset.pixel_array, dataset).astype(np.float64)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        pixels = pixels.max() - pixels
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()) * 255
    image = cv2.createCLAHE(2.0, (8, 8)).apply(pixels.astype(np.uint8))
    _, mask = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    left, top, columns, rows = cv2.boundingRect(max(contours, key=cv2.contourArea))
    crop = image[top : top + rows, left : left + columns]
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
