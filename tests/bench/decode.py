"""Decoding of full-size mammograms: every guard included, against the codec alone and pydicom.

    python -m tests.bench.decode --rounds 3

CPU milliseconds an image. `earlier` are the figures of pydicom that the project was planned with,
on another day and another machine: only ratios of one run compare. It ends with exit code 1 where
decoding costs over a tenth more than the bare codec call.
"""

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np

from mammo_ray.config import DecodeConfig
from mammo_ray.dicom.decode import decode_image
from tests.bench import notebook
from tests.bench.cpu_time import Rounds, measure
from tests.bench.mammograms import Mammogram, write_mammograms

_MOST = 1.10  # of the bare codec's time
_FAST_ROUNDS = 3  # rounds of the fast syntaxes for one of the slow

# How the bytes of a frame become samples with nothing around it.
CODECS: dict[str, Callable[[bytes], object]] = {
    "uncompressed": lambda frame: np.frombuffer(frame, "<u2").copy(),
    "RLE": lambda frame: imagecodecs.dicomrle_decode(frame, np.dtype("u2")),
    "JPEG lossless": imagecodecs.jpeg8_decode,
    "JPEG 12 bit": imagecodecs.jpeg8_decode,
    "JPEG-LS": imagecodecs.jpegls_decode,
    "JPEG 2000": functools.partial(imagecodecs.jpeg2k_decode, numthreads=1),
    "HTJ2K": imagecodecs.htj2k_decode,
}
_EARLIER = {
    "uncompressed": 18,
    "RLE": 58,
    "JPEG lossless": 285,
    "JPEG 12 bit": 199,
    "JPEG-LS": 300,
    "JPEG 2000": 928,
    "HTJ2K": 123,
}
_SLOW = {"JPEG 2000"}
# A copy of the bytes is no codec: its ratio is printed and has no target.
_COPIES = {"uncompressed"}


def main() -> None:
    """Print one row a syntax, and exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    notebook.require_decoders()
    with tempfile.TemporaryDirectory() as folder:
        missed = _measure(Path(folder), options.rounds)
    if missed:
        print(f"more than {_MOST:.2f} of the bare codec: {', '.join(missed)}")
        sys.exit(1)


def _measure(folder: Path, rounds: int) -> list[str]:
    mammograms = write_mammograms(folder)
    print(f"{'':14}{'codec':>8}{'ours':>8}  {'ours / codec':22}{'pydicom':>8}{'earlier':>9}  ratio")
    missed = []
    for syntax, images in mammograms.items():
        count = rounds if syntax in _SLOW else rounds * _FAST_ROUNDS
        near = _against_codec(syntax, images, count)
        far = _against_pydicom(images, 2)
        ratio = near.ratio("ours", "codec")
        print(
            f"{syntax:14}{near.milliseconds('codec'):8.1f}{near.milliseconds('ours'):8.1f}  "
            f"{ratio!s:22}{far.milliseconds('pydicom'):8.0f}{_EARLIER[syntax]:9}  "
            f"{far.ratio('pydicom', 'ours').median:.1f}",
            flush=True,
        )
        if ratio.median > _MOST and syntax not in _COPIES:
            missed.append(syntax)
    return missed


def _ours(image: Mammogram) -> Callable[[], object]:
    return functools.partial(decode_image, image.path.read_bytes(), DecodeConfig())


def _against_codec(syntax: str, images: list[Mammogram], rounds: int) -> Rounds:
    ways = {
        "codec": [functools.partial(CODECS[syntax], image.frame) for image in images],
        "ours": [_ours(image) for image in images],
    }
    return measure(ways, rounds)


def _against_pydicom(images: list[Mammogram], rounds: int) -> Rounds:
    ways = {
        "pydicom": [functools.partial(notebook.decode, image.path) for image in images],
        "ours": [_ours(image) for image in images],
    }
    return measure(ways, rounds)


if __name__ == "__main__":
    main()
