"""Images of phantom women for layouts of single files: who they are of, drawn and stored."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import get_context
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.findings import draw_findings, second_lesion
from mammo_ray.datasets.phantoms.folder import PhantomRequest
from mammo_ray.datasets.phantoms.headers import image_header
from mammo_ray.datasets.phantoms.images import Circle, Drawing, Lesion, mirror
from mammo_ray.datasets.phantoms.labels import add_label
from mammo_ray.datasets.phantoms.vendors import Vendor
from mammo_ray.datasets.phantoms.women import PlannedImage, Woman, plan_woman

_Job = TypeVar("_Job")
_Made = TypeVar("_Made")

# Starting further processes costs more than they save on fewer images.
_IMAGES_FOR_PROCESSES = 48
_TWO_FINDINGS_EVERY = 3  # women


@dataclass(frozen=True)
class ExamImage:
    """One image that is to be made.

    Attributes:
        index: its place among the images of the phantom, from 0.
        woman: whose image it is; her vendor is the layout's.
        plan: side, view, and place in her study.
    """

    index: int
    woman: Woman
    plan: PlannedImage

    @property
    def lesion(self) -> Lesion | None:
        """The finding in its breast."""
        return self.woman.breasts[self.plan.laterality].lesion

    @property
    def cancer(self) -> int:
        """Whether its breast has a cancer."""
        return int(self.woman.cancer_side == self.plan.laterality)


@dataclass(frozen=True)
class DrawnExam:
    """A picture as it is seen, with every finding in it and its circle."""

    drawing: Drawing
    findings: tuple[tuple[Lesion, Circle], ...]


def draw_exam(image: ExamImage, stream: Sequence[int]) -> DrawnExam:
    """The picture of one image; the chest wall of a right breast is on the right.

    Args:
        image: what to draw; some breasts with a lesion have a second one.
        stream: seeds of the layout's own draws.
    """
    plan, woman = image.plan, image.woman
    lesions = [image.lesion] if image.lesion else []
    if lesions and woman.number % _TWO_FINDINGS_EVERY == 0:
        lesions.append(second_lesion(lesions[0], "B"))
    shape = woman.vendor.shape
    seeds = (*stream, woman.number, plan.number)
    breast = woman.breasts[plan.laterality]
    drawing, findings = draw_findings(breast, lesions, plan.view, shape, seeds)
    if plan.laterality == "R":
        drawing = mirror(drawing)
        findings = [
            (lesion, replace(circle, column=shape[1] - 1 - circle.column))
            for lesion, circle in findings
        ]
    drawing = add_label(drawing, f"{plan.laterality} {plan.view}", film=False)
    return DrawnExam(drawing, tuple(findings))


def exam_header(image: ExamImage, seed: int, removed: frozenset[str]) -> dict[str, object]:
    """The header that a site's machine would write, without what a publisher took out."""
    header = image_header(seed, image.woman, image.plan)
    return {keyword: value for keyword, value in header.items() if keyword not in removed}


def four_view_images(request: PhantomRequest, vendors: Sequence[Vendor]) -> Iterator[ExamImage]:
    """Images without end, the four screening views of one woman after another.

    Args:
        request: gives the seed and the share of cancers.
        vendors: whose machines take turns from woman to woman.
    """
    index = count()
    for number in count():
        vendor = vendors[(number + request.seed) % len(vendors)]
        woman = of_vendor(plan_woman(request.seed, number, request.cancer_share), vendor)
        for plan in woman.images[:4]:
            yield ExamImage(
                next(index), woman, PlannedImage(plan.number, plan.laterality, plan.view)
            )


def of_vendor(woman: Woman, vendor: Vendor) -> Woman:
    """The woman before another machine."""
    return replace(woman, vendor=vendor)


def stable_numbers(
    indices: npt.NDArray[np.int64], seed: int, lowest: int, count: int
) -> npt.NDArray[np.int64]:
    """Numbers without visible order from `lowest` on; different ones for different indices.

    Args:
        indices: below `count`.
        seed: of the phantom.
        lowest: least number that may come.
        count: a prime; how many different numbers there are.
    """
    return lowest + (indices * 7919 + 104729 * (seed + 1)) % count


def in_processes(
    make: Callable[[_Job], _Made], jobs: Sequence[_Job], processes: int
) -> Iterator[_Made]:
    """The results in the order of the jobs, made by at most so many processes."""
    processes = min(processes, os.cpu_count() or 1)
    if processes < 2 or len(jobs) < _IMAGES_FOR_PROCESSES:
        yield from map(make, jobs)
        return
    pool = ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    )
    with pool:
        yield from pool.map(make, jobs, chunksize=8)
