"""Case names: long and short form, and which fit together."""

import pytest

from mammo_ray.datasets.cbis.case_names import CaseName, case_in_path, parse_case_name
from mammo_ray.schema import Laterality

LESION = CaseName("mass", "train", "P_00001", Laterality.LEFT, "CC", 1)


def test_a_case_name_tells_table_split_patient_side_view_and_lesion() -> None:
    assert parse_case_name("Mass-Training_P_00001_LEFT_CC_1") == LESION
    assert parse_case_name("Mass-Training_P_00001_LEFT_CC") == LESION.film()
    assert parse_case_name("Calc-Test_P_00038_RIGHT_MLO_2") == CaseName(
        "calc", "test", "P_00038", Laterality.RIGHT, "MLO", 2
    )


def test_the_short_form_of_masks_fits_either_table() -> None:
    short = parse_case_name("P_00001_LEFT_CC_1.dcm")
    assert short is not None
    assert short.table is None
    assert LESION.fits(short)
    assert not LESION.film().fits(short)


@pytest.mark.parametrize("text", ["", None, "P_1", "Mass-Training_P_00001_UP_CC_1", "1.2.840.1"])
def test_other_texts_name_no_case(text: str | None) -> None:
    assert parse_case_name(text) is None


@pytest.mark.parametrize(
    "other",
    [
        "Calc-Training_P_00001_LEFT_CC_1",
        "Mass-Test_P_00001_LEFT_CC_1",
        "Mass-Training_P_00002_LEFT_CC_1",
        "Mass-Training_P_00001_RIGHT_CC_1",
        "Mass-Training_P_00001_LEFT_MLO_1",
        "Mass-Training_P_00001_LEFT_CC_2",
    ],
)
def test_names_that_differ_in_one_part_do_not_fit(other: str) -> None:
    case = parse_case_name(other)
    assert case is not None
    assert not LESION.fits(case)


def test_the_innermost_folder_names_the_case_and_file_names_do_not() -> None:
    inner = "Mass-Training_P_00001_LEFT_CC_1"
    assert case_in_path(f"Calc-Test_P_00038_LEFT_CC/{inner}/1.2/x.dcm") == LESION
    assert case_in_path(f"x/{inner}") is None
    assert case_in_path("P_00001_LEFT_CC_1/x.dcm") is None
