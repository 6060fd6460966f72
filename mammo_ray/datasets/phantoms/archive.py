"""A synthetic screening archive: DICOM files, outcomes and lesions, from nothing but a seed.

Laid out as real archives are, `<patient>/<study>/<instance>.dcm`, with `outcomes.csv` and
`lesions.csv` beside the patients. Nothing in a header, a transfer syntax or an image's brightness
tells who has cancer; only the lesion does.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    csv_text,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.headers import (
    image_header,
    patient_id,
    phantom_uid,
)
from mammo_ray.datasets.phantoms.images import Circle, Drawing, draw_view, mirror
from mammo_ray.datasets.phantoms.labels import add_film_marks, add_label
from mammo_ray.datasets.phantoms.vendors import store_pixels
from mammo_ray.datasets.phantoms.women import PlannedImage, Woman, image_rng, plan_woman
from mammo_ray.dicom.encode import encode_file
from mammo_ray.errors import InputError

OUTCOMES_COLUMNS = (
    "patient_id", "laterality", "view_position", "sop_instance_uid", "film", "cancer", "tissue",
    "abnormality",
)  # fmt: skip
LESIONS_COLUMNS = (
    "sop_instance_uid", "film", "abnormality", "severity", "center_column", "center_row",
    "radius_px",
)  # fmt: skip

IMAGES_A_WOMAN = 4

# Tissue in the words of the mini-MIAS database: fatty, fatty-glandular, dense.
_TISSUE = ("F", "G", "D", "D")
_SPOT_FIELD = 0.55  # share of the view that a spot image shows
# Starting further processes costs more than they save on fewer women.
_WOMEN_FOR_PROCESSES = 12


@dataclass(frozen=True)
class PhantomSummary:
    """What an archive holds.

    Attributes:
        women: number of women.
        images: number of images.
        women_with_cancer: number of women with a cancer.
        positive_images: number of images with `cancer` 1.
        lesions: number of circles in `lesions.csv`.
        transfer_syntaxes: images by transfer syntax UID.
        bytes: size of all images.
    """

    women: int
    images: int
    women_with_cancer: int
    positive_images: int
    lesions: int
    transfer_syntaxes: dict[str, int]
    bytes: int


@dataclass(frozen=True)
class _Written:
    """One image that lies on disk: its rows in the tables, its syntax and its size."""

    outcome: tuple[object, ...]
    lesion: tuple[object, ...] | None
    transfer_syntax: str
    bytes: int


def write_phantom_archive(
    out: Path, women: int, seed: int, cancer_share: float = 0.25, processes: int = 2
) -> PhantomSummary:
    """A new archive in the folder `out`; the same arguments give the same bytes.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        women: number of women, at least 1; woman k does not depend on it.
        seed: seed of every random draw, at least 0.
        cancer_share: share of women with a cancer in one breast, 0 to 1.
        processes: at most so many processes draw; they do not change the result.

    Raises:
        InputError: the folder holds something, or a number is out of range.
        StorageError: the disk refused a file; nothing is left under `out`.
    """
    _check(women, seed, cancer_share)
    with new_folder(out) as folder:
        images = list(_write_images(folder, women, seed, cancer_share, processes))
        _write_tables(folder, images)
    return _summarise(women, images)


def write_archive_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """`write_phantom_archive` for a number of images, four a woman; the truth is its outcomes."""
    women = -(-request.rows // IMAGES_A_WOMAN)
    summary = write_phantom_archive(
        out, women, request.seed, request.cancer_share, request.processes
    )
    outcomes = (out / "outcomes.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(io.StringIO(outcomes))
    write_truth(out, header, rows)
    return PhantomCounts(summary.images, summary.women)


def draw_image(seed: int, woman: Woman, image: PlannedImage) -> Drawing:
    """The picture of one image as it is seen, before it is stored."""
    rng = image_rng(seed, woman.number, image.number)
    drawing = draw_view(woman.breasts[image.laterality], image.view, woman.vendor.shape, rng)
    if image.spot:
        drawing = _spot(drawing)
    if woman.vendor.film:
        drawing = add_film_marks(drawing, rng)
    if (image.laterality == "R") != woman.vendor.mirrored:
        drawing = mirror(drawing)
    return add_label(drawing, f"{image.laterality} {image.view}", film=woman.vendor.film)


def _check(women: int, seed: int, cancer_share: float) -> None:
    if women < 1:
        raise InputError(f"an archive has at least 1 woman, not {women}")
    if seed < 0:
        raise InputError(f"a seed is at least 0, not {seed}")
    if not 0 <= cancer_share <= 1:
        raise InputError(f"the share of cancers lies in 0 to 1, not {cancer_share}")


def _write_images(
    folder: Path, women: int, seed: int, cancer_share: float, processes: int
) -> Iterator[_Written]:
    """Every image, in the order of women and images."""
    jobs = [(folder, seed, number, cancer_share) for number in range(women)]
    processes = min(processes, os.cpu_count() or 1)
    if processes < 2 or women < _WOMEN_FOR_PROCESSES:
        for job in jobs:
            yield from _write_woman(job)
        return
    pool = ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    )
    with pool:
        for images in pool.map(_write_woman, jobs, chunksize=2):
            yield from images


def _write_woman(job: tuple[Path, int, int, float]) -> list[_Written]:
    folder, seed, number, cancer_share = job
    woman = plan_woman(seed, number, cancer_share)
    return [_write_image(folder, seed, woman, image) for image in woman.images]


def _write_image(folder: Path, seed: int, woman: Woman, image: PlannedImage) -> _Written:
    drawing = draw_image(seed, woman, image)
    vendor = woman.vendor
    syntax = vendor.transfer_syntaxes[image.number % len(vendor.transfer_syntaxes)]
    stored = store_pixels(drawing.display, drawing.breast, vendor)
    header = image_header(seed, woman, image)
    content = encode_file(header, stored, syntax)
    uid = phantom_uid(seed, woman.number, "image", image.number)
    study = phantom_uid(seed, woman.number, "study")
    path = folder / patient_id(woman) / study[-12:] / f"{uid[-12:]}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    outcome, lesion = _table_rows(woman, image, uid, drawing.circle)
    return _Written(outcome, lesion, syntax, len(content))


def _table_rows(
    woman: Woman, image: PlannedImage, uid: str, circle: Circle | None
) -> tuple[tuple[object, ...], tuple[object, ...] | None]:
    breast = woman.breasts[image.laterality]
    film = f"ph{woman.number + 1:04d}{chr(ord('a') + image.number)}"
    lesion = breast.lesion if circle else None
    outcome = (
        patient_id(woman), image.laterality, image.view, uid, film,
        int(lesion is not None and lesion.severity == "M"), _TISSUE[breast.density],
        lesion.abnormality if lesion else "NORM",
    )  # fmt: skip
    if lesion is None or circle is None:
        return outcome, None
    place = (circle.column, circle.row, circle.radius)
    return outcome, (uid, film, lesion.abnormality, lesion.severity, *place)


def _spot(drawing: Drawing) -> Drawing:
    """The middle of the breast, or the lesion, enlarged to the whole detector."""
    rows, columns = drawing.display.shape
    height, width = round(rows * _SPOT_FIELD), round(columns * _SPOT_FIELD)
    moments = cv2.moments(drawing.breast.astype(np.uint8), binaryImage=True)
    column, row = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    if drawing.circle:
        column, row = drawing.circle.column, drawing.circle.row
    left = int(np.clip(column - width / 2, 0, columns - width))
    top = int(np.clip(row - height / 2, 0, rows - height))
    window = (slice(top, top + height), slice(left, left + width))
    size, scale = (columns, rows), 1 / _SPOT_FIELD
    circle = drawing.circle and Circle(
        round((drawing.circle.column - left) * scale),
        round((drawing.circle.row - top) * scale),
        round(drawing.circle.radius * scale),
    )
    return Drawing(
        cv2.resize(drawing.display[window], size, interpolation=cv2.INTER_CUBIC).clip(0, 1),
        cv2.resize(drawing.breast[window].astype(np.uint8), size) > 0,
        cv2.resize(drawing.muscle[window].astype(np.uint8), size) > 0,
        circle,
    )


def _write_tables(folder: Path, images: list[_Written]) -> None:
    lesions = [image.lesion for image in images if image.lesion is not None]
    for name, columns, rows in (
        ("outcomes.csv", OUTCOMES_COLUMNS, [image.outcome for image in images]),
        ("lesions.csv", LESIONS_COLUMNS, lesions),
    ):
        (folder / name).write_text(csv_text(columns, rows), encoding="utf-8")


def _summarise(women: int, images: list[_Written]) -> PhantomSummary:
    cancer = OUTCOMES_COLUMNS.index("cancer")
    positive = [image for image in images if image.outcome[cancer] == 1]
    return PhantomSummary(
        women=women,
        images=len(images),
        women_with_cancer=len({image.outcome[0] for image in positive}),
        positive_images=len(positive),
        lesions=sum(image.lesion is not None for image in images),
        transfer_syntaxes=dict(sorted(Counter(i.transfer_syntax for i in images).items())),
        bytes=sum(image.bytes for image in images),
    )
