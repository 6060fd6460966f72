"""The layouts that can be read, and what a folder looks like when it is not the one expected."""

import re
from collections.abc import Callable
from typing import Final

from mammo_ray.datasets.archive import ArchiveReader
from mammo_ray.datasets.cbis_ddsm import CbisDdsmReader
from mammo_ray.datasets.cbis_ddsm_kaggle import CbisDdsmKaggleReader
from mammo_ray.datasets.folders import FoldersReader
from mammo_ray.datasets.inbreast import InbreastReader
from mammo_ray.datasets.mini_mias import MiniMiasReader
from mammo_ray.datasets.pairs import PairsReader
from mammo_ray.datasets.rsna import RsnaReader
from mammo_ray.datasets.source import FileIndex, Reader, Source
from mammo_ray.datasets.vindr import VindrReader
from mammo_ray.errors import InputError
from mammo_ray.schema import Layout

_CLASS_FOLDER = re.compile(r"(^|/)(train|valid|test)/[01]/[^/]+$")

# A layout's reader, in the order in which a folder is compared with them; `archive` takes any.
READERS: Final[dict[Layout, Callable[[Source], Reader]]] = {
    Layout.CBIS_DDSM: CbisDdsmReader,
    Layout.CBIS_DDSM_KAGGLE: CbisDdsmKaggleReader,
    Layout.RSNA: RsnaReader,
    Layout.VINDR: VindrReader,
    Layout.INBREAST: InbreastReader,
    Layout.MINI_MIAS: MiniMiasReader,
    Layout.FOLDERS: FoldersReader,
    Layout.PAIRS: PairsReader,
    Layout.ARCHIVE: ArchiveReader,
}


def open_reader(layout: Layout, source: Source) -> Reader:
    """The reader of a data set.

    Raises:
        InputError: the folder is not of the layout: says what was expected, what is there, and
            which layout it looks like.
    """
    try:
        return READERS[layout](source)
    except InputError as error:
        likely = looks_like(source.index)
        if likely is None or likely == layout:
            raise
        raise InputError(f"{error}; this looks like the layout {likely}") from error


def looks_like(index: FileIndex) -> Layout | None:
    """The layout that the names of a listing speak for, None where they do not tell."""
    names = {file.relative_path.lower() for file in index.files}
    ends = {name.rpartition("/")[2] for name in names}
    tests: list[tuple[Layout, bool]] = [
        (Layout.CBIS_DDSM_KAGGLE, "dicom_info.csv" in ends),
        (Layout.CBIS_DDSM, any("_case_description_" in name for name in ends)),
        (Layout.VINDR, "breast-level_annotations.csv" in ends),
        (Layout.RSNA, "train.csv" in ends and any("train_images/" in name for name in names)),
        (Layout.INBREAST, "inbreast.csv" in ends),
        (Layout.MINI_MIAS, "info.txt" in ends and any(name.endswith(".pgm") for name in ends)),
        (Layout.FOLDERS, any(_CLASS_FOLDER.search(name) for name in names)),
        (Layout.PAIRS, any("mask" in name for name in names)),
        (Layout.ARCHIVE, any(name.endswith(".dcm") for name in ends)),
    ]
    return next((layout for layout, fits in tests if fits), None)
