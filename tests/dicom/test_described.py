"""Whole words in free text, quoted without the rest of it."""

import pytest
from pydicom.dataset import Dataset

from mammo_ray.dicom.described import find_words, plain_words, words_pattern
from mammo_ray.dicom.elements import Elements


def _elements(**values: object) -> Elements:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return Elements(dataset)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Flat-Field 28kV of Jane Doe", True),
        ("FLAT_FIELD", True),
        ("flatfield", True),
        ("inflat fields", False),
        ("flat breast, field of view", False),
    ],
)
def test_only_whole_words_count(text: str, found: bool) -> None:
    elements = _elements(SeriesDescription=text)
    said = find_words(elements, ["SeriesDescription"], words_pattern("FLAT ?FIELD"))
    assert (said is not None) == found
    assert "Jane" not in (said or "")


def test_elements_are_searched_in_order_and_absent_ones_passed_over() -> None:
    elements = _elements(ProtocolName="QC", ImageType=["ORIGINAL", "QC"])
    order = ["SeriesDescription", "ImageType", "ProtocolName"]
    assert find_words(elements, order, words_pattern("QC")) == "ImageType (0008,0008) says 'QC'"


def test_punctuation_becomes_single_spaces() -> None:
    assert plain_words(" C-View_2 (r) ") == "C VIEW 2 R"
