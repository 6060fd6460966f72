"""Full-size mammograms in every transfer syntax that matters, made for the benchmarks.

4096 x 3328 pixels of 12 bits in 16: the full-field mammogram MG1 of NEMA's working group 4 in that
size, and films of the screening archive enlarged to it, whole. Both come from the folder that
MAMMO_REAL_DATA names; without it phantoms take their place.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import get_encoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from mammo_ray.config import DecodeConfig
from mammo_ray.datasets.phantoms.images import Breast, draw_view
from mammo_ray.dicom.decode import decode_image
from mammo_ray.dicom.encode import encode_frame
from tests.dicom.files import dicom_file

ROWS, COLUMNS, BITS = 4096, 3328, 12
SYNTAXES: dict[str, str] = {
    "uncompressed": ExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG lossless": JPEGLosslessSV1,
    "JPEG 12 bit": JPEGExtended12Bit,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
    "HTJ2K": HTJ2KLossless,
}

Stored = NDArray[np.uint16]


@dataclass(frozen=True)
class Mammogram:
    """One file, and the encoded frame that it holds."""

    path: Path
    frame: bytes


def write_mammograms(folder: Path, films: int = 2) -> dict[str, list[Mammogram]]:
    """The same images in every syntax, by the syntax's name in `SYNTAXES`."""
    written: dict[str, list[Mammogram]] = {name: [] for name in SYNTAXES}
    for number, (stored, photometric) in enumerate(_images(films)):
        for name, syntax in SYNTAXES.items():
            frame = _encoded(stored, syntax)
            path = folder / f"{number}-{syntax}.dcm"
            content = dicom_file(
                stored,
                syntax,
                BITS,
                fragments=[frame],
                PhotometricInterpretation=photometric,
                WindowCenter="2047",
                WindowWidth="4095",
            )
            path.write_bytes(content)
            written[name].append(Mammogram(path, frame))
    return written


def _images(films: int) -> Iterator[tuple[Stored, str]]:
    """Stored values and photometric interpretation of every image."""
    real = os.environ.get("MAMMO_REAL_DATA")
    if not real:
        print("MAMMO_REAL_DATA is unset: phantoms, whose figures say little about real images")
        for number in range(films + 1):
            breast = Breast(0.6, 0.4, density=number % 4, brightness=1.0, muscle=0.4)
            drawn = draw_view(breast, "MLO", (1024, 832), np.random.default_rng(number)).display
            yield _enlarged(drawn * np.float32(4095)), "MONOCHROME2"
        return
    full_field = decode_image((Path(real) / "wg04" / "MG1_J2KI").read_bytes(), DecodeConfig())
    yield _enlarged(full_field.stored.astype(np.float32)), full_field.grayscale.photometric
    paths = sorted((Path(real) / "screening_archive").glob("*/*/*.dcm"))
    for path in paths[:: len(paths) // films][:films]:
        film = decode_image(path.read_bytes(), DecodeConfig())
        yield _enlarged(film.stored.astype(np.float32) * 16), film.grayscale.photometric


def _enlarged(values: NDArray[np.float32]) -> Stored:
    sized = cv2.resize(values, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.rint(sized), 0, (1 << BITS) - 1).astype(np.uint16)


def _encoded(stored: Stored, syntax: str) -> bytes:
    if syntax == JPEGExtended12Bit:
        return bytes(imagecodecs.jpeg8_encode(stored, level=95, bitspersample=BITS))
    if syntax != JPEGLSLossless:
        return encode_frame(stored, syntax, BITS)
    encoded: bytes = get_encoder(UID(syntax)).encode(
        stored,
        encoding_plugin="pyjpegls",
        rows=ROWS,
        columns=COLUMNS,
        samples_per_pixel=1,
        bits_allocated=16,
        bits_stored=BITS,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
    )
    return encoded
