"""Every check over one manifest, in the order in which people read them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mammo_ray.datasets.checks.finding import Finding, is_finding
from mammo_ray.datasets.checks.labels import check_labels
from mammo_ray.datasets.checks.pixels import check_pixels
from mammo_ray.datasets.checks.shortcuts import check_shortcuts
from mammo_ray.datasets.checks.sides import check_sides
from mammo_ray.datasets.checks.views import check_views


def check_rows(
    frame: pd.DataFrame, settings: Mapping[str, Any], looks: pd.DataFrame | None = None
) -> list[Finding]:
    """Findings first, then notes; checks with nothing to say are left out.

    Args:
        frame: from `rows.checked_rows`.
        settings: the configuration as a tree.
        looks: rows of `looks.LOOKS`; None: the pixels were not looked at.
    """
    answers = [
        *check_sides(frame),
        *check_labels(frame),
        *check_views(frame),
        *check_shortcuts(frame, settings),
        *(check_pixels(frame, looks) if looks is not None else ()),
    ]
    return sorted(answers, key=lambda answer: not is_finding(answer))
