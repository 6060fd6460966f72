"""A phantom of the layout `cbis-ddsm`: the case tables and the DICOM files that they name.

Quirks of the real set: those of its tables; crop and mask in one series folder, and not where the
table's columns say; SeriesDescription that is empty or wrong, so that bit depth and pixels have to
tell crops from masks; masks whose size is not that of their film.
"""

from collections.abc import Mapping
from pathlib import Path

from mammo_ray.datasets.phantoms.cbis.cases import CaseRow
from mammo_ray.datasets.phantoms.cbis.files import (
    TRUTH_COLUMNS,
    FilmJob,
    case_tables,
    draw_files,
    phantom_counts,
    plan_films,
    truth_rows,
    write_tables,
)
from mammo_ray.datasets.phantoms.cbis.headers import file_header
from mammo_ray.datasets.phantoms.cbis.pictures import Place
from mammo_ray.datasets.phantoms.cbis.traps import Swap
from mammo_ray.datasets.phantoms.exams import in_processes
from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    new_folder,
    write_truth,
)
from mammo_ray.datasets.phantoms.vendors import EXPLICIT_LITTLE_ENDIAN
from mammo_ray.dicom.encode import encode_file
from mammo_ray.schema import Kind

# The bit depth of a DICOM file is that of its pixels: it cannot be wrong.
_SWAPS = (Swap.NAMES, Swap.DESCRIPTION)


def write_cbis_ddsm_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of the four case tables with `request.rows` rows in all, and their DICOM files.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make; `tables` is a folder with the four real case tables.

    Raises:
        InputError: the folder holds something, the real tables are not there, or the numbers of
            rows do not fit them.
        StorageError: the disk refused a file.
    """
    tables = case_tables(request)
    with new_folder(out) as folder:
        jobs = plan_films(folder, tables, _locate, _SWAPS, request)
        places = list(in_processes(_write_film, jobs, request.processes))
        write_tables(folder, tables)
    write_truth(out, TRUTH_COLUMNS, truth_rows(jobs, places))
    return phantom_counts(jobs)


def _locate(row: CaseRow, column: Kind) -> str:
    """The files lie where the tables say."""
    return row.paths[column]


def _write_film(job: FilmJob) -> Mapping[str, Place]:
    """The files of one film; where its lesions lie."""
    drawn = draw_files(job)
    for file, pixels in drawn.files:
        header = file_header(file, pixels, job.seed)
        # A code string has no small letters (PS3.5 6.2).
        header["BodyPartExamined"] = str(header["BodyPartExamined"]).upper()
        content = encode_file(header, pixels, EXPLICIT_LITTLE_ENDIAN)
        path = job.folder / str(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return drawn.places
