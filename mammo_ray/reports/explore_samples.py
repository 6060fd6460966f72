"""Sample images of every class, with what is drawn on them as lines."""

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray.config import Config
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from mammo_ray.preprocess.masks import Annotation
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_file
from mammo_ray.schema import Kind

HEIGHT, WIDTH = 448, 352  # pixels on the page
SAMPLE_COLUMNS = [
    "image_id", "uri", "patient_id", "laterality", "view_position", "kind", "pathology", "cancer",
    "mask_uris", "mask_values", "outlines",
]  # fmt: skip
_GROUPED_BY = ("pathology", "cancer", "kind")
_CANCER = {0: "no cancer", 1: "cancer"}
_MOST_GROUPS = 8
_QUALITY = 82
# Okabe and Ito (2008), as blue, green, red: class 1, 2 ...
_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (167, 121, 204))


@dataclass(frozen=True)
class Sample:
    """One image on the page; `picture` is a data: URI, None where the image cannot be used."""

    image_id: str
    group: str
    view: str
    picture: str | None
    note: str


def choose_samples(rows: pd.DataFrame, each: int) -> pd.DataFrame:
    """Some rows of every class, with a column `group`.

    The class is the pathology, else cancer (also of a row without pathology), else the kind of
    file. Images that something is drawn
    on stand first, then women who are not shown yet, then `image_id`, which is a random order.

    Args:
        rows: `image_id`, `patient_id`, `pathology`, `cancer`, `kind` and `drawn` (bool).
        each: rows a class.
    """
    by = next((name for name in _GROUPED_BY if rows[name].notna().any()), "kind")
    outcome = rows["cancer"].map(_CANCER).astype(object)
    group = outcome if by == "cancer" else rows[by].astype(object)
    group = group.where(group.notna(), outcome)
    ranked = rows.assign(group=group.where(group.notna(), "unknown"))
    ranked = ranked.sort_values(["drawn", "image_id"], ascending=[False, True])
    ranked = ranked.assign(again=ranked.duplicated(["group", "drawn", "patient_id"]))
    ranked = ranked.sort_values(["drawn", "again"], ascending=[False, True], kind="stable")
    largest = ranked["group"].value_counts().head(_MOST_GROUPS).index.sort_values()
    chosen = [ranked[ranked["group"] == name].head(each) for name in largest]
    found: pd.DataFrame = pd.concat([ranked.head(0), *chosen])
    return found


def sample_of(row: dict[str, Any], group: str, config: Config, sandbox: Sandbox | None) -> Sample:
    """One row of a manifest as it will look to a model, with its annotations drawn as lines.

    Args:
        row: columns of `SAMPLE_COLUMNS`.
        group: the heading that it stands under.
        config: from `sample_config`.
        sandbox: where files are decoded; None decodes in this process.

    Raises:
        StorageError: storage failed.
    """
    view = " ".join(row[name] or "?" for name in ("laterality", "view_position"))
    if row["kind"] == Kind.CROP:
        view = f"{view} crop"
    try:
        image = prepare_file(
            row["uri"], row["laterality"], _config_of(row, config), sandbox, Annotation.of_row(row)
        )
    except ImageRejected as fault:
        return Sample(row["image_id"], group, view, None, fault.reason)
    note = next((note for note in image.notes if note.startswith("mask left out")), "")
    return Sample(row["image_id"], group, view, draw_sample(image), note)


def sample_config(config: Config) -> Config:
    """The configuration of sample images: small, 8 bits, and else as it is."""
    small = {"height": HEIGHT, "width": WIDTH, "bits": 8, "resize": "pad"}
    return config.model_copy(update={"preprocess": config.preprocess.model_copy(update=small)})


def draw_sample(image: PreparedImage) -> str:
    """The image as a data: URI, every class of its mask in a line of its own colour."""
    picture = cv2.cvtColor(image.pixels.astype(np.uint8), cv2.COLOR_GRAY2BGR)
    if image.mask is not None:
        for number in np.unique(image.mask[image.mask > 0]).tolist():
            _draw_edge(picture, (image.mask == number).astype(np.uint8), number)
    return jpeg_uri(picture)


def jpeg_uri(picture: npt.NDArray[Any]) -> str:
    """A picture as an address that holds it."""
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(bytes(content)).decode()


def _draw_edge(picture: npt.NDArray[Any], mask: npt.NDArray[np.uint8], number: int) -> None:
    """A line around the pixels of one class, drawn in place."""
    edges, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, edges, -1, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.drawContours(picture, edges, -1, _COLOURS[(number - 1) % len(_COLOURS)], 2, cv2.LINE_AA)


def _config_of(row: dict[str, Any], config: Config) -> Config:
    """A crop shows no breast to be found: it is shown whole, and not turned."""
    if row["kind"] != Kind.CROP:
        return config
    off = {
        name: getattr(config.preprocess, name).model_copy(update={"enabled": False})
        for name in ("crop", "orient")
    }
    return config.model_copy(update={"preprocess": config.preprocess.model_copy(update=off)})
