"""Exams that lack a view of the four that screening takes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mammo_ray.datasets.checks.finding import Check, Finding, examples_of, noted
from mammo_ray.datasets.checks.rows import exam_of
from mammo_ray.schema import Kind

_VIEWS = [(side, view) for side in ("L", "R") for view in ("CC", "MLO")]


def check_views(frame: pd.DataFrame) -> Iterator[Finding]:
    """Notes on unknown sides and views, and on exams without all four views.

    Args:
        frame: from `checked_rows`.
    """
    full = frame[frame["kind"] != Kind.CROP]
    unknown = full["laterality"].isna() | full["view_position"].isna()
    if unknown.any():
        detail = f"{int(unknown.sum()):,} of {len(full):,} images have no known side or view"
        yield noted(Check.UNKNOWN_VIEWS, unknown.sum(), detail, examples_of(full, unknown))
    exam = exam_of(full)
    exams = np.unique(exam[exam >= 0])
    if not len(exams):
        return
    place = np.searchsorted(exams, exam)
    has = np.zeros((len(exams), len(_VIEWS)), dtype=bool)
    for index, (side, view) in enumerate(_VIEWS):
        shown = (full["laterality"] == side) & (full["view_position"] == view)
        shown_rows = np.asarray(shown, dtype=bool) & (exam >= 0)
        has[place[shown_rows], index] = True
    lacking = ~has.all(axis=1)
    if not lacking.any():
        return
    absent = ", ".join(
        f"{side} {view} in {int((~has[:, index]).sum()):,}"
        for index, (side, view) in enumerate(_VIEWS)
        if not has[:, index].all()
    )
    detail = (
        f"{int(lacking.sum()):,} of {len(exams):,} exams lack a view of the four of screening: "
        f"{absent}"
    )
    rows = (exam >= 0) & np.isin(exam, exams[lacking])
    yield noted(Check.MISSING_VIEWS, lacking.sum(), detail, examples_of(full, rows))
