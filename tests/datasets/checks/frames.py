"""Small manifests for the tests of checks."""

from typing import Any

import pandas as pd
import pyarrow as pa

from mammo_ray.datasets.checks.finding import Check, Finding
from mammo_ray.datasets.checks.rows import checked_rows
from mammo_ray.schema import MANIFEST

Row = dict[str, Any]


def table(*rows: Row) -> pa.Table:
    """A manifest of full films named img-0, img-1 ... unless a row says otherwise."""
    known = [{"image_id": f"img-{k}", "kind": "full", **row} for k, row in enumerate(rows)]
    return pa.Table.from_pylist(known, MANIFEST)


def frame(*rows: Row) -> pd.DataFrame:
    """The rows as checks take them."""
    return checked_rows(table(*rows))


def answer(answers: list[Finding], check: Check) -> Finding | None:
    """The one answer of a check; None where it had nothing to say."""
    of_check = [one for one in answers if one.check == check]
    assert len(of_check) < 2
    return of_check[0] if of_check else None
