"""The rows of a manifest as the checks read them: few columns, words as categories."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_WORDS = [
    "patient_id", "study_uid", "study_date", "laterality", "view_position", "film_id", "kind",
    "parent_image_id", "image_kind", "split", "label_level", "label_source", "pathology", "birads",
    "density", "site", "manufacturer", "model_name", "device_serial", "transfer_syntax",
]  # fmt: skip
_VALUES = [
    "cancer", "biopsy", "invasive", "difficult_negative", "implant", "follow_up_months", "rows",
    "columns",
]  # fmt: skip
# How the tables of MIAS and their like say that a film shows nothing.
_NORMAL = "NORM"
_LISTS = ["abnormalities", "mask_uris", "outlines"]

# The columns of a manifest that `checked_rows` needs.
CHECKED_COLUMNS: list[str] = ["image_id", *_WORDS, *_VALUES, *_LISTS]


def checked_rows(table: pa.Table) -> pd.DataFrame:
    """The frame that every check takes.

    Args:
        table: rows of `schema.MANIFEST` with at least `CHECKED_COLUMNS`.

    Returns:
        One row an image: words as categories, values as they are, and `lesions`, `masks` and
        `outlines`, which count the entries of the lists that hold something.
    """
    names = table.column_names
    arrays = {"image_id": table.column("image_id")}
    for name in _WORDS:
        arrays[name] = pc.dictionary_encode(table.column(name))
    for name in _VALUES:
        arrays[name] = table.column(name)
    frame: pd.DataFrame = pa.table(arrays).to_pandas()
    for name, counted in zip(_LISTS, ("lesions", "masks", "outlines"), strict=True):
        if name in names:
            frame[counted] = _filled_entries(table.column(name))
    return frame


def exam_of(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Number of the exam of every row: a study UID, else patient and date; -1 where unknown."""
    study = _codes(frame["study_uid"])
    by_date = frame.groupby(["patient_id", "study_date"], observed=True, dropna=False, sort=False)
    visit = np.asarray(by_date.ngroup(), dtype=np.int64)
    visit = np.where(frame["patient_id"].isna(), -1, visit + int(study.max(initial=-1)) + 1)
    return np.where(study >= 0, study, visit)


def women_of(frame: pd.DataFrame) -> int:
    """How many women there are."""
    return int(frame["patient_id"].nunique())


def _codes(column: pd.Series) -> npt.NDArray[np.int64]:
    return np.asarray(column.cat.codes, dtype=np.int64)


def _filled_entries(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """How many entries of each row's list are not null, and not the word for no finding."""
    lists = column.combine_chunks()
    parents = np.asarray(pc.list_parent_indices(lists))
    entries = pc.list_flatten(lists)
    filled = np.asarray(pc.is_valid(entries))
    if pa.types.is_struct(entries.type) and entries.type.get_field_index("type") >= 0:
        kinds = pc.struct_field(entries, "type")
        filled = filled & ~np.asarray(pc.fill_null(pc.equal(kinds, _NORMAL), False))
    return np.bincount(parents[filled], minlength=len(lists)).astype(np.int64)
