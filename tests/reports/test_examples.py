"""Which images a report shows, and how they become pictures."""

import cv2
import numpy as np
import pandas as pd
import pytest

from mammo_ray.reports.examples import choose_examples, to_picture


def ranked(count: int) -> pd.DataFrame:
    """`count` images; img-000 has the highest score."""
    ids = [f"img-{k:03d}" for k in range(count)]
    return pd.DataFrame({"image_id": ids, "score": np.linspace(1, 0, count)})


def test_highest_middle_and_lowest_scores_are_chosen() -> None:
    chosen = choose_examples(ranked(101).sample(frac=1, random_state=0), each=3)
    groups = {str(name): list(part["image_id"]) for name, part in chosen.groupby("group")}
    assert groups == {
        "Highest scores": ["img-000", "img-001", "img-002"],
        "Middle of the ranking": ["img-049", "img-050", "img-051"],
        "Lowest scores": ["img-098", "img-099", "img-100"],
    }


@pytest.mark.parametrize("count", range(14))
def test_no_image_is_shown_twice_and_few_images_are_all_shown(count: int) -> None:
    chosen = choose_examples(ranked(count), each=4)
    assert chosen["image_id"].is_unique
    assert len(chosen) == min(count, 12)


def test_unscored_images_are_left_aside() -> None:
    scores = ranked(3)
    scores.loc[1, "score"] = np.nan
    assert list(choose_examples(scores, each=4)["image_id"]) == ["img-000", "img-002"]


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_a_picture_keeps_its_gray_levels_and_shape(dtype: type, white: int) -> None:
    pixels = np.zeros((1024, 512), dtype)
    pixels[:, :256] = white // 2
    picture = cv2.imdecode(np.frombuffer(to_picture(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (384, 192)
    assert (picture[100, 10], picture[100, 180]) == (127, 0)
