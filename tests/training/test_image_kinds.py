"""Kinds of image are trained on together only where they are named."""

import pandas as pd
import pytest

from mammo_ray.errors import InputError
from mammo_ray.training.image_kinds import keep_kinds, kind_counts


def _frame(*kinds: str | None) -> pd.DataFrame:
    return pd.DataFrame({"image_kind": kinds, "image_id": [f"i{k}" for k in range(len(kinds))]})


@pytest.mark.parametrize("kinds", [("ffdm", "ffdm"), (None, None)])
def test_one_kind_needs_no_name(kinds: tuple[str | None, ...]) -> None:
    assert len(keep_kinds(_frame(*kinds), None)) == 2


@pytest.mark.parametrize("other", ["synthetic-2d", "film", None])
def test_several_kinds_are_refused_with_their_numbers(other: str | None) -> None:
    with pytest.raises(InputError) as caught:
        keep_kinds(_frame("ffdm", other, "ffdm"), None)
    assert f"(ffdm 2, {other or 'unknown'} 1)" in str(caught.value)
    assert "data.image_kinds" in str(caught.value)


def test_named_kinds_are_pooled_and_others_left_out() -> None:
    frame = _frame("ffdm", "synthetic-2d", None, "film")
    assert keep_kinds(frame, ("ffdm", "film"))["image_id"].tolist() == ["i0", "i3"]
    assert keep_kinds(frame, ("unknown",))["image_id"].tolist() == ["i2"]
    with pytest.raises(InputError, match="no image is of a kind"):
        keep_kinds(frame, ("contrast",))


def test_kinds_are_counted_the_most_frequent_first() -> None:
    assert kind_counts(_frame("film", "ffdm", None, "ffdm")) == {"ffdm": 2, "film": 1, "unknown": 1}
