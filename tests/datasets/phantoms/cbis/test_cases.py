"""Rows of case tables for a phantom: real or invented, byte for byte."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.cbis.tables import read_case_tables as read_as_reader
from mammo_ray.datasets.phantoms.cbis.cases import (
    TABLES,
    CaseTable,
    choose_rows,
    parse_case_table,
    read_case_tables,
    read_jpeg_tree,
    series_of,
)
from mammo_ray.datasets.phantoms.cbis.files import write_tables
from mammo_ray.datasets.phantoms.cbis.invented import invent_case_tables, invent_jpeg_tree
from mammo_ray.errors import InputError
from mammo_ray.schema import Kind
from tests.datasets.reading import source_of

COUNT = 260


@pytest.fixture(scope="module")
def invented() -> list[CaseTable]:
    return invent_case_tables(COUNT, 3, 0.3)


def test_a_table_is_its_bytes_again(invented: list[CaseTable]) -> None:
    for table in invented:
        assert parse_case_table(table.name, table.content).content == table.content
        assert all(row.record.count(b'dcm\n"') == 1 for row in table.rows)


def test_a_chosen_row_keeps_its_bytes_and_the_header_stays(invented: list[CaseTable]) -> None:
    chosen = choose_rows(invented, 40, 1)
    assert sum(len(table.rows) for table in chosen) == 40
    for before, after in zip(invented, chosen, strict=True):
        records = [row.record for row in before.rows]
        places = [records.index(row.record) for row in after.rows]
        assert places == sorted(places)
        assert after.content == before.header + b"".join(row.record for row in after.rows)
        assert [row.number for row in after.rows] == list(range(1, len(after.rows) + 1))


def test_a_small_choice_holds_what_is_rare(invented: list[CaseTable]) -> None:
    rows = [row for table in choose_rows(invented, 20, 5) for row in table.rows]
    assert {row.table for row in rows} == set(TABLES)
    films: dict[object, list[str]] = {}
    women: dict[str, set[str]] = {}
    for row in rows:
        films.setdefault(row.film, []).append(row.table[:4])
        women.setdefault(row.patient_id, set()).add(row.split)
    assert any(len(set(tables)) == 2 for tables in films.values())
    assert any(len(tables) > 2 for tables in films.values())
    assert any(len(splits) == 2 for splits in women.values())
    assert not all(row.one_series for row in rows)


@pytest.mark.parametrize("count", [3, COUNT + 1])
def test_more_or_fewer_rows_than_can_be_are_refused(invented: list[CaseTable], count: int) -> None:
    with pytest.raises(InputError, match=f"4 to {COUNT} rows"):
        choose_rows(invented, count, 0)


def test_the_reader_finds_no_fault_in_invented_tables(
    invented: list[CaseTable], tmp_path: Path
) -> None:
    write_tables(tmp_path, invented)
    table = read_as_reader(source_of(tmp_path, tables_only=True))
    assert (len(table), table["fault"].notna().sum()) == (COUNT, 0)
    assert {"MALIGNANT", "BENIGN", "BENIGN_WITHOUT_CALLBACK"} == set(table["pathology"])
    assert table["density"].isna().any()
    assert table["subtlety"].isna().any()
    assert (table["assessment"] == 0).any()


def test_one_invented_series_has_no_pictures(invented: list[CaseTable]) -> None:
    tree = invent_jpeg_tree(invented, 3)
    rows = [row for table in invented for row in table.rows]
    lost = [row for row in rows if series_of(row.paths[Kind.CROP]) not in tree]
    assert len(lost) == 1
    assert all(series_of(row.paths[Kind.FULL]) in tree for row in rows)
    assert {len(names) for names in tree.values()} == {1, 2}


def test_wrong_tables_are_refused_by_name(tmp_path: Path, invented: list[CaseTable]) -> None:
    with pytest.raises(InputError, match=r"calc_case_description_test_set\.csv was expected"):
        read_case_tables(tmp_path)
    content = invented[0].content
    with pytest.raises(InputError, match="lacks the columns"):
        parse_case_table("t", content.replace(b"ROI mask file path", b"mask"))
    with pytest.raises(InputError, match="row 1"):
        parse_case_table("t", content.replace(b"Calc-Test_P", b"../P", 1))
    with pytest.raises(InputError, match="not text in UTF-8"):
        parse_case_table("t", content.replace(b"BENIGN", b"B\xff", 1))


def test_a_tree_with_a_name_that_is_a_path_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "kaggle_jpeg_tree.csv"
    tree.write_text("series_instance_uid,file\n1.2,3/1-001.jpg\n")
    with pytest.raises(InputError, match="not a folder and a file"):
        read_jpeg_tree(tmp_path)
    tree.write_text("series_instance_uid,file\n1.2,../../1-001.jpg\n")
    with pytest.raises(InputError):
        read_jpeg_tree(tmp_path)


def test_real_rows_are_byte_for_byte_those_of_the_real_tables(real_data: Path) -> None:
    folder = real_data / "cbis_ddsm"
    for name in TABLES:
        content = (folder / f"{name}.csv").read_bytes()
        assert parse_case_table(name, content).content == content
    chosen = choose_rows(read_case_tables(folder), 300, 0)
    assert sum(len(table.rows) for table in chosen) == 300
    for table in chosen:
        real = pd.read_csv(folder / f"{table.name}.csv", dtype=str, keep_default_na=False)
        for row in table.rows:
            assert row.record in (folder / f"{table.name}.csv").read_bytes()
            assert row.paths[Kind.CROP] in set(real["cropped image file path"].str.strip())
