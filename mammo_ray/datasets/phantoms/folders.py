"""A phantom of the layout `folders`: `train|valid|test/0|1/*` in many file formats.

Its trap is that of many sets on Kaggle: some images went through Roboflow, which put copies of one
image (one as it was, one changed) into train and another one into test.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.images import draw_view, mirror
from mammo_ray.datasets.phantoms.labels import add_label
from mammo_ray.datasets.phantoms.texture import Image
from mammo_ray.datasets.phantoms.women import STANDARD_VIEWS, Woman, plan_woman

TRUTH_COLUMNS = (
    "path", "patient_id", "laterality", "view_position", "cancer", "kind", "split", "original",
)  # fmt: skip
# What `data.folders.pattern` may be for this phantom.
NAME_PATTERN = r"(?P<patient_id>P\d+)_(?P<laterality>[LR])_(?P<view_position>[A-Z]+)"

_SHAPE = (400, 336)  # rows, columns
_STREAM = 11  # of random draws, apart from those that make women
# Suffix and bits, taken in turn: nothing in a format tells who has cancer.
_FORMATS = ((".png", 8), (".png", 16), (".jpg", 8), (".pgm", 8), (".tiff", 16), (".tif", 8))
# Women with a cancer in turn, and women without, so that small sets have both in every split.
_SPLITS = ("train", "test", "valid", "train", "train")
_COPIED_EVERY, _FIRST_COPIED = 13, 2  # images that went through Roboflow
_README = "Images drawn by a program; they show no woman. Class 1 is cancer.\n"


@dataclass(frozen=True)
class _PlannedFile:
    """One file that is to be made.

    Attributes:
        number: of its image, from 0; copies share it.
        woman: whose image it is.
        laterality: L or R.
        view: CC or MLO.
        split: train, valid or test.
        copy: number among the copies of its image; None: no copy.
    """

    number: int
    woman: Woman
    laterality: str
    view: str
    split: str
    copy: int | None = None

    @property
    def original(self) -> str:
        """Name of its image, without suffix."""
        return f"P{self.woman.number + 1:04d}_{self.laterality}_{self.view}"

    @property
    def cancer(self) -> int:
        """Whether its breast has a cancer."""
        return int(self.woman.cancer_side == self.laterality)

    @property
    def path(self) -> str:
        """Where it lies below the root."""
        suffix, _ = _FORMATS[self.number % len(_FORMATS)]
        name = self.original
        if self.copy is not None:
            digest = hashlib.md5(f"{name} {self.copy}".encode(), usedforsecurity=False).hexdigest()
            name = f"{name}_{suffix[1:]}.rf.{digest}"
        return f"{self.split}/{self.cancer}/{name}{suffix}"


def write_folders_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of class folders with `request.rows` files.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make.

    Raises:
        InputError: the folder holds something.
        StorageError: the disk refused a file.
    """
    files = list(islice(_plan_files(request), request.rows))
    with new_folder(out) as folder:
        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_encode(_draw(file, request.seed), file.number))
        (folder / "README.dataset.txt").write_text(_README, encoding="ascii")
    write_truth(out, TRUTH_COLUMNS, map(_truth_row, files))
    return PhantomCounts(len(files), len({file.woman.number for file in files}))


def _plan_files(request: PhantomRequest) -> Iterator[_PlannedFile]:
    """Files without end: four images a woman, copies of some in train and test."""
    seen = {True: 0, False: 0}
    numbers = count()
    for woman in (plan_woman(request.seed, k, request.cancer_share) for k in count()):
        cancer = woman.cancer_side is not None
        split = _SPLITS[seen[cancer] % len(_SPLITS)]
        seen[cancer] += 1
        for (side, view), number in zip(STANDARD_VIEWS, numbers, strict=False):
            if number % _COPIED_EVERY == _FIRST_COPIED:
                for copy, place in enumerate(("train", "train", "test")):
                    yield _PlannedFile(number, woman, side, view, place, copy)
            else:
                yield _PlannedFile(number, woman, side, view, split)


def _draw(file: _PlannedFile, seed: int) -> Image:
    """What a file shows, 0 to 1; the second copy of an image is mirrored and brighter."""
    rng = np.random.default_rng([seed, _STREAM, file.number])
    drawing = draw_view(file.woman.breasts[file.laterality], file.view, _SHAPE, rng)
    if file.laterality == "R":
        drawing = mirror(drawing)
    drawing = add_label(drawing, f"{file.laterality} {file.view}", film=False)
    if file.copy != 1:
        return drawing.display
    return np.asarray(np.clip(1.15 * drawing.display[:, ::-1], 0, 1), np.float32)


def _encode(display: Image, number: int) -> bytes:
    """A file in the format of an image's number."""
    suffix, bits = _FORMATS[number % len(_FORMATS)]
    top = (1 << bits) - 1
    pixels: npt.NDArray[np.uint16] = np.rint(display * top).astype(np.uint16)
    _, content = cv2.imencode(suffix, pixels if bits > 8 else pixels.astype(np.uint8))
    return bytes(content)


def _truth_row(file: _PlannedFile) -> tuple[object, ...]:
    return (
        file.path, f"P{file.woman.number + 1:04d}", file.laterality, file.view, file.cancer, "full",
        file.split, file.original,
    )  # fmt: skip
