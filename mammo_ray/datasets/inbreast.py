"""Layout `inbreast`: INbreast (I C Moreira et al., Academic Radiology 2012).

`INbreast.csv` (separated by `;`), `AllDICOMs/<file name>_<patient>_MG_<R|L>_<CC|ML>_ANON.dcm`,
`AllXML/<file name>.xml`. The table says `removed` for patient and age: who belongs together only
the file names tell, so `patient_id` is the pseudonym in the name, and a table without its files has
no patients. `ML` in a file name means MLO. Labels are readings (BI-RADS, as text: `4a`), never
`cancer`. `study_date` is the month that the table gives (YYYYMM). `INbreast.xls` is not read.

Lesions come from the XML (see `inbreast_xml`). No XML for an image means that nothing was drawn in
it: an empty list. A broken XML is rejected (`annotation-invalid`, its detail names the image), and
the image keeps its row with null lists: its lesions are unknown. So they are where the listing
holds no XML at all, and where only tables may be opened. A mask image (a name that starts with the
image's, below a folder named for masks or ROIs) stands in for lesions that are unknown; beside a
good XML it would only repeat it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.checked_table import CheckedTable
from mammo_ray.datasets.inbreast_drawings import read_drawings
from mammo_ray.datasets.manifest import Manifest, Row, rejected_row
from mammo_ray.datasets.source import FileIndex, Request, Source, find_table
from mammo_ray.datasets.tabled_images import match_files, other_files, require_found, settle
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import Kind, LabelLevel, LabelSource, Laterality, RejectionReason
from mammo_ray.storage import StoredFile

COLUMNS: Final = (
    "Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR",
    "Bi-Rads",
)  # fmt: skip

_NAME = re.compile(
    r"(?P<image>\d+)_(?P<patient>[0-9a-f]+)_MG_(?P<side>[RL])_(?P<view>CC|MLO?)_ANON", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+")
_SIDES = {str(side): str(side) for side in (Laterality.LEFT, Laterality.RIGHT)}
_VIEWS = {"CC": "CC", "MLO": "MLO", "ML": "MLO"}
_ASSESSMENTS = {word: word.lower() for word in ("0", "1", "2", "3", "4", "5", "6", "4a", "4b", "4c",
                                                "4A", "4B", "4C")}  # fmt: skip
_DENSITIES = {word: word for word in "1234"}
_MONTH = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])")
_SAID = ("laterality", "view_position")


class InbreastReader:
    """One row a DICOM file of the table, its lesions from the XML of the same name."""

    def __init__(self, source: Source) -> None:
        self._source = source
        table = CheckedTable.read(find_table(source, "INbreast.csv"), COLUMNS, separator=";")
        self._images: list[str] = table.unique("File Name").to_pylist()
        expected = [f"AllDICOMs/{image}.dcm" for image in self._images]
        self._match = match_files(self._images, expected, _numbered_files(source.index))
        require_found(
            source, self._match, "AllDICOMs/<file name>_<patient>_MG_<R|L>_<CC|ML>_ANON.dcm"
        )
        names = [_name_of(file) if file else None for file in self._match.files]
        self._labels = _labels(table, [name and name["patient"] for name in names])
        self._misnamed = {
            file.uri: fault
            for file, name, row in zip(
                self._match.files, names, self._labels.select(list(_SAID)).to_pylist(), strict=True
            )
            if file and (fault := _contradiction(name, row))
        }

    def requests(self) -> Iterable[Request]:
        """The header of every image of the table."""
        return self._match.requests()

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest: headers joined with the table and the lesions of the XML files."""
        drawings = read_drawings(self._source, self._images, self._match.files)
        labels = self._labels
        for name, column in drawings.columns().items():
            labels = labels.append_column(name, column)
        apart = {str(row["uri"]) for row in (*drawings.exclusions, *drawings.rejections)}
        others = [*drawings.exclusions, *other_files(self._source, self._match, apart)]
        sound = _without_misnamed(examined, self._misnamed)
        settled = settle(self._source, labels, self._match, sound, others)
        faults = Manifest.of_rows((), (), drawings.rejections).rejections
        return Manifest(
            settled.rows, settled.exclusions, pa.concat_tables([settled.rejections, faults])
        )


def _numbered_files(index: FileIndex) -> Iterator[tuple[str, StoredFile]]:
    """DICOM files by the number that their name starts with; names of the layout go first."""
    named: set[str] = set()
    others = []
    for file in index.with_suffix(".dcm"):
        name = _name_of(file)
        number = _NUMBER.match(PurePosixPath(file.relative_path).stem)
        if name is not None:
            named.add(name["image"])
            yield name["image"], file
        elif number is not None:
            others.append((number[0], file))
    yield from ((number, file) for number, file in others if number not in named)


def _name_of(file: StoredFile) -> re.Match[str] | None:
    return _NAME.fullmatch(PurePosixPath(file.relative_path).stem)


def _labels(table: CheckedTable, patients: list[str | None]) -> pa.Table:
    """Manifest columns of the table, and the patients of the file names.

    Raises:
        InputError: a value outside what a column may hold, with line and value.
    """
    rows = len(table)
    return pa.table({
        "patient_id": pa.array(patients, pa.string()),
        "study_date": table.words("Acquisition date", _month),
        "laterality": table.words("Laterality", _SIDES, required=True),
        "view_position": table.words("View", _VIEWS, required=True),
        "kind": pa.repeat(str(Kind.FULL), rows),
        "label_level": pa.repeat(str(LabelLevel.BREAST), rows),
        "label_source": pa.repeat(str(LabelSource.READING), rows),
        "birads": table.words("Bi-Rads", _ASSESSMENTS),
        "density": table.words("ACR", _DENSITIES),
    })  # fmt: skip


def _month(word: str) -> str:
    if not _MONTH.fullmatch(word):
        raise KeyError(word)
    return word


def _contradiction(name: re.Match[str] | None, row: Row) -> ImageRejected | None:
    """What a file name says otherwise than its row of the table, or lacks."""
    if name is None:
        detail = "the file name does not say whose image it is: no <patient>_MG_<R|L>_<CC|ML>_ANON"
        return ImageRejected(RejectionReason.TABLE_ROW_INVALID, detail)
    said = (name["side"].upper(), _VIEWS[name["view"].upper()])
    tabled = tuple(row[column] for column in _SAID)
    if said == tabled:
        return None
    return ImageRejected(
        RejectionReason.TABLE_ROW_INVALID,
        f"the file name says {' '.join(said)}, the table {' '.join(map(str, tabled))}",
    )


def _without_misnamed(examined: Manifest, misnamed: Mapping[str, ImageRejected]) -> Manifest:
    """Rows whose file name contradicts the table become rejections."""
    if not misnamed:
        return examined
    wrong = pc.is_in(examined.rows.column("uri"), value_set=pa.array(list(misnamed), pa.string()))
    faults = [
        rejected_row(row["image_id"], row["uri"], misnamed[row["uri"]], {})
        for row in examined.rows.select(["image_id", "uri"]).filter(wrong).to_pylist()
    ]
    rejections = [examined.rejections, Manifest.of_rows((), (), faults).rejections]
    rows = examined.rows.filter(pc.invert(wrong))
    return Manifest(rows, examined.exclusions, pa.concat_tables(rejections))
