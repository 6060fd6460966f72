"""Decoders and renderers that the package does not call: dcmtk, OpenJPEG's own tool, pydicom."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

from tests.dicom.files import JPEG, RLE, Array

_DCMTK = {
    RLE: "dcmdrle",
    **dict.fromkeys((JPEG + "50", JPEG + "51", JPEG + "57", JPEG + "70"), "dcmdjpeg"),
    **dict.fromkeys((JPEG + "80", JPEG + "81"), "dcmdjpls"),
}


def run_tool(*command: str) -> None:
    """Run a tool; a test without it is skipped and says so."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: nothing to compare with")
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def dcmtk_pixels(content: bytes, folder: Path) -> Array:
    """Samples as dcmtk decompresses them, unused bits and all; colour as (rows, columns, 3)."""
    source, target = folder / "source.dcm", folder / "target.dcm"
    source.write_bytes(content)
    syntax = str(pydicom.dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID)
    run_tool(_DCMTK.get(syntax, "dcmconv"), "+te", str(source), str(target))
    dataset = pydicom.dcmread(target)
    kind = "i" if dataset.PixelRepresentation else "u"
    samples = np.frombuffer(dataset.PixelData, f"<{kind}{dataset.BitsAllocated // 8}")
    rows, columns, count = dataset.Rows, dataset.Columns, dataset.SamplesPerPixel
    samples = samples[: rows * columns * count]
    if count == 1:
        return samples.reshape(rows, columns)
    if dataset.PlanarConfiguration:
        return np.moveaxis(samples.reshape(count, rows, columns), 0, -1)
    return samples.reshape(rows, columns, count)


def pydicom_pixels(content: bytes, _folder: Path) -> Array:
    """Samples as pydicom reads them, in the colour space of the file."""
    return pixel_array(pydicom.dcmread(io.BytesIO(content)), raw=True)


def openjpeg_pixels(content: bytes, folder: Path, levels: int = 0) -> Array:
    """Samples of a JPEG 2000 or HTJ2K file as `opj_decompress` gives them."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    boxed = frame.startswith(b"\0\0\0\x0cjP")
    return openjpeg_frame(frame, folder, levels, boxed=boxed)


def openjpeg_frame(frame: bytes, folder: Path, levels: int = 0, *, boxed: bool = False) -> Array:
    """Samples of a codestream, or of a JP2 file, `levels` resolution levels left out."""
    source, target = folder / ("frame.jp2" if boxed else "frame.j2k"), folder / "frame.rawl"
    source.write_bytes(frame)
    run_tool("opj_decompress", "-r", str(levels), "-i", str(source), "-o", str(target))
    siz = frame.index(b"\xff\x4f\xff\x51") + 2
    sizes = np.frombuffer(frame, ">u4", 4, siz + 6)
    columns, rows = (int(-(-side >> levels)) for side in sizes[:2].astype(int) - sizes[2:])
    count = int.from_bytes(frame[siz + 38 : siz + 40], "big")
    depth = frame[siz + 40]
    kind = "i" if depth & 0x80 else "u"
    raw = np.frombuffer(target.read_bytes(), f"<{kind}{1 if (depth & 0x7F) < 8 else 2}")
    planes = raw.reshape(count, rows, columns)
    return planes[0] if count == 1 else np.moveaxis(planes, 0, -1)


def dcmtk_gray(content: bytes, folder: Path, *options: str) -> Array:
    """Gray levels, (rows, columns) uint16, as `dcm2pnm` or `dcmj2pnm` renders them."""
    source, target = folder / "shown.dcm", folder / "shown.pgm"
    source.write_bytes(content)
    run_tool("dcmj2pnm", "+opn", "16", *options, str(source), str(target))
    return _read_plain_pgm(target.read_bytes())


def _read_plain_pgm(content: bytes) -> Array:
    """A PGM file in text: P2, comments, width, height, greatest value, values."""
    lines = [line for line in content.split(b"\n") if not line.startswith(b"#")]
    words = b" ".join(lines).split()
    width, height, top = (int(word) for word in words[1:4])
    values = np.array(words[4:], np.int64).reshape(height, width)
    assert words[0] == b"P2"
    assert top == 65535
    return values


def pydicom_gray(stored: Array, dataset: Dataset) -> Array:
    """Modality and VOI as pydicom applies them, in 0 to 1; before any inversion."""
    voi = apply_voi_lut(apply_modality_lut(stored, dataset), dataset).astype(np.float64)
    low, high = _range_of_pydicom(dataset)
    return np.clip((voi - low) / (high - low), 0, 1)


def _range_of_pydicom(dataset: Dataset) -> tuple[float, float]:
    """The range that pydicom's functions scale to; falling where the rescale is."""
    for keyword in ("VOILUTSequence", "ModalityLUTSequence"):
        if dataset.get(keyword):
            return 0.0, float((1 << dataset[keyword][0].LUTDescriptor[2]) - 1)
    bits = dataset.BitsStored
    low = -(1 << (bits - 1)) if dataset.get("PixelRepresentation") else 0
    high = low + (1 << bits) - 1
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return float(low * slope + intercept), float(high * slope + intercept)
