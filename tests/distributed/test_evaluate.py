"""Only women never trained on are judged, and everyone left out is counted."""

import pandas as pd

from mammo_ray.distributed.evaluate import keep_held_out

SPLIT = pd.DataFrame(
    [("a", "W1", "train"), ("b", "W2", "valid"), ("c", "W3", "test")],
    columns=["image_id", "patient_id", "split"],
)


def _scores(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image_id", "patient_id", "status"])


def test_women_of_train_and_valid_are_left_out_with_all_their_images() -> None:
    frame = _scores(
        ("a", "W1", "scored"),
        ("new", "W1", "scored"),  # a later exam of a woman that was trained on
        ("b", "W2", "scored"),
        ("c", "W3", "scored"),
    )
    held_out = keep_held_out(frame, SPLIT)
    assert held_out.frame["image_id"].tolist() == ["c"]
    assert held_out.counts["left_out_trained_on"] == 3


def test_a_woman_is_known_by_her_images_where_her_id_has_changed() -> None:
    frame = _scores(("a", "other", "scored"), ("x", "other", "scored"), ("c", "W3", "scored"))
    assert keep_held_out(frame, SPLIT).frame["image_id"].tolist() == ["c"]


def test_women_that_the_model_has_never_seen_are_judged_and_told_apart() -> None:
    held_out = keep_held_out(_scores(("c", "W3", "scored"), ("y", "W9", "scored")), SPLIT)
    assert held_out.counts["women"] == 2
    assert held_out.counts["women_of_test_split"] == 1


def test_a_split_that_shares_women_is_judged_on_the_images_of_its_test_side() -> None:
    split = pd.DataFrame(
        [("a", "W1", "train"), ("b", "W2", "valid"), ("c", "W1", "test"), ("d", "W3", "test")],
        columns=["image_id", "patient_id", "split"],
    )
    frame = _scores(
        ("a", "W1", "scored"),
        ("c", "W1", "scored"),
        ("d", "W3", "scored"),
        ("new", "W2", "scored"),
    )
    assert keep_held_out(frame, split).frame["image_id"].tolist() == ["d"]
    marked = split.assign(leakage="allowed")
    assert keep_held_out(frame, marked).frame["image_id"].tolist() == ["c", "d"]


def test_images_without_a_patient_or_a_score_are_counted_not_judged() -> None:
    frame = _scores(("c", "W3", "rejected"), ("z", None, "scored"), ("y", "W9", "scored"))
    held_out = keep_held_out(frame, SPLIT)
    assert held_out.frame["image_id"].tolist() == ["y"]
    assert held_out.counts["left_out_unscored"] == 1
    assert held_out.counts["left_out_without_patient"] == 1
