"""The files of a CBIS-DDSM phantom: what lies where, with which trap, and what it shows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mammo_ray.datasets.phantoms.cbis.cases import (
    TABLES,
    CaseRow,
    CaseTable,
    FilmKey,
    choose_rows,
    read_case_tables,
)
from mammo_ray.datasets.phantoms.cbis.invented import invent_case_tables
from mammo_ray.datasets.phantoms.cbis.pictures import Place, draw_film, place_of
from mammo_ray.datasets.phantoms.cbis.traps import (
    RowTraps,
    Swap,
    is_undescribed_film,
    plan_traps,
    scaled_mask,
)
from mammo_ray.datasets.phantoms.folder import PhantomCounts, PhantomRequest
from mammo_ray.errors import InputError
from mammo_ray.schema import Kind

# One line a file that a row of the case tables should have. `row` is table and row number; `path`
# is empty where no such file is there; `trap` names the traps of the file, with `+` between them.
# Center and box (inclusive) of the lesion are pixels of the full film, from its top-left corner.
TRUTH_COLUMNS = (
    "row", "role", "path", "trap", "patient_id", "laterality", "view_position", "cancer", "kind",
    "split", "center_row", "center_column", "top", "left", "bottom", "right",
)  # fmt: skip
ROLES = (Kind.FULL, Kind.CROP, Kind.MASK)

_MASK_TOP = 255

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Locate = Callable[[CaseRow, Kind], str | None]
"""Row and column of its table -> path of the file that lies there, None where none does."""


@dataclass(frozen=True)
class PlannedFile:
    """One file that a row of the case tables should have.

    Attributes:
        row: the row; several rows of one film share its full image.
        role: what the file shows.
        path: where it lies below the root; None: it is missing.
        traps: those of the row.
        undescribed: whether its SeriesDescription is empty.
    """

    row: CaseRow
    role: Kind
    path: str | None
    traps: RowTraps
    undescribed: bool

    @property
    def trap(self) -> str:
        """What is wrong about the file, in the words of the truth; empty: nothing."""
        if self.path is None:
            return "missing"
        words: list[str | None] = ["no-description" if self.undescribed else None]
        if self.role is not Kind.FULL:
            words.append(self.traps.swap)
        if self.role is Kind.MASK:
            words.append(self.traps.mask_word)
        return "+".join(word for word in words if word)


@dataclass(frozen=True)
class FilmJob:
    """One film, all its files, and where they go."""

    folder: Path
    seed: int
    files: tuple[PlannedFile, ...]

    @property
    def rows(self) -> tuple[CaseRow, ...]:
        """One row a lesion of the film."""
        return tuple(file.row for file in self.files if file.role is Kind.FULL)

    @property
    def film(self) -> FilmKey:
        """Patient, side and view."""
        return self.files[0].row.film


@dataclass(frozen=True)
class DrawnFilm:
    """What a film's files show.

    Attributes:
        files: each file that is there, once, with its pixels (rows, columns): 16 bits, a mask 8.
        places: where every lesion lies in the full film, by the label of its row.
    """

    files: tuple[tuple[PlannedFile, Pixels], ...]
    places: Mapping[str, Place]


def case_tables(request: PhantomRequest) -> list[CaseTable]:
    """The four case tables of a phantom: rows of the real ones, or invented.

    Raises:
        InputError: fewer rows than tables or more than there are, or no real tables in the folder.
    """
    if request.tables is not None:
        return choose_rows(read_case_tables(request.tables), request.rows, request.seed)
    if request.rows < len(TABLES):
        raise InputError(f"this phantom has at least {len(TABLES)} rows, not {request.rows}")
    return invent_case_tables(request.rows, request.seed, request.cancer_share)


def write_tables(folder: Path, tables: Iterable[CaseTable]) -> None:
    """The case tables as files of that folder."""
    folder.mkdir(exist_ok=True)
    for table in tables:
        (folder / f"{table.name}.csv").write_bytes(table.content)


def plan_films(
    folder: Path,
    tables: Sequence[CaseTable],
    locate: Locate,
    swaps: Sequence[Swap],
    request: PhantomRequest,
) -> list[FilmJob]:
    """The files of every film.

    Args:
        folder: root of the phantom.
        tables: its rows.
        locate: where the file of a table's column lies in this edition.
        swaps: how crop and mask are interchanged, one after the other.
        request: its seed and the number of rows that are swapped.

    Raises:
        InputError: more rows are to be swapped than have both files.
    """
    rows = [row for table in tables for row in table.rows]
    whole = [row for row in rows if locate(row, Kind.CROP) and locate(row, Kind.MASK)]
    traps = plan_traps(whole, request.swapped, swaps, request.seed)
    films: defaultdict[FilmKey, list[PlannedFile]] = defaultdict(list)
    for row in rows:
        row_traps = traps.get(row.label, RowTraps())
        films[row.film].extend(_row_files(row, row_traps, locate, request.seed))
    return [FilmJob(folder, request.seed, tuple(files)) for files in films.values()]


def draw_files(job: FilmJob) -> DrawnFilm:
    """The pixels of every file of a film."""
    picture = draw_film(job.film, job.rows, job.seed)
    lesions = dict(zip((row.label for row in job.rows), picture.lesions, strict=True))
    drawn: dict[str, tuple[PlannedFile, Pixels]] = {}
    for file in job.files:
        lesion = lesions[file.row.label]
        if file.path is None or file.path in drawn:
            continue
        pixels: Pixels = picture.full
        if file.role is Kind.CROP:
            pixels = lesion.crop
        elif file.role is Kind.MASK:
            mask = scaled_mask(lesion.mask, file.traps.mask_scale)
            pixels = mask.astype(np.uint8) * np.uint8(_MASK_TOP)
        drawn[file.path] = (file, pixels)
    places = {label: place_of(lesion.mask) for label, lesion in lesions.items()}
    return DrawnFilm(tuple(drawn.values()), places)


def truth_rows(
    jobs: Iterable[FilmJob], places: Iterable[Mapping[str, Place]]
) -> Iterator[tuple[object, ...]]:
    """Rows of `TRUTH_COLUMNS`; a full image has a cancer where any row of its film has one."""
    jobs = list(jobs)
    malignant = {row.film for job in jobs for row in job.rows if row.malignant}
    for job, place_by_row in zip(jobs, places, strict=True):
        for file in job.files:
            row, place = file.row, place_by_row[file.row.label]
            whole = file.role is Kind.FULL
            cancer = row.film in malignant if whole else row.malignant
            yield (
                row.label, file.role, file.path or "", file.trap, row.patient_id, row.laterality,
                row.view_position, int(cancer), file.role, row.split, place.row, place.column,
                place.top, place.left, place.bottom, place.right,
            )  # fmt: skip


def phantom_counts(jobs: Iterable[FilmJob]) -> PhantomCounts:
    """Full films and crops that are there, and the women they are of."""
    files = [file for job in jobs for file in job.files]
    images = {file.path for file in files if file.role is not Kind.MASK and file.path}
    return PhantomCounts(len(images), len({file.row.patient_id for file in files}))


def _row_files(row: CaseRow, traps: RowTraps, locate: Locate, seed: int) -> Iterator[PlannedFile]:
    columns = {role: role for role in ROLES}
    if traps.swap is not None:
        columns |= {Kind.CROP: Kind.MASK, Kind.MASK: Kind.CROP}
    undescribed = {
        Kind.FULL: is_undescribed_film(row.paths[Kind.FULL], seed),
        Kind.CROP: traps.undescribed_crop,
        Kind.MASK: traps.undescribed_mask,
    }
    for role in ROLES:
        yield PlannedFile(row, role, locate(row, columns[role]), traps, undescribed[role])
