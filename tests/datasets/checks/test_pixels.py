"""Duplicates, blank images and masks, from looks made by hand."""

from typing import Any

import pandas as pd
import pyarrow as pa

from mammo_ray.datasets.checks.finding import Check, Finding, Severity
from mammo_ray.datasets.checks.looks import LOOKS
from mammo_ray.datasets.checks.pixels import check_pixels
from tests.datasets.checks.frames import answer, frame


def _looks(*looks: dict[str, Any]) -> pd.DataFrame:
    plain = {"place": -1, "rows": 100, "columns": 50, "blank": False}
    known = [
        {"image_id": f"img-{k}", "pixel_hash": f"h{k}", "content_hash": f"c{k}", **plain, **look}
        for k, look in enumerate(looks)
    ]
    return pa.Table.from_pylist(known, LOOKS).to_pandas()


def _mask(image: str, place: int = 0, **facts: object) -> dict[str, Any]:
    nothing = {"blank": None, "pixel_hash": None, "content_hash": None, "empty": False}
    return {"image_id": image, "place": place, **nothing, **facts}


def _checked(rows: list[dict[str, Any]], *looks: dict[str, Any]) -> list[Finding]:
    return list(check_pixels(frame(*rows), _looks(*looks)))


def test_the_same_pixels_on_two_sides_of_two_women_with_two_labels_are_found() -> None:
    rows = [
        {"patient_id": "A", "split": "train", "cancer": 0},
        {"patient_id": "B", "split": "test", "cancer": 1},
        {"patient_id": "C", "split": "test", "cancer": 1},
    ]
    answers = _checked(rows, {}, {"pixel_hash": "h0"}, {})
    for check in (
        Check.DUPLICATES_ACROSS_SIDES,
        Check.DUPLICATES_ACROSS_WOMEN,
        Check.CONTRADICTING_PIXELS,
        Check.DUPLICATES,
    ):
        found = answer(answers, check)
        assert found is not None, check
        assert (found.severity, found.count) == (Severity.FINDING, 1)
        assert found.examples == ("img-0", "img-1")


def test_two_files_of_one_film_are_noted_only() -> None:
    rows = [{"patient_id": "A", "film_id": "f", "split": "train", "cancer": 1}] * 2
    answers = _checked(rows, {}, {"pixel_hash": "h0", "content_hash": "c0"})
    assert [one.check for one in answers] == [Check.DUPLICATES]
    assert answers[0].severity == Severity.NOTE


def test_a_mirrored_copy_on_the_other_side_is_found() -> None:
    rows = [{"patient_id": "A", "split": "train"}, {"patient_id": "B", "split": "test"}]
    answers = _checked(rows, {}, {"content_hash": "c0"})
    found = answer(answers, Check.COPIES_ACROSS_SIDES)
    assert found is not None
    assert (found.severity, found.count) == (Severity.FINDING, 1)
    assert answer(answers, Check.DUPLICATES) is None


def test_blank_images_are_found_and_are_no_duplicates() -> None:
    rows = [{"patient_id": "A"}, {"patient_id": "B"}]
    blank = {"blank": True, "pixel_hash": "zero", "content_hash": None}
    answers = _checked(rows, blank, blank)
    assert [(one.check, one.count) for one in answers] == [(Check.BLANK_IMAGES, 2)]


def test_files_that_cannot_be_decoded_are_counted_by_reason() -> None:
    bad = {"reason": "decoder-crash", "pixel_hash": None, "content_hash": None, "blank": None}
    rows = [{"mask_uris": ["m"]}, {}]
    mask = _mask("img-0", reason="unreadable-file", rows=None, columns=None, empty=None)
    answers = _checked(rows, bad, {}, mask)
    images, masks = (
        answer(answers, check) for check in (Check.UNREADABLE_IMAGES, Check.UNREADABLE_MASKS)
    )
    assert images is not None
    assert images.detail == "1 of 2 images cannot be decoded: 1 decoder-crash"
    assert masks is not None
    assert masks.examples == ("img-0",)


def test_masks_that_are_empty_stretched_or_scaled_are_told_apart() -> None:
    masks = [
        _mask("img-0"),
        _mask("img-0", 1, empty=True),
        _mask("img-1", rows=50, columns=25),
        _mask("img-2", rows=50, columns=50),
    ]
    answers = _checked([{}, {}, {}], {}, {}, {}, *masks)
    empty, aspect, size = (
        answer(answers, check) for check in (Check.EMPTY_MASKS, Check.MASK_ASPECT, Check.MASK_SIZE)
    )
    assert empty is not None
    assert (empty.severity, empty.count, empty.examples) == (Severity.FINDING, 1, ("img-0",))
    assert aspect is not None
    assert (aspect.severity, aspect.count, aspect.examples) == (Severity.FINDING, 1, ("img-2",))
    assert "by up to 50 %" in aspect.detail
    assert size is not None
    assert (size.severity, size.count, size.examples) == (Severity.NOTE, 1, ("img-1",))


def test_sound_pixels_have_nothing_to_say() -> None:
    assert _checked([{"patient_id": "A"}, {"patient_id": "B"}], {}, {}, _mask("img-0")) == []
