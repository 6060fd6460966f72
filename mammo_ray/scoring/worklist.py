"""The worklist: every exam of the archive, in the order in which people should look at them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from mammo_ray.schema import ExamStatus

# Unscored exams stand first: nobody else has looked at them.
_STATUS_ORDER = (
    ExamStatus.FAILED,
    ExamStatus.MISSING,
    ExamStatus.INCOMPLETE,
    ExamStatus.OUT_OF_SCOPE,
    ExamStatus.SCORED,
)
_TEXT_COLUMNS = ("patient_id", "accession", "study_uid", "study_date", "reasons", "exam_id")
_COLUMNS = (
    "rank", "patient_id", "accession", "study_uid", "study_date", "status", "score",
    "partial", "reasons", "exam_id",
)  # fmt: skip


def worklist(exams: pa.Table) -> bytes:
    """Every exam once, the unscored first, then the scored by falling risk: a UTF-8 CSV (RFC 4180).

    The unscored come by status (failed, missing, incomplete, out of scope); within one status
    those without any score first, then by falling partial score, so that an exam of which less
    is known never hides behind one of which more is known. `exam_id` breaks ties.

    `partial` reads `partial` where a view that should count gave no score, else it is empty.
    Scores have six digits. A text that a spreadsheet would run as a formula (it starts with
    = + - @, tab or carriage return; OWASP, CSV injection) is led by an apostrophe: whoever joins
    on ids strips it.

    Args:
        exams: columns of `schema.EXAMS`.
    """
    frame = exams.drop_columns(["reasons"]).to_pandas()
    frame["reasons"] = _joined(exams["reasons"])
    frame["place"] = pd.Categorical(frame["status"], categories=list(_STATUS_ORDER)).codes
    frame = frame.sort_values(
        ["place", "score", "exam_id"], ascending=[True, False, True], na_position="first"
    )
    frame["rank"] = np.arange(1, len(frame) + 1)
    frame["partial"] = np.where(frame["partial"].eq(True), "partial", "")
    for name in _TEXT_COLUMNS:
        frame[name] = _harmless(frame[name])
    text: str = frame[list(_COLUMNS)].to_csv(
        index=False, float_format="%.6f", lineterminator="\r\n"
    )
    return text.encode()


def _joined(reasons: pa.ChunkedArray) -> list[str]:
    return ["; ".join(items) if items else "" for items in reasons.to_pylist()]


def _harmless(text: "pd.Series[str]") -> "pd.Series[str]":
    """Text that no spreadsheet takes for a formula; null becomes empty."""
    text = text.astype("string").fillna("")
    return text.mask(text.str.match(r"[=+\-@\t\r]"), "'" + text)
