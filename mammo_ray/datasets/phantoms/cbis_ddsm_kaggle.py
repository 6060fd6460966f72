"""A phantom of the layout `cbis-ddsm-kaggle`: the JPEG edition with its tables.

Quirks of the real set: the case tables name DICOM files that are not there, so that only series
folders lead to the pictures; `dicom_info.csv` has a path of its own for every file, and a
SeriesDescription that is empty or wrong in places; crops and masks of one folder are told apart by
no name; JPEG puts grays into masks, some of which have another size than their film; one series
that the tables name is missing, and one is there that no table names.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mammo_ray.datasets.phantoms.cbis.cases import (
    CaseRow,
    CaseTable,
    cbis_uid,
    read_jpeg_tree,
    series_of,
)
from mammo_ray.datasets.phantoms.cbis.files import (
    TRUTH_COLUMNS,
    FilmJob,
    Pixels,
    case_tables,
    draw_files,
    phantom_counts,
    plan_films,
    truth_rows,
    write_tables,
)
from mammo_ray.datasets.phantoms.cbis.headers import file_header
from mammo_ray.datasets.phantoms.cbis.invented import invent_jpeg_tree
from mammo_ray.datasets.phantoms.cbis.pictures import Place, draw_film
from mammo_ray.datasets.phantoms.cbis.traps import Swap
from mammo_ray.datasets.phantoms.exams import in_processes
from mammo_ray.datasets.phantoms.folder import (
    PhantomCounts,
    PhantomRequest,
    csv_text,
    new_folder,
    write_truth,
)
from mammo_ray.schema import Kind

INFO_COLUMNS = (
    "file_path", "image_path", "AccessionNumber", "BitsAllocated", "BitsStored",
    "BodyPartExamined", "Columns", "ContentDate", "ContentTime", "ConversionType", "HighBit",
    "InstanceNumber", "LargestImagePixelValue", "Laterality", "Modality", "PatientBirthDate",
    "PatientID", "PatientName", "PatientOrientation", "PatientSex", "PhotometricInterpretation",
    "PixelRepresentation", "ReferringPhysicianName", "Rows", "SOPClassUID", "SOPInstanceUID",
    "SamplesPerPixel", "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName", "SeriesDescription", "SeriesInstanceUID",
    "SeriesNumber", "SmallestImagePixelValue", "SpecificCharacterSet", "StudyDate", "StudyID",
    "StudyInstanceUID", "StudyTime",
)  # fmt: skip
META_COLUMNS = (
    "SeriesInstanceUID", "StudyInstanceUID", "Modality", "SeriesDescription", "BodyPartExamined",
    "SeriesNumber", "Collection", "Visibility", "ImageCount",
)  # fmt: skip

_SWAPS = (Swap.NAMES, Swap.DESCRIPTION, Swap.BITS)
_PREFIX = "CBIS-DDSM"
_QUALITY = 85  # of JPEG: masks get about as many grays as the real ones have

_Info = Mapping[str, object]
_Tree = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class _Written:
    """What became of a film: its rows of `dicom_info.csv`, and where its lesions lie."""

    infos: tuple[_Info, ...]
    places: Mapping[str, Place]


def write_cbis_ddsm_kaggle_phantom(out: Path, request: PhantomRequest) -> PhantomCounts:
    """A phantom of `csv` and `jpeg`, with `request.rows` rows in the four case tables.

    Args:
        out: a folder that is empty or not there; it appears whole or not at all.
        request: what to make; `tables` is a folder with the four real case tables and
            `kaggle_jpeg_tree.csv`, the names of the real files.

    Raises:
        InputError: the folder holds something, the real tables are not there, or the numbers of
            rows do not fit them.
        StorageError: the disk refused a file.
    """
    tables = case_tables(request)
    tree = _jpeg_tree(tables, request)
    with new_folder(out) as folder:
        jobs = plan_films(
            folder, tables, lambda row, column: _locate(row, column, tree), _SWAPS, request
        )
        written = list(in_processes(_write_film, jobs, request.processes))
        _write_unnamed_series(folder, request.seed)
        write_tables(folder / "csv", tables)
        infos = [info for film in written for info in film.infos]
        for name, columns, rows in (
            ("dicom_info.csv", INFO_COLUMNS, infos),
            ("meta.csv", META_COLUMNS, _meta(infos)),
        ):
            content = csv_text(columns, ([row[column] for column in columns] for row in rows))
            (folder / "csv" / name).write_text(content, encoding="ascii")
    write_truth(out, TRUTH_COLUMNS, truth_rows(jobs, (film.places for film in written)))
    return phantom_counts(jobs)


def _jpeg_tree(tables: Sequence[CaseTable], request: PhantomRequest) -> _Tree:
    if request.tables is not None:
        return read_jpeg_tree(request.tables)
    return invent_jpeg_tree(tables, request.seed)


def _locate(row: CaseRow, column: Kind, tree: _Tree) -> str | None:
    """The picture that stands for a file of the table: as many names after it in its folder.

    In the published edition `1-` names stand for `000001.dcm` and `2-` names for `000000.dcm`.
    """
    path = row.paths[column]
    series = series_of(path)
    beside = [other for other in row.paths.values() if series_of(other) == series]
    beside.sort(reverse=True)
    names = tree.get(series, ())
    k = beside.index(path)
    return f"jpeg/{series}/{names[k]}" if k < len(names) else None


def _write_film(job: FilmJob) -> _Written:
    """The pictures of one film."""
    drawn = draw_files(job)
    infos = []
    for file, pixels in drawn.files:
        path = str(file.path)
        _write_jpeg(job.folder / path, pixels)
        dicom = path.replace("jpeg/", "dicom/", 1).removesuffix(".jpg") + ".dcm"
        places = {"file_path": f"{_PREFIX}/{dicom}", "image_path": f"{_PREFIX}/{path}"}
        infos.append({**places, **file_header(file, pixels, job.seed)})
    return _Written(tuple(infos), drawn.places)


def _write_jpeg(path: Path, pixels: Pixels) -> None:
    gray = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    _, content = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(content))


def _write_unnamed_series(folder: Path, seed: int) -> None:
    """A film in a series folder of which no table knows."""
    picture = draw_film(("P_99999", "L", "CC"), (), seed)
    _write_jpeg(folder / "jpeg" / cbis_uid(seed, "unnamed series") / "1-001.jpg", picture.full)


def _meta(infos: Iterable[_Info]) -> Iterator[_Info]:
    """Rows of `meta.csv`: one a series, in the words of its first file."""
    series: defaultdict[object, list[_Info]] = defaultdict(list)
    for info in sorted(infos, key=lambda info: str(info["file_path"])):
        series[info["SeriesInstanceUID"]].append(info)
    for files in series.values():
        more = {"Collection": _PREFIX, "Visibility": 1, "ImageCount": len(files)}
        yield {**files[0], **more}
