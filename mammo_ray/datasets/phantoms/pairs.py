"""A phantom of the layout `pairs`: images and masks, by sibling folders and by suffixes.

Masks have two classes, benign (gray value 128) and malignant (255). In `folders` an image has one
mask with all its findings, in `suffixes` one for each. One image has no mask, and one mask has
half the size of its image.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.findings import draw_findings, second_lesion
from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.images import Circle, Lesion, mirror
from mammo_ray.datasets.phantoms.texture import Image
from mammo_ray.datasets.phantoms.women import Woman, plan_woman

TRUTH_COLUMNS = (
    "path", "patient_id", "laterality", "view_position", "cancer", "kind", "masks", "circles",
)  # fmt: skip
CLASS_VALUES = {"B": 128, "M": 255}

_SHAPE = (400, 336)  # rows, columns
_STREAM = 12  # of random draws, apart from those that make women
_HALF_SIZE, _WITHOUT_MASK = 1, 2  # numbers of these images
_SECOND_EVERY = 3  # of the images, one in so many has two findings
_TEST_EVERY = 4  # of the women in `folders`

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _PlannedImage:
    """One image that is to be made.

    Attributes:
        number: from 0; two a woman.
        woman: whose image it is.
    """

    number: int
    woman: Woman

    @property
    def laterality(self) -> str:
        """L or R."""
        return "L" if self.number % 2 else "R"

    @property
    def in_folders(self) -> bool:
        """Whether image and masks lie in sibling folders."""
        return self.woman.number % 2 == 0

    @property
    def name(self) -> str:
        """Its name without suffix."""
        return f"case{self.woman.number + 1:04d}{self.laterality.lower()}"

    @property
    def folder(self) -> str:
        """Folder of images and masks, or of their two folders."""
        if not self.in_folders:
            return "suffixes"
        test = self.woman.number // 2 % _TEST_EVERY == 1
        return "folders/test" if test else "folders/train"

    @property
    def path(self) -> str:
        """Where the image lies below the root."""
        if self.in_folders:
            return f"{self.folder}/images/{self.name}.jpg"
        return f"{self.folder}/{self.name}.png"

    def mask_paths(self, count: int) -> list[str]:
        """Where its masks lie below the root.

        Args:
            count: of its findings.
        """
        if self.number == _WITHOUT_MASK:
            return []
        if self.in_folders:
            return [f"{self.folder}/masks/{self.name}.png"]
        endings = ["_mask", *(f"_mask_{k}" for k in range(1, count))]
        return [f"{self.folder}/{self.name}{ending}.png" for ending in endings]


def write_pairs_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of images and masks with `request.rows` images, each with a finding.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make.

    Raises:
        InputError: the folder holds something.
        StorageError: the disk refused a file.
    """
    truth = []
    with new_folder(out) as folder:
        for image in _plan_images(request):
            display, found = _draw(image, request.seed)
            paths = image.mask_paths(len(found))
            _write(folder / image.path, np.rint(255 * display).astype(np.uint8))
            for path, mask in zip(paths, _masks(image, found), strict=False):
                _write(folder / path, mask)
            truth.append(_truth_row(image, paths, found))
    write_truth(out, TRUTH_COLUMNS, truth)
    return PhantomCounts(images=request.rows, women=(request.rows + 1) // 2)


def _plan_images(request: PhantomRequest) -> Iterator[_PlannedImage]:
    for number in range(request.rows):
        yield _PlannedImage(number, plan_woman(request.seed, number // 2, request.cancer_share))


def _draw(image: _PlannedImage, seed: int) -> tuple[Image, list[tuple[Lesion, Circle]]]:
    """What an image shows, 0 to 1, and its findings; a healthy breast gets a benign one."""
    breast = replace(image.woman.breasts[image.laterality], implant=False)
    rng = np.random.default_rng([seed, _STREAM, image.number])
    place = {"depth": rng.uniform(0.3, 0.75), "height": rng.uniform(-0.8, 0.8)}
    lesions = [breast.lesion or Lesion("CIRC", "B", radius=rng.uniform(0.06, 0.1), **place)]
    if image.number % _SECOND_EVERY == 0:
        other = {"M": "B", "B": "M"}[lesions[0].severity] if image.woman.cancer_side else "B"
        lesions.append(second_lesion(lesions[0], other))
    seeds = (seed, _STREAM, image.number, 0)
    drawing, found = draw_findings(breast, lesions, "MLO", _SHAPE, seeds)
    if image.laterality == "L":
        return drawing.display, found
    last = _SHAPE[1] - 1
    turned = [(lesion, replace(at, column=last - at.column)) for lesion, at in found]
    return mirror(drawing).display, turned


def _masks(image: _PlannedImage, found: list[tuple[Lesion, Circle]]) -> list[Pixels]:
    """The masks of an image: one of all findings in `folders`, one each in `suffixes`."""
    groups = [found] if image.in_folders else [[finding] for finding in found]
    masks = [_mask(group) for group in groups]
    if image.number == _HALF_SIZE:
        half = (_SHAPE[1] // 2, _SHAPE[0] // 2)
        masks = [cv2.resize(m, half, interpolation=cv2.INTER_NEAREST) for m in masks]
    return masks


def _mask(found: list[tuple[Lesion, Circle]]) -> Pixels:
    mask = np.zeros(_SHAPE, np.uint8)
    for lesion, circle in found:
        center = (circle.column, circle.row)
        cv2.circle(mask, center, circle.radius, CLASS_VALUES[lesion.severity], cv2.FILLED)
    return mask


def _write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _, content = cv2.imencode(path.suffix, pixels)
    path.write_bytes(bytes(content))


def _truth_row(
    image: _PlannedImage, masks: list[str], found: list[tuple[Lesion, Circle]]
) -> tuple[object, ...]:
    """One row of the truth; circles are `class row column radius`."""
    malignant = any(lesion.severity == "M" for lesion, _ in found)
    circles = [f"{lesion.severity} {c.row} {c.column} {c.radius}" for lesion, c in found]
    woman = f"woman{image.woman.number + 1:04d}"
    return (
        image.path, woman, image.laterality, "MLO", int(malignant), "full", ";".join(masks),
        ";".join(circles),
    )  # fmt: skip
