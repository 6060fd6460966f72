"""Tables of a report: only the columns that may be shown, and no more rows than a page holds.

Patients, studies and addresses never leave the tables that are read here: only `image_id`,
`exam_id`, states, reasons and numbers do.
"""

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mammo_ray import storage
from mammo_ray.reports.runs import Run
from mammo_ray.schema import ExamStatus

# Room for far more worklist rows than a page shows.
_WORKLIST_BYTES = 256 * 1024
_WORKLIST_COLUMNS = ("rank", "status", "score", "partial", "reasons", "exam_id")


@dataclass(frozen=True)
class Capped:
    """The first rows of a table, and how many there are in all."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    @property
    def more(self) -> int:
        """How many rows are not shown."""
        return self.total - len(self.rows)


def read_rejections(runs: list[Run]) -> pd.DataFrame:
    """`image_id`, `stage`, `reason`, `detail` of all runs, in their order.

    Preparation and scoring of one archive meet the same faults: what an earlier run already
    rejected for the same reason counts once. Rows of one run are never taken for one another.
    """
    columns = ["image_id", "stage", "reason", "detail"]
    found = pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    for run in runs:
        if run.has("rejections.parquet"):
            table = storage.read_table(run.path("rejections.parquet"), columns).to_pandas()
            known = pd.MultiIndex.from_frame(found[["image_id", "reason"]])
            again = pd.MultiIndex.from_frame(table[["image_id", "reason"]]).isin(known)
            found = pd.concat([found, table[~again]], ignore_index=True)
    return found


def count_rows(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    """How often each combination stands in a table, the most frequent first."""
    counts = frame.groupby(columns, dropna=False).size().reset_index(name="count")
    counts = counts.sort_values(["count", *columns], ascending=[False, *[True] * len(columns)])
    return [{str(k): v for k, v in row.items()} for row in counts.to_dict("records")]


def first_rows(frame: pd.DataFrame, most: int) -> Capped:
    """The first rows of a frame, nulls as empty text."""
    head = frame.head(most).astype(object).where(frame.head(most).notna(), "")
    rows = [{str(k): v for k, v in row.items()} for row in head.to_dict("records")]
    return Capped(rows, len(frame))


def count_exclusions(run: Run | None) -> list[dict[str, Any]]:
    """How many files each rule left out of a manifest."""
    if run is None or not run.has("exclusions.parquet"):
        return []
    rules = storage.read_table(run.path("exclusions.parquet"), ["rule"]).to_pandas()
    return count_rows(rules, ["rule"])


def read_exams(run: Run) -> pd.DataFrame | None:
    """`status` and `score` of every exam, or None where there are none."""
    if not run.has("exams.parquet"):
        return None
    frame: pd.DataFrame = storage.read_table(
        run.path("exams.parquet"), ["status", "score"]
    ).to_pandas()
    return frame


def count_statuses(exams: pd.DataFrame) -> list[dict[str, Any]]:
    """Every exam status with its count and share, those without exams left out."""
    counts = exams["status"].value_counts()
    return [
        {"status": str(status), "count": int(counts[status]), "share": counts[status] / len(exams)}
        for status in ExamStatus
        if counts.get(status, 0)
    ]


def read_worklist(run: Run, exams: int, most: int) -> Capped:
    """The first rows of the worklist without the columns that name women."""
    try:
        content = storage.read_bytes(run.path("worklist.csv"), 0, _WORKLIST_BYTES)
    except FileNotFoundError:
        return Capped()
    text = io.StringIO(content.decode(errors="replace"), newline="")
    rows: list[dict[str, Any]] = []
    for row in csv.DictReader(text):
        if len(rows) == most or None in row.values():
            break
        rows.append({name: row.get(name, "") for name in _WORKLIST_COLUMNS})
    return Capped(rows, max(exams, len(rows)))
