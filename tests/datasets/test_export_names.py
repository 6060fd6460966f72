"""Names of exported files."""

import re
import time

import numpy as np
import pandas as pd
import pytest

from mammo_ray.datasets.export_names import (
    DEFAULT_TEMPLATE,
    FIELDS,
    export_names,
    template_fields,
)
from mammo_ray.errors import UsageError
from mammo_ray.schema import MANIFEST


def rows(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_every_field_is_a_column_of_the_manifest() -> None:
    assert set(FIELDS) <= set(MANIFEST.names)
    assert "uri" not in FIELDS


def test_names_follow_the_template() -> None:
    table = rows(
        patient_id=["P_1", "P 2/x"], laterality=["L", None], view_position=["CC", "MLO"],
        kind=["full", "crop"],
    )  # fmt: skip
    assert export_names(table, DEFAULT_TEMPLATE) == ["P_1_L_CC_full", "P_2_x_unknown_MLO_crop"]


def test_ids_that_would_read_alike_stay_apart() -> None:
    long = "1." * 40
    table = rows(patient_id=["A_1", "A/1", "A 1", "A/1", long + "1", long + "2", "B/1"])
    plain, *others = export_names(table, "{patient_id}")
    assert plain == "A_1"
    slash, space, again, first, second, alone = others
    assert alone == "B_1"
    assert again == f"{slash}_2"
    assert len({plain, slash, space, first, second}) == 5
    assert all(re.fullmatch(r"A_1-[0-9a-f]{8}", name) for name in (slash, space))
    assert len(first) == len(second) == 64


def test_a_template_can_make_folders() -> None:
    table = rows(split=["train", "test"], cancer=[1.0, np.nan], image_id=["a", "b"])
    assert export_names(table, "{split}/{cancer}/{image_id}") == ["train/1/a", "test/unknown/b"]


def test_equal_names_are_numbered_in_row_order_and_never_take_a_given_one() -> None:
    table = rows(patient_id=["a", "a", "a_2", "A", "b"])
    assert export_names(table, "{patient_id}") == ["a", "a_3", "a_2", "A_4", "b"]


@pytest.mark.parametrize("value", ["../../etc", "..", ".", "", "/", "a\\b", ".hidden", "x" * 500])
def test_no_value_leaves_the_folder_or_hides_a_file(value: str) -> None:
    [name] = export_names(rows(patient_id=[value]), "{patient_id}")
    assert name
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith(".")
    assert len(name) <= 64


def test_a_part_of_a_path_is_never_empty_or_dots() -> None:
    [name] = export_names(rows(split=[".."], image_id=[""]), "{split}/{image_id}/x")
    assert name == "unknown/unknown/x"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{uri}", r"\['uri'\]; a field is one of: \{image_id\}, \{patient_id\}"),
        ("{name}_{kind}", "'name'"),
        ("{kind!r}", "a format"),
        ("{kind:>10}", "a format"),
        ("{kind.__class__}", "__class__"),
        ("{}", "''"),
        ("{kind", "not a template"),
        ("film", "no field"),
        ("/{kind}", "relative path"),
        ("../{kind}", "relative path"),
        ("a/../{kind}", "relative path"),
        ("a\\{kind}", "relative path"),
    ],
)
def test_another_template_is_refused(template: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        template_fields(template)


def test_a_million_names_take_seconds() -> None:
    many = pd.DataFrame(
        {
            "patient_id": np.repeat(np.arange(250_000).astype(str), 4),
            "laterality": np.tile(["L", "R"], 500_000),
            "view_position": np.tile(["CC", "CC", "MLO", "MLO"], 250_000),
            "kind": "full",
        }
    )
    started = time.monotonic()
    names = export_names(many, DEFAULT_TEMPLATE)
    assert len(set(names)) == 1_000_000
    assert time.monotonic() - started < 30
