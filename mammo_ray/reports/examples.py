"""Example images for a report: the highest, the middle and the lowest scores, as they were seen."""

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from mammo_ray import storage
from mammo_ray.errors import InputError
from mammo_ray.reports.runs import Run
from mammo_ray.schema import PREPARED, SCORED_IMAGES

_LONGEST_SIDE = 384  # pixels on the page: enough to recognise an image, small enough to mail
_COLUMNS = ["image_id", "pixels", "height", "width", "dtype"]
_COLUMNS += ["laterality", "view_position", "cancer"]
_LABELS: dict[int | None, str] = {0: "no cancer", 1: "cancer"}


@dataclass(frozen=True)
class Example:
    """One image on the page."""

    image_id: str
    group: str
    score: float | None
    label: str
    view: str
    picture: str  # a data: URI


def choose_examples(scores: pd.DataFrame, each: int) -> pd.DataFrame:
    """The highest, middle and lowest scores, no image twice, with a column `group`.

    Args:
        scores: `image_id` and `score`; null scores are left aside.
        each: images a group.
    """
    ranked = scores.dropna(subset="score").sort_values(
        ["score", "image_id"], ascending=[False, True], ignore_index=True
    )
    middle = max((len(ranked) - each) // 2, each)
    lowest = max(len(ranked) - each, min(middle + each, len(ranked)))
    cuts = {
        "Highest scores": slice(0, each),
        "Middle of the ranking": slice(middle, middle + each),
        "Lowest scores": slice(lowest, None),
    }
    return pd.concat([ranked.iloc[rows].assign(group=name) for name, rows in cuts.items()])


def read_scores(run: Run) -> pd.DataFrame:
    """`image_id` and `score` of every image of a score run."""
    frame: pd.DataFrame = (
        _parts(run, SCORED_IMAGES).to_table(columns=["image_id", "score"]).to_pandas()
    )
    return frame


def read_examples(prepared: Run, scores: pd.DataFrame | None, each: int) -> list[Example]:
    """The chosen images of a prepared folder; without scores, the first ones by `image_id`.

    Raises:
        InputError: the bytes of an image do not fit its size.
    """
    parts = _parts(prepared, PREPARED)
    if scores is None:
        few = parts.head(each, columns=["image_id"]).to_pandas()
        chosen = few.assign(score=float("nan"), group="First images")
    else:
        chosen = choose_examples(scores, each)
    wanted = pc.field("image_id").isin(pa.array(chosen["image_id"].tolist(), pa.string()))
    # A part holds hundreds of images and a dozen are wanted: small batches keep the rest out.
    table = parts.to_table(
        _COLUMNS, filter=wanted, batch_size=16, batch_readahead=1, fragment_readahead=1
    )
    rows = {row["image_id"]: row for row in table.to_pylist()}
    return [
        _example(rows[choice.image_id], str(choice.group), float(choice.score))
        for choice in chosen.itertuples()
        if choice.image_id in rows
    ]


def to_picture(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """A gray PNG of at most 384 pixels a side; 16 bits are scaled by nominal depth.

    Args:
        pixels: (H, W), uint8 or uint16.
    """
    small = pixels.astype(np.uint8) if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    scale = _LONGEST_SIDE / max(small.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in small.shape)
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    done, content = cv2.imencode(".png", small)
    if not done:
        raise InputError(f"an image of {pixels.shape} pixels could not be written as PNG")
    return bytes(content)


def data_uri(png: bytes) -> str:
    """A PNG as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _parts(run: Run, columns: pa.Schema) -> pads.Dataset:
    """The parts of a run, none where it was stopped before its first."""
    filesystem, path = storage.filesystem_of(run.path("images"))
    try:
        return pads.dataset(path, format="parquet", filesystem=filesystem, schema=columns)
    except FileNotFoundError:
        return pads.dataset(columns.empty_table())
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"the images of the {run.command} run cannot be read: {error}") from error


def _example(row: dict[str, Any], group: str, score: float) -> Example:
    flat = np.frombuffer(row["pixels"], np.dtype(row["dtype"]))
    if flat.size != row["height"] * row["width"]:
        raise InputError(
            f"{row['image_id']} has {flat.size} pixels, not {row['height']} x {row['width']}"
        )
    return Example(
        image_id=row["image_id"],
        group=group,
        score=None if np.isnan(score) else score,
        label=_LABELS.get(row.get("cancer"), "label unknown"),
        view=" ".join(row.get(name) or "?" for name in ("laterality", "view_position")),
        picture=data_uri(to_picture(flat.reshape(row["height"], row["width"]))),
    )
