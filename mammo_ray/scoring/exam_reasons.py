"""Why an exam is what it is, in plain words for the people who work through the list."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from mammo_ray.scoring.exam_files import ALL_SIDES, ALL_VIEWS, UNKNOWN, view_labels
from mammo_ray.scoring.protocol import SIDES, VIEWS

# Order of the reasons of one exam: what is missing first, remarks last.
_ABSENT, _REJECTED, _OUT_OF_SCOPE, _IDENTITY, _REMARK = range(5)


def reasons_by_exam(
    files: pd.DataFrame, absent: npt.NDArray[np.bool_], sideless: npt.NDArray[np.bool_]
) -> pa.ListArray:
    """The distinct reasons of every exam, in the order of the exams.

    Args:
        files: from `exam_files`, with the column `exam`.
        absent: (exam, side, view) over `protocol.SIDES` and `VIEWS`: required, but shown
            by no file.
        sideless: (exam,), the protocol wants one whole side and no side is known.
    """
    found = pd.concat(
        [
            *_absent(absent, sideless),
            _rejected(files),
            *_out_of_scope(files),
            *_identity(files),
            *_remarks(files),
        ],
        ignore_index=True,
    )
    found = found.drop_duplicates().sort_values(["exam", "order", "text"])
    counts = np.bincount(found["exam"], minlength=len(absent))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    text = found["text"].to_numpy(dtype=object)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(text, pa.string()))


def _rows(exam: object, order: int, text: object) -> pd.DataFrame:
    frame = pd.DataFrame({"exam": exam, "text": text})
    frame["text"] = frame["text"].astype("string")
    frame["order"] = order
    return frame


def _absent(absent: npt.NDArray[np.bool_], sideless: npt.NDArray[np.bool_]) -> list[pd.DataFrame]:
    rows = [
        _rows(np.flatnonzero(absent[:, s, v]), _ABSENT, f"{side} {view}: absent")
        for s, side in enumerate(SIDES)
        for v, view in enumerate(VIEWS)
    ]
    return [*rows, _rows(np.flatnonzero(sideless), _ABSENT, "CC and MLO of one side: absent")]


def _named(files: pd.DataFrame, text: object) -> object:
    """`text` after the name of the view of each file."""
    return view_labels()[files["side"], files["view"]] + ": " + text


def _rejected(files: pd.DataFrame) -> pd.DataFrame:
    rejected = files[~files["scored"]]
    suffix = np.where(rejected["by_folder"], " (by folder)", "")
    reason = rejected["reason"].fillna("rejected").to_numpy(dtype=object)
    return _rows(rejected["exam"].to_numpy(), _REJECTED, _named(rejected, reason + suffix))


def _out_of_scope(files: pd.DataFrame) -> list[pd.DataFrame]:
    kinds = files[~files["kind_in_scope"]]
    kind = kinds["image_kind"].to_numpy(dtype=object)
    implants = files.loc[~files["implant_in_scope"], "exam"].to_numpy()
    return [
        _rows(
            kinds["exam"].to_numpy(), _OUT_OF_SCOPE, _named(kinds, "model not validated on " + kind)
        ),
        _rows(implants, _OUT_OF_SCOPE, "implant: model not validated on implants"),
    ]


def _identity(files: pd.DataFrame) -> list[pd.DataFrame]:
    return [
        _rows(files.loc[files[flag], "exam"].to_numpy(), _IDENTITY, text)
        for flag, text in (
            ("unidentified", "no study and no patient"),
            ("shared_study", "study UID: shared by several patients"),
        )
    ]


def _remarks(files: pd.DataFrame) -> list[pd.DataFrame]:
    """Scored images that satisfy no required view."""
    unplaced = (files["side"] == ALL_SIDES.index(UNKNOWN)) | (
        files["view"] == ALL_VIEWS.index(UNKNOWN)
    )
    placed = files[files["usable"] & unplaced]
    unkind = files[files["usable"] & ~files["satisfies"]]
    remark = "scored, satisfies no required view"
    return [
        _rows(placed["exam"].to_numpy(), _REMARK, _named(placed, remark)),
        _rows(unkind["exam"].to_numpy(), _REMARK, _named(unkind, f"image kind unknown, {remark}")),
    ]
