"""Columns of a published table: values, gaps, and refusals by line."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from mammo_ray.datasets.checked_table import CheckedTable, assessment_of
from mammo_ray.errors import InputError
from mammo_ray.storage import StoredFile


def table(**columns: list[str]) -> CheckedTable:
    return CheckedTable("t.csv", pd.DataFrame(columns, dtype="str"))


def test_white_space_is_dropped_and_empty_is_null() -> None:
    assert table(a=[" x ", "", "   "]).texts("a").to_pylist() == ["x", None, None]
    assert table(a=["x"]).texts("b").to_pylist() == [None]


def test_words_are_looked_up_and_unknown_ones_refused_where_they_stand() -> None:
    words = table(a=["1", "", " 0", "1"])
    values = words.words("a", {"0": False, "1": True}, pa.bool_())
    assert values.to_pylist() == [True, None, False, True]
    with pytest.raises(InputError, match=r"t.csv line 4: a is ' 0', expected one of \['1'\]"):
        words.words("a", {"1": 1}, pa.int8())
    with pytest.raises(InputError, match="line 3: a is '', expected a value"):
        words.words("a", {"0": 0, "1": 1}, pa.int8(), required=True)


def test_numbers_have_a_range() -> None:
    assert table(a=["1.5", ""]).numbers("a", 0, 2).to_pylist() == [1.5, None]
    for text in ("3", "-1", "x", "nan", "inf"):
        with pytest.raises(
            InputError, match=f"line 3: a is '{text}', expected a number from 0 to 2"
        ):
            table(a=["1", text]).numbers("a", 0, 2)


@pytest.mark.parametrize("text", ["..", "a/b", "/a", "a\\b", "C:", ".hidden", "a\nb", "", "~"])
def test_a_name_stays_in_its_folder(text: str) -> None:
    with pytest.raises(InputError, match="line 2"):
        table(a=[text]).names("a")


def test_a_name_stands_once() -> None:
    assert table(a=["x", "y..z"]).unique("a").to_pylist() == ["x", "y..z"]
    with pytest.raises(InputError, match=r"line 4: a is 'x ', .*line 2 has the same"):
        table(a=["x", "y", "x "]).unique("a")


def test_an_assessment_is_read_from_its_words() -> None:
    assert assessment_of("BI-RADS 4") == "4"
    for word in ("BI-RADS 7", "4", "BI-RADS 4 "):
        with pytest.raises(KeyError):
            assessment_of(word)


def test_rows_with_more_fields_than_the_header_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2,\n3,4,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"t\.csv has rows with more fields than its header"):
        CheckedTable.read(StoredFile("t.csv", str(path), 16), ("a", "b"))
