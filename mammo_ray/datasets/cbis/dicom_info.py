"""What `dicom_info.csv` of the JPEG edition of CBIS-DDSM says of every file.

Its SeriesDescription is empty or wrong in places and its paths have another root, so a row is
joined to a file by folder and file name, and decides nothing unless all it says agrees.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mammo_ray.datasets.cbis.case_names import CaseName, parse_case_name
from mammo_ray.datasets.cbis.pixels import Evidence
from mammo_ray.datasets.source import Source, find_table, read_csv_table, require_relative_path
from mammo_ray.schema import Kind
from mammo_ray.storage import StoredFile

NAME = "dicom_info.csv"
_COLUMNS = ("image_path", "PatientID", "SeriesDescription", "BitsAllocated", "Rows", "Columns")
_SAYS = {
    "full mammogram images": Kind.FULL,
    "cropped images": Kind.CROP,
    "roi mask images": Kind.MASK,
}


@dataclass(frozen=True)
class TextFacts:
    """One row of the table.

    Attributes:
        evidence: of SeriesDescription (0008,103E), BitsAllocated (0028,0100), Rows (0028,0010) and
            Columns (0028,0011).
        case: that PatientID (0010,0020) names, None where it names none.
    """

    evidence: Evidence
    case: CaseName | None


def read_dicom_info(source: Source) -> dict[str, TextFacts]:
    """Facts by folder and file name of the image, `<series uid>/1-172.jpg`.

    An image that stands there twice in different words has none. Empty where the table is not
    among the data set's tables.

    Raises:
        InputError: the table is there twice, lacks columns, or has a path that leaves the root.
    """
    names = {file.relative_path.rpartition("/")[2].lower() for file in source.table_files()}
    if NAME not in names:
        return {}
    table = read_csv_table(find_table(source, NAME), _COLUMNS)
    found: dict[str, TextFacts] = {}
    torn: set[str] = set()
    for line, row in enumerate(zip(*(table[name] for name in _COLUMNS), strict=True), start=2):
        path, patient, description, *numbers = (str(value) for value in row)
        tail = _tail(require_relative_path(path, f"{NAME} line {line}"))
        bits, rows, columns = map(_number, numbers)
        size = (rows, columns) if rows and columns else None
        says = _SAYS.get(description.strip().lower())
        evidence = Evidence(told_kind=says, told_bits=bits, told_size=size)
        facts = TextFacts(evidence, parse_case_name(patient))
        if found.setdefault(tail, facts) != facts:
            torn.add(tail)
    return {tail: facts for tail, facts in found.items() if tail not in torn}


def texts_of(facts: Mapping[str, TextFacts], files: Sequence[StoredFile]) -> dict[str, TextFacts]:
    """The facts of files of a listing, by URI."""
    return {file.uri: facts[tail] for file in files if (tail := _tail(file.relative_path)) in facts}


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _number(text: str) -> int | None:
    """A whole number above 0; tables saved by other programs write 16 as 16.0."""
    found = re.fullmatch(r"(\d{1,6})(\.0)?", text.strip())
    return (int(found[1]) or None) if found else None
