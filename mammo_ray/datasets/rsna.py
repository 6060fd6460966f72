"""Layout `rsna`: RSNA Screening Mammography Breast Cancer Detection (Kaggle, 2022).

`train.csv` with `train_images/<patient>/<image>.dcm`, and `test.csv` with `test_images/...`; one
of the tables is enough. Headers have neither Modality nor View Position: side and view are the
table's. A folder around `train_images`, or another name for it, does no harm as long as each
`<patient>/<image>.dcm` is there once.

Labels are per breast. A positive breast was proven by biopsy; one that had a biopsy without cancer
was judged by pathology too; every other negative rests on follow-up. `BIRADS` has words of its
own: 0 needs follow-up, 1 negative, 2 normal. At site 1 `implant` speaks of the woman, not of the
breast. `test.csv` has no labels, so its rows have none; `split` stays null, for a set without
labels is no test set.

With nothing listed and `Source.tables_only`, a table alone becomes a manifest: every row under the
path where its file belongs.
"""

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.checked_table import CheckedTable
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Request, Source, find_table, seen_names
from mammo_ray.datasets.tabled_images import (
    files_by_tail,
    match_files,
    other_files,
    require_found,
    settle,
)
from mammo_ray.errors import InputError
from mammo_ray.schema import Kind, LabelLevel, LabelSource, Laterality, ViewPosition

TEST_COLUMNS: Final = (
    "site_id", "patient_id", "image_id", "laterality", "view", "age", "implant", "machine_id",
)  # fmt: skip
TRAIN_COLUMNS: Final = (
    "site_id", "patient_id", "image_id", "laterality", "view", "age", "cancer", "biopsy",
    "invasive", "BIRADS", "implant", "density", "machine_id", "difficult_negative_case",
)  # fmt: skip

_FOLDERS = {"train.csv": "train_images", "test.csv": "test_images"}
_SIDES = {str(side): str(side) for side in (Laterality.LEFT, Laterality.RIGHT)}
_VIEWS = {str(view): str(view) for view in ViewPosition}
_LABELS = {"0": 0, "1": 1}
_FLAGS = {"0": False, "1": True, "False": False, "True": True, "0.0": False, "1.0": True}
_ASSESSMENTS = {f"{word}{end}": word for word in "012" for end in ("", ".0")}
_DENSITIES = {word: word for word in "ABCD"}
_OLDEST = 120.0  # years


class RsnaReader:
    """One row a DICOM file that a table names."""

    def __init__(self, source: Source) -> None:
        self._source = source
        named = {file.relative_path.rpartition("/")[2].lower() for file in source.table_files()}
        present = [name for name in _FOLDERS if name in named]
        if not present:
            raise InputError(
                f"train.csv or test.csv was expected and is not there; seen: {seen_names(source)}"
            )
        tables = [_read(source, name) for name in present]
        _require_unique(tables)
        self._labels = pa.concat_tables(
            [_labels(table, labelled=name == "train.csv")
             for name, table in zip(present, tables, strict=True)]
        ).combine_chunks()  # fmt: skip
        keys = [key for table in tables for key in _keys(table)]
        expected = [
            f"{_FOLDERS[name]}/{key}.dcm"
            for name, table in zip(present, tables, strict=True)
            for key in _keys(table)
        ]
        self._match = match_files(keys, expected, files_by_tail(source.index, ".dcm"))
        require_found(source, self._match, "train_images/<patient>/<image>.dcm")

    def requests(self) -> Iterable[Request]:
        """The header of every image that a table names."""
        return self._match.requests()

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest: headers joined with the tables."""
        others = other_files(self._source, self._match)
        return settle(self._source, self._labels, self._match, examined, others)


def _read(source: Source, name: str) -> CheckedTable:
    columns = TRAIN_COLUMNS if name == "train.csv" else TEST_COLUMNS
    return CheckedTable.read(find_table(source, name), columns)


def _require_unique(tables: list[CheckedTable]) -> None:
    """Refuse an image id that stands twice, in one table or in both."""
    ids = [table.unique("image_id") for table in tables]
    if len(ids) == 2:
        again = pc.is_in(ids[1], value_set=ids[0])
        if pc.any(again).as_py():
            row = pc.index(again, True).as_py()
            tables[1].refuse(row, "image_id", f"an image that {tables[0].name} does not have")


def _keys(table: CheckedTable) -> list[str]:
    """`<patient>/<image>` of every row."""
    parts = pc.binary_join_element_wise(table.names("patient_id"), table.names("image_id"), "/")
    return list(parts.to_pylist())


def _labels(table: CheckedTable, *, labelled: bool) -> pa.Table:
    """Manifest columns of a table; a table without labels has null ones.

    Raises:
        InputError: a value outside what a column may hold, with line and value.
    """
    rows = len(table)
    cancer = table.words("cancer", _LABELS, pa.int8(), required=labelled)
    biopsy = table.words("biopsy", _FLAGS, pa.bool_())
    proven = pc.or_(pc.equal(cancer, 1), pc.fill_null(biopsy, False))
    source = pc.if_else(proven, str(LabelSource.PATHOLOGY), str(LabelSource.FOLLOW_UP))
    level = str(LabelLevel.BREAST) if labelled else None
    return pa.table({
        "patient_id": table.names("patient_id"),
        "laterality": table.words("laterality", _SIDES, required=True),
        "view_position": table.words("view", _VIEWS, required=True),
        "kind": pa.repeat(str(Kind.FULL), rows),
        "cancer": cancer,
        "label_level": pa.repeat(pa.scalar(level, pa.string()), rows),
        "label_source": source.cast(pa.string()),
        "birads": table.words("BIRADS", _ASSESSMENTS),
        "density": table.words("density", _DENSITIES),
        "age": table.numbers("age", 0, _OLDEST).cast(pa.float32()),
        "implant": table.words("implant", _FLAGS, pa.bool_()),
        "biopsy": biopsy,
        "invasive": table.words("invasive", _FLAGS, pa.bool_()),
        "difficult_negative": table.words("difficult_negative_case", _FLAGS, pa.bool_()),
        "site": table.texts("site_id"),
        "device_serial": table.texts("machine_id"),
    })  # fmt: skip
