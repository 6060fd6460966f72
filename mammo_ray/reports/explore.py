"""What a data set holds, on one self-contained page: counts, missing values, and sample images.

The page names images by `image_id`; it shows no patient, study or address. It stays small however
large the manifest: every table has a cap, and the CSV files beside it have all rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import __version__, storage
from mammo_ray.reports.explore_samples import Sample
from mammo_ray.reports.page import page_environment
from mammo_ray.reports.words import counted
from mammo_ray.schema import MANIFEST

# What is counted, in the order of the page. None of it says whose image it is.
COUNTED = {
    "pathology": "Pathology",
    "cancer": "Cancer",
    "birads": "BI-RADS",
    "density": "Breast density",
    "view_position": "View",
    "laterality": "Side",
    "split": "Split",
    "kind": "Full film or crop",
    "image_kind": "Kind of image",
    "label_source": "Source of the label",
    "site": "Site",
    "manufacturer": "Manufacturer",
    "model_name": "Device",
    "transfer_syntax": "Encoding of the file",
}
_ROWS_SHOWN = 12
_LONGEST_VALUE = 60
_UNKNOWN = "unknown"
_CANCER = {"0": "no cancer", "1": "cancer"}
_PEOPLE = ["patient_id", "cancer"]


@dataclass(frozen=True)
class Explored:
    """The numbers of a manifest.

    Attributes:
        images, women, positive: how many there are; positive images have cancer.
        counts: for every column of `COUNTED`, rows `value`, `images`, `women`, `positive`.
        missing: rows `column`, `missing`, `share` of every column of the manifest.
    """

    images: int
    women: int
    positive: int
    counts: dict[str, pd.DataFrame]
    missing: pd.DataFrame


def explore_columns(read: Callable[[list[str]], pa.Table]) -> Explored:
    """The numbers of a manifest, read a few columns at a time.

    Args:
        read: gives the named columns of all rows.
    """
    people = read(_PEOPLE).to_pandas()
    return Explored(
        images=len(people),
        women=int(people["patient_id"].nunique()),
        positive=int(people["cancer"].eq(1).sum()),
        counts={
            name: count_values(people.assign(value=read([name]).column(name).to_pandas()))
            for name in COUNTED
        },
        missing=_missing_values(read),
    )


def count_values(frame: pd.DataFrame) -> pd.DataFrame:
    """Images, women and images with cancer of every value, the most frequent first.

    Args:
        frame: `value`, `patient_id` and `cancer`.

    Returns:
        `value` (text; null counts as `unknown`), `images`, `women`, `positive`.
    """
    frame = frame.assign(positive=frame["cancer"].eq(1))
    found = frame.groupby("value", sort=True, dropna=False).agg(
        images=("value", "size"), women=("patient_id", "nunique"), positive=("positive", "sum")
    )
    found.index = pd.Index([_value_text(value) for value in found.index], name="value")
    return found.sort_values("images", ascending=False, kind="stable").reset_index()


def _value_text(value: object) -> str:
    if value is None or value != value:  # NaN, which pandas puts for a missing value
        return _UNKNOWN
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _missing_values(read: Callable[[list[str]], pa.Table]) -> pd.DataFrame:
    rows = []
    for name in MANIFEST.names:
        column = read([name]).column(name)
        missing = column.null_count
        if pa.types.is_list(column.type):
            missing += pc.sum(pc.equal(pc.list_value_length(column), 0)).as_py() or 0
        rows.append((name, missing, missing / max(len(column), 1)))
    return pd.DataFrame(rows, columns=["column", "missing", "share"])


def write_exploration(out: str, explored: Explored, samples: list[Sample]) -> list[str]:
    """Write `index.html` and the CSV files; their names.

    Args:
        out: the folder.
        explored: the numbers.
        samples: the images to show, by group.
    """
    tables = {f"{name}.csv": table for name, table in explored.counts.items()}
    tables["missing.csv"] = explored.missing
    for name, table in tables.items():
        storage.write_text(storage.join(out, name), table.to_csv(index=False))
    storage.write_text(storage.join(out, "index.html"), render_exploration(explored, samples))
    return ["index.html", *tables]


def render_exploration(explored: Explored, samples: list[Sample]) -> str:
    """The page as HTML text."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    context = {
        "version": __version__,
        "summary": _summary(explored),
        "counts": [
            _shown_counts(COUNTED[name], name, table, explored.images)
            for name, table in explored.counts.items()
            if set(table["value"]) - {_UNKNOWN}
        ],
        "unsaid": [
            COUNTED[name]
            for name, table in explored.counts.items()
            if not set(table["value"]) - {_UNKNOWN}
        ],
        "missing": explored.missing.to_dict("records"),
        "groups": groups,
    }
    return page_environment().get_template("explore.html.j2").render(context)


def _summary(explored: Explored) -> list[str]:
    unlabelled = explored.counts["cancer"].set_index("value")["images"].get(_UNKNOWN, 0)
    women = counted(explored.women, "woman", "women")
    labels = (
        f"{counted(explored.positive, 'image')} with cancer, "
        f"{explored.images - explored.positive - unlabelled:,} without, "
        f"{unlabelled:,} with no such label."
    )
    return [f"{counted(explored.images, 'image')} of {women}.", labels]


def _shown_counts(title: str, name: str, table: pd.DataFrame, images: int) -> dict[str, Any]:
    head = table.head(_ROWS_SHOWN)
    shown = head["value"].replace(_CANCER) if name == "cancer" else head["value"]
    rows = [
        {**row, "value": value[:_LONGEST_VALUE], "share": row["images"] / images}
        for row, value in zip(head.to_dict("records"), shown, strict=True)
    ]
    return {
        "title": title,
        "file": f"{name}.csv",
        "rows": rows,
        "more": len(table) - len(head),
        "left": int(table["images"].sum() - head["images"].sum()),
    }
