"""Layout `vindr`: VinDr-Mammo (PhysioNet, H T Nguyen et al., Scientific Data 2023).

`breast-level_annotations.csv`, `finding_annotations.csv`, `images/<study>/<image>.dicom`, and
`metadata.csv` where it is there. Labels are readings: BI-RADS of the breast and of each finding;
nothing was proven, so `cancer` stays null. No patient ids are published: a study, of four views,
is the unit that says who belongs together, and stands as `patient_id`.

A finding's box gives an outline, its categories the type (several joined by `; `), its BI-RADS the
assessment. An image that the findings call `No Finding` has an empty list of lesions; one that
they do not mention has none at all, for nothing is known of its lesions. A header whose size is
not that of the table would misplace the boxes: its image is rejected.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.checked_table import CheckedTable, assessment_of
from mammo_ray.datasets.manifest import Manifest, Row
from mammo_ray.datasets.source import Request, Source, find_table
from mammo_ray.datasets.tabled_images import (
    files_by_tail,
    match_files,
    other_files,
    require_found,
    settle,
)
from mammo_ray.schema import (
    ABNORMALITY,
    OUTLINE,
    Kind,
    LabelLevel,
    LabelSource,
    Laterality,
    OutlineForm,
    ViewPosition,
)

BREAST_COLUMNS: Final = (
    "study_id", "series_id", "image_id", "laterality", "view_position", "height", "width",
    "breast_birads", "breast_density", "split",
)  # fmt: skip
FINDING_COLUMNS: Final = (
    "image_id", "study_id", "series_id", "laterality", "view_position", "height", "width",
    "breast_birads", "breast_density", "finding_categories", "finding_birads", "xmin", "ymin",
    "xmax", "ymax", "split",
)  # fmt: skip
METADATA_IMAGE = "SOP Instance UID"

_SIDES = {str(side): str(side) for side in (Laterality.LEFT, Laterality.RIGHT)}
_VIEWS = {str(view): str(view) for view in ViewPosition}
_DENSITIES = {f"DENSITY {word}": word for word in "ABCD"}
_SPLITS = {"training": "train", "test": "test"}
# Column of metadata.csv -> column of the manifest.
_METADATA = {"Manufacturer": "manufacturer", "Manufacturer's Model Name": "model_name"}
_LARGEST = 65535  # Rows and Columns are unsigned short (PS3.3 C.7.6.3)
_CORNERS = ("ymin", "xmin", "ymax", "xmax")  # row, column, row, column
_NO_FINDING = "No Finding"
_LIST = re.compile(r"""\[\s*(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*\s*\]""")
_ITEM = re.compile(r"""'([^']*)'|"([^"]*)\"""")


