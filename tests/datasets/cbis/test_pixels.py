"""Crop or mask: what pixels, texts, bits and sizes may decide, and what stays ambiguous."""

from dataclasses import replace

import pytest

from mammo_ray.datasets.cbis.pixels import Evidence, Status, judge_film, tell_apart
from mammo_ray.schema import Kind

FILM = Evidence(told_kind=Kind.FULL, told_bits=16, told_size=(5000, 3000), size=(5000, 3000))
MASK = Evidence(told_kind=Kind.MASK, told_bits=8, told_size=(5000, 3000))
CROP = Evidence(told_kind=Kind.CROP, told_bits=16, told_size=(300, 200))
MASK_SEEN = Evidence(size=(5000, 3000), bits=8, near_binary=1.0)
CROP_SEEN = Evidence(size=(300, 200), bits=16, near_binary=0.01)


@pytest.mark.parametrize(
    ("first", "second", "mask_is_first"),
    [(MASK_SEEN, CROP_SEEN, True), (CROP_SEEN, MASK_SEEN, False)],
)
def test_pixels_tell_whichever_comes_first(
    first: Evidence, second: Evidence, mask_is_first: bool
) -> None:
    verdict = tell_apart(first, second, FILM)
    assert (verdict.status, verdict.mask_is_first) == (Status.RESOLVED, mask_is_first)
    assert verdict.by_pixels


@pytest.mark.parametrize("share", [0.01, 1.0])
def test_two_files_that_look_alike_are_ambiguous(share: float) -> None:
    pair = [replace(seen, near_binary=share) for seen in (MASK_SEEN, CROP_SEEN)]
    verdict = tell_apart(pair[0], pair[1], FILM)
    assert verdict.status == Status.AMBIGUOUS
    assert "look alike" in verdict.how


def test_the_limit_of_a_mask_is_99_percent() -> None:
    crop = replace(CROP_SEEN, bits=None, size=None)
    for share, status in ((0.99, Status.RESOLVED), (0.9899, Status.AMBIGUOUS)):
        mask = replace(MASK_SEEN, near_binary=share, size=None, bits=None)
        assert tell_apart(mask, crop, FILM).status == status


@pytest.mark.parametrize(
    ("mask", "crop", "word"),
    [
        (replace(MASK_SEEN, bits=16), replace(CROP_SEEN, bits=8), "bits"),
        (replace(MASK_SEEN, size=(300, 200)), replace(CROP_SEEN, size=(5000, 3000)), "sizes"),
    ],
)
def test_pixels_against_bits_or_sizes_are_ambiguous(
    mask: Evidence, crop: Evidence, word: str
) -> None:
    verdict = tell_apart(mask, crop, FILM)
    assert verdict.status == Status.AMBIGUOUS
    assert word in verdict.how


def test_a_file_alone_is_told_by_its_pixels() -> None:
    assert tell_apart(MASK_SEEN, None, FILM).mask_is_first
    verdict = tell_apart(CROP_SEEN, None, FILM)
    assert (verdict.status, verdict.mask_is_first) == (Status.RESOLVED, False)


def test_a_file_whose_partner_could_not_be_read_is_told_by_its_pixels() -> None:
    assert not tell_apart(Evidence(), MASK_SEEN, FILM).mask_is_first
    assert tell_apart(Evidence(), CROP_SEEN, FILM).mask_is_first


def test_texts_decide_where_all_is_there_and_agrees() -> None:
    verdict = tell_apart(CROP, MASK, FILM)
    assert (verdict.status, verdict.mask_is_first) == (Status.RESOLVED, False)
    assert not verdict.by_pixels


@pytest.mark.parametrize("gap", ["told_kind", "told_bits", "told_size"])
@pytest.mark.parametrize("side", [0, 1])
def test_texts_with_a_gap_need_pixels(gap: str, side: int) -> None:
    pair = [MASK, CROP]
    pair[side] = replace(pair[side], **{gap: None})
    assert tell_apart(pair[0], pair[1], FILM).status == Status.NEEDS_PIXELS


@pytest.mark.parametrize("change", [{"told_kind": Kind.CROP}, {"told_bits": 16}])
def test_texts_that_contradict_need_pixels(change: dict[str, object]) -> None:
    verdict = tell_apart(replace(MASK, **change), CROP, FILM)
    assert verdict.status == Status.NEEDS_PIXELS
    assert "contradicts" in verdict.how


@pytest.mark.parametrize(("second", "film"), [(None, FILM), (CROP, None)])
def test_texts_without_partner_or_film_need_pixels(
    second: Evidence | None, film: Evidence | None
) -> None:
    assert tell_apart(MASK, second, film).status == Status.NEEDS_PIXELS


def test_records_that_the_sizes_show_interchanged_are_read_so() -> None:
    first, second = replace(MASK, size=(300, 200)), replace(CROP, size=(5000, 3000))
    verdict = tell_apart(first, second, FILM)
    assert (verdict.status, verdict.mask_is_first) == (Status.RESOLVED, False)


def test_texts_with_sizes_of_neither_file_are_ambiguous() -> None:
    first, second = replace(MASK, size=(300, 200)), replace(CROP, size=(310, 210))
    assert tell_apart(first, second, FILM).status == Status.AMBIGUOUS


def test_a_fault_of_either_file_goes_before_all() -> None:
    for pair in ((replace(MASK_SEEN, fault="x"), CROP_SEEN), (MASK_SEEN, Evidence(fault="x"))):
        verdict = tell_apart(*pair, FILM)
        assert (verdict.status, verdict.how) == (Status.AMBIGUOUS, "x")


@pytest.mark.parametrize(
    ("film", "status"),
    [
        (Evidence(), Status.RESOLVED),
        (FILM, Status.RESOLVED),
        (replace(FILM, told_kind=Kind.MASK), Status.NEEDS_PIXELS),
        (replace(FILM, told_bits=8), Status.NEEDS_PIXELS),
        (replace(FILM, told_bits=8, near_binary=0.2), Status.RESOLVED),
        (replace(FILM, told_bits=8, near_binary=1.0), Status.AMBIGUOUS),
        (replace(FILM, told_kind=Kind.CROP), Status.AMBIGUOUS),
        (replace(FILM, fault="x"), Status.AMBIGUOUS),
    ],
)
def test_a_film_is_the_only_file_of_its_series_unless_something_speaks_against_it(
    film: Evidence, status: Status
) -> None:
    assert judge_film(film).status == status
