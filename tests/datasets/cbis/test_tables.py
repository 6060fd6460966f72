"""The case tables: their quirks are read, their faults told, their dangers refused."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.cbis.tables import read_case_tables
from mammo_ray.errors import InputError
from tests.datasets.cbis.small import Row, write_case_tables
from tests.datasets.reading import source_of


def _read(folder: Path, *rows: Row) -> pd.DataFrame:
    write_case_tables(folder, *rows)
    return read_case_tables(source_of(folder))


def test_both_spellings_of_density_and_line_breaks_in_paths_are_read(tmp_path: Path) -> None:
    rows = [Row(table="calc"), Row()]
    table = _read(tmp_path, *rows)
    assert table["density"].tolist() == [3, 3]
    assert table["mask_path"].tolist() == [row.mask_path for row in rows]
    assert table["crop_series"].tolist() == [row.crop_series for row in rows]
    assert table["calcification_type"].tolist()[0] == "OVAL"
    assert table["shape"].isna().tolist() == [True, False]
    assert table["fault"].isna().all()


def test_zero_is_unknown_for_density_and_subtlety_and_birads_0_for_the_assessment(
    tmp_path: Path,
) -> None:
    row = _read(tmp_path, Row(changed={"breast_density": "0", "assessment": "0"})).iloc[0]
    assert pd.isna(row["density"])
    assert pd.isna(row["subtlety"])
    assert row["assessment"] == 0


def test_swapped_columns_are_put_in_order_by_their_case_names(tmp_path: Path) -> None:
    row = Row()
    changed = {"image file path": row.crop_path, "cropped image file path": row.full_path}
    table = _read(tmp_path, Row(changed=changed))
    assert table["full_path"].tolist() == [row.full_path]
    assert {table["crop_path"][0], table["mask_path"][0]} == {row.crop_path, row.mask_path}
    assert table["fault"].isna().all()


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("patient_id", "Jane"),
        ("left or right breast", "UP"),
        ("image view", "XX"),
        ("abnormality id", ""),
        ("abnormality type", "calcification"),
        ("breast_density", "7"),
        ("assessment", "9"),
        ("pathology", "UNPROVEN"),
        ("cropped image file path", "a.dcm"),
        ("image file path", Row(patient="P_00002").full_path),
    ],
)
def test_a_field_outside_its_vocabulary_makes_the_row_faulty(
    tmp_path: Path, column: str, text: str
) -> None:
    table = _read(tmp_path, Row(changed={column: text}), Row(number=2))
    assert table["fault"].notna().tolist() == [True, False]
    assert "Jane" not in str(table["fault"][0])


def test_a_repeated_row_counts_once_and_a_contradicting_one_is_a_fault(tmp_path: Path) -> None:
    assert len(_read(tmp_path / "a", Row(), Row())) == 1
    table = _read(tmp_path / "b", Row(), Row(pathology="MALIGNANT"))
    assert table["fault"].notna().tolist() == [True, True]


@pytest.mark.parametrize("path", ["../x/y/z.dcm", "/etc/passwd", "a\\b\\c.dcm", "C:/x/y.dcm"])
def test_paths_that_leave_the_root_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="not a relative path"):
        _read(tmp_path, Row(changed={"ROI mask file path": path}))


def test_missing_tables_columns_and_doubles_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"_case_description_.*seen: nothing"):
        read_case_tables(source_of(tmp_path))
    write_case_tables(tmp_path, Row())
    table = tmp_path / "mass_case_description_train_set.csv"
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / table.name).write_bytes(table.read_bytes())
    with pytest.raises(InputError, match="mass train case table is there twice"):
        read_case_tables(source_of(tmp_path))
    (tmp_path / "copy" / table.name).unlink()
    table.write_text(table.read_text("utf-8").replace("pathology", "verdict"), "utf-8")
    with pytest.raises(InputError, match=r"lacks the columns \['pathology'\]"):
        read_case_tables(source_of(tmp_path))
    table.write_bytes("päthology".encode("latin-1"))
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_case_tables(source_of(tmp_path))
