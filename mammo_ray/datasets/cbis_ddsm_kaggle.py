"""Layout `cbis-ddsm-kaggle`: the JPEG edition of CBIS-DDSM that people download from Kaggle.

`jpeg/<series uid>/<file>.jpg`, the four case tables, `dicom_info.csv` and `meta.csv`. The case
tables hold the paths of the DICOM edition and their file names never match: files are found by
the Series Instance UID, their folder. `dicom_info.csv` tells crop from mask only where all that it
says agrees, pixels tell the others; without it pixels tell all. `meta.csv` adds nothing.

A study of CBIS-DDSM is one file: `study_uid` stays null, and an exam is all films of a patient.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mammo_ray.datasets.cbis.dicom_info import read_dicom_info, texts_of
from mammo_ray.datasets.cbis.files import by_folder, folder_of
from mammo_ray.datasets.cbis.paths import KnownFiles, resolve_paths
from mammo_ray.datasets.cbis.reader import CbisReader
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Look, Request, Source, seen_names
from mammo_ray.errors import InputError

_IMAGES: Final = (".jpg", ".jpeg", ".png")
_EXPECTED: Final = "jpeg/<series uid>/<file>.jpg with series of the case tables"


class CbisDdsmKaggleReader(CbisReader):
    """One row a film file and one a crop; masks stand in the rows of their films."""

    bits_tell = False

    def __init__(self, source: Source) -> None:
        super().__init__(source, _IMAGES, _EXPECTED)
        by_series = by_folder(self.images, self.series)
        if not by_series:
            seen = seen_names(replace(source, tables=None))
            raise InputError(f"no image of the tables is there; expected {_EXPECTED}, seen: {seen}")
        texts = texts_of(read_dicom_info(source), self.images)
        cases = {uri: text.case for uri, text in texts.items() if text.case is not None}
        evidence = {uri: text.evidence for uri, text in texts.items()}
        self._known = KnownFiles(by_series, cases, evidence)

    def requests(self) -> Iterable[Request]:
        """Every image of the tables, its pixels where no text tells what it is."""
        pixels = resolve_paths(self.lesions, self._known).need_pixels()
        named = [file for files in self._known.by_series.values() for file in files]
        return [Request(file, Look.PIXELS if file.uri in pixels else Look.HEADER) for file in named]

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest of the tables' films and crops."""
        unopened = [file for file in self.images if folder_of(file) not in self.series]
        return self.account(self._known, examined, unopened)
