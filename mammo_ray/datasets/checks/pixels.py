"""Duplicates, blank images and masks that do not fit, from one look at every file."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from mammo_ray.datasets.checks.finding import Check, Finding, examples_of, found, noted
from mammo_ray.datasets.checks.labels import disagreeing
from mammo_ray.datasets.checks.sides import on_several_sides
from mammo_ray.schema import Kind

_SAME_ASPECT = 0.01  # relative difference of height by width


def check_pixels(frame: pd.DataFrame, looks: pd.DataFrame) -> Iterator[Finding]:
    """What the pixels say.

    Args:
        frame: from `checked_rows`.
        looks: rows of `looks.LOOKS`: one for every image (`place` -1) and mask.
    """
    images = looks[looks["place"] < 0].drop(columns="place").drop_duplicates("image_id")
    facts = frame.merge(images, on="image_id", how="left", suffixes=("_said", ""))
    yield from _unreadable(facts, Check.UNREADABLE_IMAGES, "images")
    yield from _blank(facts)
    yield from _duplicates(facts)
    yield from _moved_copies(facts)
    sizes = facts[["image_id", "kind", "rows", "columns"]]
    masks = looks[looks["place"] >= 0].merge(
        sizes, on="image_id", how="left", suffixes=("", "_of_image")
    )
    yield from _unreadable(masks, Check.UNREADABLE_MASKS, "masks")
    yield from _masks(masks[masks["reason"].isna()])


def _unreadable(facts: pd.DataFrame, check: Check, noun: str) -> Iterator[Finding]:
    rows = facts["reason"].notna()
    if rows.any():
        counts = facts.loc[rows, "reason"].value_counts()
        why = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        detail = f"{int(rows.sum()):,} of {len(facts):,} {noun} cannot be decoded: {why}"
        yield found(check, rows.sum(), detail, examples_of(facts, rows))


def _blank(facts: pd.DataFrame) -> Iterator[Finding]:
    rows = _true(facts["blank"])
    if rows.any():
        detail = f"{np.count_nonzero(rows):,} images are all of one value"
        yield found(Check.BLANK_IMAGES, np.count_nonzero(rows), detail, examples_of(facts, rows))


def _duplicates(facts: pd.DataFrame) -> Iterator[Finding]:
    """Images with the same pixels; the files of one film are noted only."""
    seen = facts[facts["pixel_hash"].notna() & ~_true(facts["blank"])]
    rows = seen[seen["pixel_hash"].duplicated(keep=False)]
    if rows.empty:
        return
    for column, check, noun in (
        ("split", Check.DUPLICATES_ACROSS_SIDES, "sides of the split column"),
        ("patient_id", Check.DUPLICATES_ACROSS_WOMEN, "women"),
    ):
        torn, count = on_several_sides(rows["pixel_hash"], rows[column])
        if count:
            detail = (
                f"{count:,} pictures, pixel for pixel, stand on several {noun}: "
                f"{np.count_nonzero(torn):,} images"
            )
            yield found(check, count, detail, examples_of(rows, torn))
    torn, count = _disagreeing_pixels(rows)
    if count:
        detail = f"{count:,} pictures are labelled with cancer in one file, without in another"
        yield found(Check.CONTRADICTING_PIXELS, count, detail, examples_of(rows, torn))
    films = rows["film_id"].astype("object").fillna(rows["image_id"])
    of_one_film = films.groupby(rows["pixel_hash"]).nunique().eq(1).all()
    surplus = len(rows) - rows["pixel_hash"].nunique()
    detail = (
        f"{surplus:,} images repeat the pixels of another one"
        f"{', all of them as files of one film' if of_one_film else ''}"
    )
    make = noted if of_one_film else found
    yield make(Check.DUPLICATES, surplus, detail, examples_of(rows, np.ones(len(rows), bool)))


def _moved_copies(facts: pd.DataFrame) -> Iterator[Finding]:
    """Images that hold the same values in other places: mirrored, turned or padded copies."""
    seen = facts[facts["content_hash"].notna()]
    pictures = seen.groupby("content_hash")["pixel_hash"].transform("nunique")
    rows = seen[pictures > 1]
    if rows.empty:
        return
    how = "mirrored, turned or padded copies of each other"
    torn, count = on_several_sides(rows["content_hash"], rows["split"])
    if count:
        detail = (
            f"{count:,} pictures stand on several sides of the split column as {how}: "
            f"{np.count_nonzero(torn):,} images"
        )
        yield found(Check.COPIES_ACROSS_SIDES, count, detail, examples_of(rows, torn))
    surplus = len(rows) - rows["content_hash"].nunique()
    detail = f"{len(rows):,} images are {how}, {rows['content_hash'].nunique():,} pictures in all"
    yield noted(Check.COPIES, surplus, detail, examples_of(rows, np.ones(len(rows), bool)))


def _disagreeing_pixels(rows: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], int]:
    codes, _ = pd.factorize(rows["pixel_hash"])
    full = (rows["kind"] != Kind.CROP).to_numpy(dtype=bool, na_value=True)
    cancer = rows["cancer"].to_numpy(dtype=np.float64, na_value=np.nan)
    return disagreeing(codes.astype(np.int64), np.where(full, cancer, np.nan))


def _masks(masks: pd.DataFrame) -> Iterator[Finding]:
    """Masks without a pixel of any class, and masks that do not lie on their image."""
    empty = _true(masks["empty"])
    if empty.any():
        count = np.count_nonzero(empty)
        detail = f"{count:,} of {len(masks):,} masks have no pixel of any class"
        yield found(Check.EMPTY_MASKS, count, detail, examples_of(masks, empty))
    films = masks[(masks["kind"] != Kind.CROP) & masks["rows_of_image"].notna()]
    size, image = films[["rows", "columns"]], films[["rows_of_image", "columns_of_image"]]
    differs = (size.to_numpy() != image.to_numpy()).any(axis=1)
    aspect = (size["rows"] / size["columns"]).to_numpy(dtype=np.float64)
    expected = (image["rows_of_image"] / image["columns_of_image"]).to_numpy(dtype=np.float64)
    stretched = differs & (np.abs(aspect / expected - 1) > _SAME_ASPECT)
    scaled = differs & ~stretched
    if stretched.any():
        count = np.count_nonzero(stretched)
        detail = (
            f"{count:,} of {len(films):,} masks have another aspect than their image (by up to "
            f"{100 * np.abs(aspect / expected - 1)[stretched].max():.0f} %): they cannot lie on it"
        )
        yield found(Check.MASK_ASPECT, count, detail, examples_of(films, stretched))
    if scaled.any():
        count = np.count_nonzero(scaled)
        detail = f"{count:,} of {len(films):,} masks have another size than their image, same shape"
        yield noted(Check.MASK_SIZE, count, detail, examples_of(films, scaled))


def _true(column: pd.Series) -> npt.NDArray[np.bool_]:
    """Where a column of true, false and null is true."""
    return np.asarray(column.fillna(value=False), dtype=bool)
