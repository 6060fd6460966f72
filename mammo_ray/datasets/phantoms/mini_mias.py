"""A phantom of the mini-MIAS database: films `mdbNNN.pgm` and an `Info.txt` as the real one.

What is odd about the real one is here: films 2k-1 and 2k are one woman's right and left; the table
stands below prose and counts from the bottom-left corner; a film can have two lines; some
abnormal films have a note instead of coordinates, or nothing.
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
from mammo_ray.datasets.phantoms.images import Breast, Circle, Lesion, mirror
from mammo_ray.datasets.phantoms.labels import add_film_marks, add_label
from mammo_ray.datasets.phantoms.women import plan_woman

TRUTH_COLUMNS = (
    "path", "patient_id", "laterality", "view_position", "cancer", "kind", "tissue", "lines",
    "circles",
)  # fmt: skip

_SIZE = 1024  # rows and columns of a film
_DRAWN = (512, 400)  # rows, columns of a drawing; it is enlarged twofold and centered
_SCALE = _SIZE // _DRAWN[0]
_TISSUE = ("F", "G", "D", "D")
_SECOND_EVERY = 6  # of the masses, one in so many has a second one beside it
_UNPLACED_EVERY = 3  # of the calcifications, one in so many has no coordinates
_STREAM = 10  # of random draws, apart from those that make women

_PROSE = """              A PHANTOM OF THE MINIMAMMOGRAPHIC DATABASE

These films were drawn by a program and show no woman.

=================================================================

INFORMATION:

This file lists the films and provides appropriate details as follows:

1st column: database reference number.

2nd column: Character of background tissue:
                F - Fatty
                G - Fatty-glandular
                D - Dense-glandular

3rd column: Class of abnormality present:
                CALC - Calcification
                CIRC - Well-defined/circumscribed masses
                SPIC - Spiculated masses
                NORM - Normal

4th column: Severity of abnormality;
                B - Benign
                M - Malignant

5th,6th columns: x,y image-coordinates of centre of abnormality.

7th column: Approximate radius (in pixels) of a circle enclosing
\t    the abnormality.

NOTES
=====
1) The list is arranged in pairs of films, where each pair
   represents the left (even filename numbers) and right mammograms
   (odd filename numbers) of a single patient.

2) The size of ALL the images is 1024 pixels x 1024 pixels. The images
   have been centered in the matrix.

3) Coordinate system origin is the bottom-left corner. Where calcifications
   are widely distributed, centre locations and radii have been omitted.

=================================================================

"""


@dataclass(frozen=True)
class _Film:
    """One film that is to be made.

    Attributes:
        number: of its name, from 1.
        breast: what it shows.
        second: a second finding in it.
        placed: whether its coordinates are listed.
        noted: whether a note stands in their place.
    """

    number: int
    breast: Breast
    second: Lesion | None = None
    placed: bool = True
    noted: bool = False

    @property
    def path(self) -> str:
        return f"mdb{self.number:03d}.pgm"

    @property
    def laterality(self) -> str:
        return "R" if self.number % 2 else "L"

    @property
    def lesions(self) -> list[Lesion]:
        return [lesion for lesion in (self.breast.lesion, self.second) if lesion is not None]


def write_mini_mias_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of mini-MIAS with `request.rows` films, two a woman.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make.

    Raises:
        InputError: the folder holds something.
        StorageError: the disk refused a file.
    """
    lines: list[str] = []
    truth: list[tuple[object, ...]] = []
    with new_folder(out) as folder:
        for film in _plan_films(request):
            pixels, circles = _draw_film(film, request.seed)
            _write_pgm(folder / film.path, pixels)
            said = _info_lines(film, circles)
            lines.extend(said)
            truth.append(_truth_row(film, circles, len(said)))
        (folder / "Info.txt").write_text(_PROSE + "\n".join([*lines, ""]), encoding="ascii")
    write_truth(out, TRUTH_COLUMNS, truth)
    return PhantomCounts(images=request.rows, women=(request.rows + 1) // 2)


def _plan_films(request: PhantomRequest) -> Iterator[_Film]:
    """Every film; which ones are odd follows from their order among the abnormal ones."""
    masses = calcifications = 0
    for number in range(1, request.rows + 1):
        woman = plan_woman(request.seed, (number - 1) // 2, request.cancer_share)
        breast = replace(woman.breasts["R" if number % 2 else "L"], implant=False)
        film = _Film(number, breast)
        lesion = breast.lesion
        if lesion is not None and lesion.abnormality == "CALC":
            placed = calcifications % _UNPLACED_EVERY > 0
            film = replace(film, placed=placed, noted=not placed and calcifications % 2 == 0)
            calcifications += 1
        elif lesion is not None:
            if masses % _SECOND_EVERY == 0:
                film = replace(film, second=second_lesion(lesion, lesion.severity))
            masses += 1
        yield film


def _draw_film(film: _Film, seed: int) -> tuple[npt.NDArray[np.uint8], list[Circle]]:
    """Pixels of a film, 1024 x 1024, and the circles of its findings in them."""
    seeds = (seed, _STREAM, film.number)
    drawing, found = draw_findings(film.breast, film.lesions, "MLO", _DRAWN, seeds)
    circles = [circle for _, circle in found]
    if film.laterality == "R":
        drawing = mirror(drawing)
        circles = [replace(c, column=_DRAWN[1] - 1 - c.column) for c in circles]
    marked = add_film_marks(drawing, np.random.default_rng([*seeds, 1]))
    marked = add_label(marked, f"{film.laterality} MLO", film=True)
    large = cv2.resize(marked.display, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    left = (_SIZE - large.shape[1]) // 2
    pixels = np.zeros((_SIZE, _SIZE), np.uint8)
    pixels[:, left : left + large.shape[1]] = np.rint(255 * np.clip(large, 0, 1))
    return pixels, [_enlarged(circle, left) for circle in circles]


def _enlarged(circle: Circle, left: int) -> Circle:
    """A circle of the drawing in the film."""
    middle = _SCALE // 2
    column = left + _SCALE * circle.column + middle
    return Circle(column, _SCALE * circle.row + middle, _SCALE * circle.radius)


def _info_lines(film: _Film, circles: list[Circle]) -> list[str]:
    """The lines of `Info.txt` on a film; the real one has spaces at some ends, too."""
    start = f"mdb{film.number:03d} {_TISSUE[film.breast.density]}"
    if not circles:
        return [f"{start} NORM "]
    lesions = film.lesions[: len(circles)]
    if not film.placed:
        note = " *NOTE 3*" if film.noted else ""
        return [f"{start} {lesions[0].abnormality} {lesions[0].severity}{note}"]
    return [
        f"{start} {lesion.abnormality} {lesion.severity} "
        f"{circle.column} {_SIZE - circle.row} {circle.radius}"
        for lesion, circle in zip(lesions, circles, strict=True)
    ]


def _truth_row(film: _Film, circles: list[Circle], lines: int) -> tuple[object, ...]:
    """One row of the truth; circles are `row column radius`, listed in `Info.txt` or not."""
    malignant = any(lesion.severity == "M" for lesion in film.lesions)
    places = ";".join(f"{circle.row} {circle.column} {circle.radius}" for circle in circles)
    return (
        film.path, f"MIAS{(film.number + 1) // 2:04d}", film.laterality, "MLO", int(malignant),
        "full", _TISSUE[film.breast.density], lines, places,
    )  # fmt: skip


def _write_pgm(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """A binary PGM as the database has them."""
    rows, columns = pixels.shape
    path.write_bytes(b"P5\n%d %d\n255\n" % (columns, rows) + pixels.tobytes())