class VindrReader:
    """One row an image of the breast-level table."""

    def __init__(self, source: Source) -> None:
        self._source = source
        breasts = CheckedTable.read(
            find_table(source, "breast-level_annotations.csv"), BREAST_COLUMNS
        )
        findings = CheckedTable.read(find_table(source, "finding_annotations.csv"), FINDING_COLUMNS)
        images = breasts.unique("image_id").to_pylist()
        self._labels = _labels(breasts)
        further = _lesions(findings, images) | _metadata(source, images)
        for name, column in further.items():
            self._labels = self._labels.append_column(name, column)
        studies = breasts.names("study_id").to_pylist()
        keys = [f"{study}/{image}" for study, image in zip(studies, images, strict=True)]
        self._match = match_files(
            keys,
            [f"images/{key}.dicom" for key in keys],
            files_by_tail(source.index, ".dicom", ".dcm"),
        )
        require_found(source, self._match, "images/<study>/<image>.dicom")

    def requests(self) -> Iterable[Request]:
        """The header of every image of the table."""
        return self._match.requests()

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest: headers joined with the tables."""
        others = other_files(self._source, self._match)
        return settle(self._source, self._labels, self._match, examined, others)


def _labels(table: CheckedTable) -> pa.Table:
    """Manifest columns of the breast-level table.

    Raises:
        InputError: a value outside what a column may hold, with line and value.
    """
    rows = len(table)
    return pa.table({
        "patient_id": table.names("study_id"),
        "study_uid": table.names("study_id"),
        "series_uid": table.texts("series_id"),
        "laterality": table.words("laterality", _SIDES, required=True),
        "view_position": table.words("view_position", _VIEWS, required=True),
        "kind": pa.repeat(str(Kind.FULL), rows),
        "split": table.words("split", _SPLITS),
        "label_level": pa.repeat(str(LabelLevel.BREAST), rows),
        "label_source": pa.repeat(str(LabelSource.READING), rows),
        "birads": table.words("breast_birads", assessment_of),
        "density": table.words("breast_density", _DENSITIES),
        "rows": table.numbers("height", 1, _LARGEST).cast(pa.int32()),
        "columns": table.numbers("width", 1, _LARGEST).cast(pa.int32()),
    })  # fmt: skip


def _lesions(table: CheckedTable, images: list[str]) -> dict[str, pa.Array]:
    """Lists of lesions and of their outlines, an image each; null where none of it is known.

    Raises:
        InputError: a finding of an image that is not in the breast-level table, one without a
            box, or a value outside what a column may hold; with line and value.
    """
    known = set(images)
    lesions: defaultdict[str, list[Row]] = defaultdict(list)
    outlines: defaultdict[str, list[Row]] = defaultdict(list)
    kinds = table.words("finding_categories", _categories, required=True).to_pylist()
    assessments = table.words("finding_birads", lambda word: int(assessment_of(word)), pa.int16())
    boxes = zip(*(table.numbers(name, -_LARGEST, _LARGEST) for name in _CORNERS), strict=True)
    columns = (table.names("image_id").to_pylist(), kinds, assessments.to_pylist(), boxes)
    for row, (image, kind, assessment, corners) in enumerate(zip(*columns, strict=True)):
        if image not in known:
            table.refuse(row, "image_id", "an image of breast-level_annotations.csv")
        number = len(lesions[image]) + 1  # also notes that the image was looked at
        if kind == _NO_FINDING:
            continue
        outlines[image].append(_box(table, row, [corner.as_py() for corner in corners]))
        lesions[image].append({"number": number, "type": kind, "assessment": assessment})
    return {
        "abnormalities": pa.array([lesions.get(i) for i in images], pa.list_(ABNORMALITY)),
        "outlines": pa.array(
            [outlines[i] if i in lesions else None for i in images], pa.list_(OUTLINE)
        ),
    }


def _categories(word: str) -> str:
    """The items of a list written as Python does, joined."""
    if not _LIST.fullmatch(word):
        raise KeyError(word)
    return "; ".join(single or double for single, double in _ITEM.findall(word))


def _box(table: CheckedTable, row: int, corners: list[float | None]) -> Row:
    """The outline of one finding."""
    top, left, bottom, right = corners
    if top is None or left is None or bottom is None or right is None:
        table.refuse(row, _CORNERS[corners.index(None)], "a number: the finding needs a box")
    elif bottom < top or right < left:
        name, other = ("ymax", "ymin") if bottom < top else ("xmax", "xmin")
        table.refuse(row, name, f"at least {other}")
    return {"form": str(OutlineForm.BOX), "points": corners, "radius": None}


def _metadata(source: Source, images: list[str]) -> dict[str, pa.Array]:
    """Manufacturer and model of every image, where the optional table says so."""
    named = {file.relative_path.rpartition("/")[2].lower() for file in source.table_files()}
    if "metadata.csv" not in named:
        return {}
    table = CheckedTable.read(find_table(source, "metadata.csv"), (METADATA_IMAGE,))
    positions = pc.index_in(pa.array(images), value_set=table.unique(METADATA_IMAGE))
    columns = {
        target: table.texts(name).take(positions)
        for name, target in _METADATA.items()
        if name in table.frame
    }
    if "Patient's Age" in table.frame:
        ages = table.words("Patient's Age", _years, pa.float32())
        columns["age"] = ages.take(positions)
    return columns


def _years(word: str) -> float | None:
    """Age in years from an Age String such as `053Y` (PS3.5 table 6.2-1), or from a number."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)Y?", word, re.IGNORECASE)
    return float(found[1]) if found else None
