"""Layout `cbis-ddsm`: the DICOM edition of CBIS-DDSM from The Cancer Imaging Archive.

`<case>/<study uid>/<series uid>/000000.dcm` as the four case tables say, below any folder; newer
downloads have other file names (`1-1.dcm`) and some folders of dates and descriptions instead of
UIDs. So every header is opened: a file belongs to the series that header or folder name, else to
the case that PatientID (0010,0020) or folder name. Pixels tell crop from mask.

A study of CBIS-DDSM is one file: `study_uid` stays null, and an exam is all films of a patient.
"""

from collections.abc import Iterable
from typing import Final

from mammo_ray.datasets.cbis.case_names import case_in_path
from mammo_ray.datasets.cbis.files import by_header, folder_of
from mammo_ray.datasets.cbis.reader import CbisReader
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Look, Request, Source
from mammo_ray.storage import StoredFile

_IMAGES: Final = (".dcm", ".dicom")
_EXPECTED: Final = "<case>/<study uid>/<series uid>/<file>.dcm"


class CbisDdsmReader(CbisReader):
    """One row a film file and one a crop; masks stand in the rows of their films."""

    bits_tell = True

    def __init__(self, source: Source) -> None:
        super().__init__(source, _IMAGES, _EXPECTED)

    def requests(self) -> Iterable[Request]:
        """Every header; pixels of what is not known to be a full film."""
        return [Request(file, self._look(file)) for file in self.images]

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest of the tables' films and crops."""
        return self.account(by_header(self.images, self.series, examined), examined)

    def _look(self, file: StoredFile) -> Look:
        series, case = folder_of(file), case_in_path(file.relative_path)
        if series in self.series:
            return Look.HEADER if series in self.series.films else Look.PIXELS
        is_film = case is not None and case.number is None
        return Look.HEADER if is_film else Look.PIXELS
