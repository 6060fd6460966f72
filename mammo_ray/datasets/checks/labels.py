"""Labels that contradict each other, that are missing, or that are none."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray.datasets.checks.finding import Check, Finding, examples_of, found, noted
from mammo_ray.datasets.checks.rows import exam_of
from mammo_ray.schema import Kind, LabelLevel, LabelSource

_MIXED = {
    "image_kind": "kinds of image",
    "label_level": "levels of label",
    "label_source": "sources of label",
}
_ABOVE_IMAGES = (LabelLevel.BREAST, LabelLevel.WOMAN)


def check_labels(frame: pd.DataFrame) -> Iterator[Finding]:
    """Contradictions, readings taken for labels, unlabelled images, and what is mixed.

    Args:
        frame: from `checked_rows`.
    """
    yield from _contradicting_films(frame)
    yield from _contradicting_breasts(frame)
    yield from _readings(frame)
    yield from _unlabelled(frame)
    yield from _mixed(frame)
    yield from _outlines(frame)
    yield from _orphan_crops(frame)


def disagreeing(
    keys: npt.NDArray[np.int64], cancer: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.bool_], int]:
    """Labelled rows whose key has both labels, and how many such keys there are.

    Args:
        keys: from 0; a negative key stands for nothing.
        cancer: 0, 1 or NaN for every row.
    """
    used = (keys >= 0) & ~np.isnan(cancer)
    seen = np.zeros((int(keys.max(initial=-1)) + 1, 2), dtype=bool)
    seen[keys[used], cancer[used].astype(np.int64)] = True
    both = np.asarray(seen.all(axis=1))
    rows = np.zeros(len(keys), dtype=bool)
    rows[used] = both[keys[used]]
    return rows, int(np.count_nonzero(both))


def _labels(frame: pd.DataFrame, rows: pd.Series) -> npt.NDArray[np.float64]:
    """Labels of the chosen rows, NaN for all others."""
    return np.where(rows, frame["cancer"].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)


def _contradicting_films(frame: pd.DataFrame) -> Iterator[Finding]:
    """One film in several files, labelled with and without cancer; crops are lesions, not films."""
    cancer = _labels(frame, frame["kind"] != Kind.CROP)
    rows, count = disagreeing(np.asarray(frame["film_id"].cat.codes, dtype=np.int64), cancer)
    if count:
        detail = f"{count:,} films are labelled with cancer in one file and without in another"
        yield found(Check.CONTRADICTING_FILMS, count, detail, examples_of(frame, rows))


def _contradicting_breasts(frame: pd.DataFrame) -> Iterator[Finding]:
    """Labels of a breast or woman must agree over her images; those of images may differ."""
    keys = pd.DataFrame({"exam": exam_of(frame), "side": frame["laterality"].cat.codes})
    known = (keys["exam"] >= 0) & (keys["side"] >= 0)
    breast = np.asarray(keys.groupby(["exam", "side"], sort=False).ngroup(), dtype=np.int64)
    breast = np.where(known, breast, -1)
    full = frame["kind"] != Kind.CROP
    above = frame["label_level"].isin(_ABOVE_IMAGES)
    rows, count = disagreeing(breast, _labels(frame, full & above))
    if count:
        detail = f"{count:,} breasts of one exam have labels of the breast that contradict"
        yield found(Check.CONTRADICTING_BREASTS, count, detail, examples_of(frame, rows))
    rows, count = disagreeing(breast, _labels(frame, full & ~above))
    if count:
        detail = (
            f"{count:,} breasts of one exam have views with and without cancer: the label is of "
            "the image, and what one view does not show is called healthy there"
        )
        yield noted(Check.DISAGREEING_VIEWS, count, detail, examples_of(frame, rows))


def _readings(frame: pd.DataFrame) -> Iterator[Finding]:
    rows = (frame["label_source"] == LabelSource.READING) & frame["cancer"].notna()
    if rows.any():
        detail = f"{int(rows.sum()):,} labels come from a reading (BI-RADS): no cancer is proved"
        yield found(Check.READING_AS_LABEL, rows.sum(), detail, examples_of(frame, rows))


def _unlabelled(frame: pd.DataFrame) -> Iterator[Finding]:
    rows = frame["cancer"].isna()
    if rows.any():
        share = 100 * float(rows.mean())
        detail = f"{int(rows.sum()):,} of {len(frame):,} images ({share:.1f} %) have no label"
        yield noted(Check.UNLABELLED, rows.sum(), detail, examples_of(frame, rows))


def _mixed(frame: pd.DataFrame) -> Iterator[Finding]:
    for column, noun in _MIXED.items():
        counts = frame[column].value_counts()
        counts = counts[counts > 0]
        if len(counts) > 1:
            held = ", ".join(f"{images:,} {name}" for name, images in counts.items())
            detail = f"{len(counts)} {noun} stand together ({held}): do not pool them unseen"
            yield noted(Check.MIXED, len(counts), detail)


def _outlines(frame: pd.DataFrame) -> Iterator[Finding]:
    """Lesions that nobody has drawn; those of a crop are drawn on its film."""
    frame = frame[frame["kind"] != Kind.CROP]
    lacking = frame["lesions"] - frame[["masks", "outlines"]].max(axis=1)
    rows = lacking > 0
    if rows.any():
        count = int(lacking[rows].sum())
        detail = (
            f"{count:,} of {int(frame['lesions'].sum()):,} lesions, on "
            f"{int(rows.sum()):,} images, have neither mask nor outline"
        )
        yield noted(Check.LESIONS_WITHOUT_OUTLINE, count, detail, examples_of(frame, rows))


def _orphan_crops(frame: pd.DataFrame) -> Iterator[Finding]:
    crops = frame["kind"] == Kind.CROP
    rows = crops & ~frame["parent_image_id"].isin(frame["image_id"])
    if rows.any():
        detail = f"{int(rows.sum()):,} of {int(crops.sum()):,} crops have no full film here"
        yield noted(Check.ORPHAN_CROPS, rows.sum(), detail, examples_of(frame, rows))
