"""The table for people, and the rows that checks read."""

from mammo_ray.datasets.checks.all_checks import check_rows
from mammo_ray.datasets.checks.finding import Check, examples_of, found, noted, table_of
from mammo_ray.datasets.checks.rows import CHECKED_COLUMNS, checked_rows
from tests.datasets.checks.frames import frame, table


def test_findings_stand_before_notes_in_the_table() -> None:
    answers = [noted(Check.UNLABELLED, 3, "three"), found(Check.SHARED_WOMEN, 1200, "many")]
    lines = table_of(answers, {"images": 5, "women": 2, "decoded": 0}).splitlines()
    assert lines[0] == "1 findings and 1 notes on 5 images of 2 women (pixels not looked at)"
    assert lines[1].split() == ["finding", "women-on-several-sides", "1,200", "many"]
    assert lines[2].startswith("note")


def test_long_details_are_wrapped_under_their_column() -> None:
    lines = table_of([found(Check.MIXED, 1, "word " * 40)], {"images": 1, "women": 1}).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 100
    assert {len(line) - len(line.lstrip()) for line in lines[2:]} == {lines[1].index("word")}


def test_at_most_five_examples_are_given_in_order() -> None:
    rows = frame(*({} for _ in range(9)))
    assert examples_of(rows, rows["image_id"] != "img-1") == (
        "img-0", "img-2", "img-3", "img-4", "img-5",
    )  # fmt: skip


def test_few_columns_are_enough_for_every_check() -> None:
    rows = checked_rows(table({"patient_id": "P", "cancer": 1}).select(CHECKED_COLUMNS))
    checks = {one.check for one in check_rows(rows, {})}
    assert checks == {Check.CLASS_BALANCE, Check.UNKNOWN_VIEWS, Check.MISSING_VIEWS}


def test_entries_of_lists_are_counted_where_they_hold_something() -> None:
    rows = frame({"mask_uris": [None, "m"]}, {"mask_uris": []}, {}, {"mask_uris": ["a", "b"]})
    assert rows["masks"].tolist() == [1, 0, 0, 2]
    assert rows["lesions"].tolist() == [0, 0, 0, 0]
