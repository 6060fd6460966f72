"""Headers: one small read, nothing guessed, a reason for every damaged file."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mammo_ray.dicom.header import FIRST_READ, HeaderFacts, read_header
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import MANIFEST
from tests.dicom.files import (
    EXPLICIT,
    IMPLICIT,
    JPEG,
    dicom_file,
    every_syntax,
    file_of,
    gradient,
    header_of,
)


def counting(content: bytes) -> tuple[Callable[[int, int], bytes], list[tuple[int, int]]]:
    calls: list[tuple[int, int]] = []

    def fetch(start: int, length: int) -> bytes:
        calls.append((start, length))
        return content[start : start + length]

    return fetch, calls


def facts_of(content: bytes) -> HeaderFacts:
    return read_header(counting(content)[0], len(content))


def reason_of(content: bytes) -> str:
    with pytest.raises(ImageRejected) as caught:
        facts_of(content)
    return caught.value.reason


def mammogram(**elements: object) -> bytes:
    return dicom_file(gradient(8, (8, 8)), EXPLICIT, 8, **elements)


def code(value: str, scheme: str = "SCT", **more: object) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "meaning"
    for keyword, element in more.items():
        setattr(item, keyword, element)
    return item


def test_a_large_file_costs_one_read_of_64_kib() -> None:
    content = dicom_file(gradient(12, (600, 500)), EXPLICIT, 12)
    fetch, calls = counting(content)
    facts = read_header(fetch, len(content))
    assert calls == [(0, FIRST_READ)]
    assert facts.has_pixel_data
    assert facts.row["rows"] == 600


@every_syntax
def test_every_syntax_gives_the_same_facts(syntax: str) -> None:
    bits = 12 if syntax == JPEG + "51" else 8
    facts = facts_of(dicom_file(gradient(bits), syntax, bits))
    assert facts.row["transfer_syntax"] == syntax
    assert (facts.row["rows"], facts.row["columns"]) == (96, 80)
    assert facts.row["patient_id"] == "woman-1"
    assert facts.has_pixel_data
    assert facts.notes == ()


@pytest.mark.parametrize("size", [FIRST_READ - 1200, FIRST_READ, 5 * FIRST_READ, 30 * FIRST_READ])
def test_a_long_header_is_read_on_without_reading_twice(size: int) -> None:
    dataset = header_of(gradient(8), 8)
    dataset.add_new(0x00091001, "OB", b"\1" * size)
    dataset.PixelData = bytes(96 * 80)
    content = file_of(dataset) + b"\0" * 500_000
    fetch, calls = counting(content)
    facts = read_header(fetch, len(content))
    assert facts.has_pixel_data
    assert facts.row["rows"] == 96
    ends = [start + length for start, length in calls]
    assert [start for start, _ in calls] == [0, *ends[:-1]]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_prefix_never_passes_for_a_whole_header(syntax: str) -> None:
    content = dicom_file(gradient(8), syntax, 8)
    for size in range(0, content.index(b"\xe0\x7f\x10\x00"), 3):
        with contextlib.suppress(ImageRejected):
            assert not facts_of(content[:size]).has_pixel_data


def test_a_file_cut_between_elements_has_no_pixel_data() -> None:
    content = mammogram()
    facts = facts_of(content[: content.index(b"\xe0\x7f\x10\x00")])
    assert not facts.has_pixel_data
    assert facts.is_image_object


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-file"),
        (b"film,cancer\nmdb001,0\n" * 40, "not-dicom"),
        (b"short", "not-dicom"),
        (bytes(100_000), "not-dicom"),
        (bytes(128) + b"DICM", "header-truncated"),
        (bytes(128) + b"DICM" + b"\xff" * 300, "header-truncated"),
    ],
)
def test_what_is_no_dicom_file_is_rejected(content: bytes, reason: str) -> None:
    assert reason_of(content) == reason


def test_a_listing_longer_than_the_file_is_rejected() -> None:
    content = mammogram()
    with pytest.raises(ImageRejected) as caught:
        read_header(counting(content[:300])[0], 100_000)
    assert caught.value.reason == "file-changed"


def test_keys_of_the_row_are_columns_of_the_manifest() -> None:
    assert set(facts_of(mammogram()).row) <= set(MANIFEST.names)


def test_absent_and_empty_elements_are_none() -> None:
    facts = facts_of(
        mammogram(PatientID="  ", Modality=None, StudyInstanceUID=None, SOPInstanceUID=None)
    )
    assert facts.modality is None
    empty = {
        name
        for name, value in facts.row.items()
        if value is None and name not in ("image_kind", "presentation_intent")
    }
    assert {"patient_id", "study_uid", "sop_uid", "view_position", "laterality", "age"} <= empty
    assert facts.row["view_modifiers"] == []


def test_text_is_cleaned() -> None:
    row = facts_of(
        mammogram(
            Manufacturer=" LORAD ",
            SoftwareVersions=["1.2", "3"],
            AccessionNumber="A1",
            StudyDate="20200131",
            DeviceSerialNumber="7",
        )
    ).row
    assert row["manufacturer"] == "LORAD"
    assert row["software_versions"] == "1.2\\3"
    assert (row["accession"], row["study_date"], row["device_serial"]) == ("A1", "20200131", "7")


@pytest.mark.parametrize(
    ("elements", "laterality"),
    [
        ({"ImageLaterality": "L", "Laterality": "R"}, "L"),
        ({"Laterality": "R"}, "R"),
        ({"ImageLaterality": "B"}, "B"),
        ({"ImageLaterality": ""}, None),
        ({}, None),
    ],
)
def test_image_laterality_goes_before_laterality(
    elements: dict[str, object], laterality: str | None
) -> None:
    assert facts_of(mammogram(**elements)).row["laterality"] == laterality


@pytest.mark.parametrize(
    ("value", "scheme", "view"),
    [
        ("399162004", "SCT", "CC"),
        ("R-10242", "SRT", "CC"),
        ("R-10226", "SNM3", "MLO"),
        ("399368009", "SCT", "MLO"),
        ("399196006", "SCT", "FB"),
        ("399192008", "SCT", "XCCL"),
        ("R-1024B", "SRT", "XCCM"),
        ("R-102CF", "SRT", "XCC"),
        ("R-40AAA", "SRT", "ISO"),
        ("399188001", "SCT", "SIO"),
        ("R-10242", "99LOCAL", "ML"),
        ("R-00000", "SRT", "ML"),
    ],
)
def test_the_view_code_goes_before_view_position(value: str, scheme: str, view: str) -> None:
    content = mammogram(ViewCodeSequence=Sequence([code(value, scheme)]), ViewPosition="ML")
    assert facts_of(content).row["view_position"] == view


def test_view_modifiers_are_named() -> None:
    modifiers = [
        code("R-102D7", "SRT"),
        code("399163009"),
        code("399209000"),
        code("R-102D3", "SNM3"),
    ]
    view = code("399162004", ViewModifierCodeSequence=Sequence(modifiers))
    row = facts_of(mammogram(ViewCodeSequence=Sequence([view]))).row
    assert row["view_modifiers"] == [
        "spot-compression", "magnification", "implant-displaced", "rolled-lateral",
    ]  # fmt: skip


def test_codes_agree_with_pydicom() -> None:
    from pydicom.sr._snomed_dict import mapping
    from pydicom.sr.codedict import codes

    from mammo_ray.dicom.views import _MODIFIERS, _VIEWS

    for known, collection in ((_VIEWS, codes.cid4014), (_MODIFIERS, codes.cid4015)):
        for name in collection.dir():
            concept = getattr(collection, name)
            if concept.meaning != "tissue specimen from breast":
                assert known[concept.value] == known[mapping["SCT"][concept.value]]


def test_a_view_position_outside_the_vocabulary_is_noted_and_not_guessed() -> None:
    facts = facts_of(mammogram(ViewPosition="MLOXY"))
    assert facts.row["view_position"] is None
    assert facts.notes == ("ViewPosition (0018,5101) is 'MLOXY', outside the vocabulary",)


def test_the_side_of_all_frames_counts_where_no_other_is_given() -> None:
    anatomy = Dataset()
    anatomy.FrameLaterality = "R"
    group = Dataset()
    group.FrameAnatomySequence = [anatomy]
    groups = Sequence([group])
    assert facts_of(mammogram(SharedFunctionalGroupsSequence=groups)).row["laterality"] == "R"
    both = mammogram(SharedFunctionalGroupsSequence=groups, ImageLaterality="L")
    assert facts_of(both).row["laterality"] == "L"


def test_the_exposure_is_named_by_event_time_and_sources() -> None:
    source = Dataset()
    source.ReferencedSOPInstanceUID = "1.2.7"
    facts = facts_of(
        mammogram(
            IrradiationEventUID="1.2.9", AcquisitionDate="20200131", AcquisitionTime="101112.5",
            SourceImageSequence=Sequence([source]),
        )
    )  # fmt: skip
    assert facts.acquisition == {
        "irradiation_event": "1.2.9",
        "acquired": "20200131101112",
        "source_sop_uids": ["1.2.7"],
    }
    unknown = {"irradiation_event": None, "acquired": None, "source_sop_uids": []}
    assert facts_of(mammogram(AcquisitionTime="101112")).acquisition == unknown


@pytest.mark.parametrize(
    ("elements", "intent"),
    [
        ({}, "FOR PRESENTATION"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1"}, "FOR PROCESSING"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "FOR PROCESSING"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, None),
    ],
)
def test_the_intent_tag_goes_before_the_sop_class(
    elements: dict[str, object], intent: str | None
) -> None:
    assert facts_of(mammogram(**elements)).row["presentation_intent"] == intent


@pytest.mark.parametrize(
    ("text", "years"), [("045Y", 45.0), ("018M", 1.5), ("", None), ("45", None), ("ABCY", None)]
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_age_is_in_years(text: str, years: float | None) -> None:
    assert facts_of(mammogram(PatientAge=text)).row["age"] == years


def test_numbers_and_flags_are_read() -> None:
    row = facts_of(
        mammogram(
            ImagerPixelSpacing=[0.07, 0.08], EstimatedRadiographicMagnificationFactor=1.8,
            BreastImplantPresent="YES",
        )
    ).row  # fmt: skip
    assert row["pixel_spacing_mm"] == [0.07, 0.08]
    assert row["magnification"] == 1.8
    assert row["implant"] is True
    assert facts_of(mammogram(BreastImplantPresent="NO")).row["implant"] is False


@pytest.mark.parametrize(
    ("sop_class", "is_image"),
    [
        ("1.2.840.10008.5.1.4.1.1.1.2", True),
        ("1.2.840.10008.5.1.4.1.1.7.2", True),
        ("1.2.840.10008.5.1.4.1.1.88.50", False),
        ("1.2.840.10008.5.1.4.1.1.11.1", False),
        ("1.2.840.10008.5.1.4.1.1.88.59", False),
        ("1.2.840.10008.5.1.4.1.1.66.4", False),
        ("1.2.840.10008.1.3.10", False),
        ("1.2.840.10008.5.1.4.1.1.104.1", False),
        ("1.2.3.4.5", False),
    ],
)
def test_objects_that_are_no_images_are_told_by_their_sop_class(
    sop_class: str, is_image: bool
) -> None:
    dataset = header_of(gradient(8), 8)
    dataset.SOPClassUID = sop_class
    facts = facts_of(file_of(dataset))
    assert facts.is_image_object is is_image
    assert not facts.has_pixel_data


def test_an_unreadable_value_is_none_and_noted() -> None:
    content = mammogram(ImagerPixelSpacing=[0.1, 0.1]).replace(b"0.1\\0.1 ", b"0.1\\0x1 ")
    facts = facts_of(content)
    assert facts.row["pixel_spacing_mm"] is None
    assert "ImagerPixelSpacing (0018,1164) cannot be read" in facts.notes[0]


def test_random_damage_gives_facts_or_a_rejection_and_nothing_else() -> None:
    random_source = np.random.default_rng(7)
    content = mammogram(
        ViewCodeSequence=Sequence([code("399162004", ViewModifierCodeSequence=[code("1")])]),
        SpecificCharacterSet="ISO_IR 100", ImagerPixelSpacing=[0.1, 0.1], PatientAge="050Y",
    )  # fmt: skip
    outcomes = {"facts": 0, "rejected": 0}
    for _ in range(1500):
        damaged = bytearray(content)
        for position in random_source.integers(132, len(damaged), random_source.integers(1, 7)):
            damaged[position] = random_source.integers(256)
        try:
            facts_of(bytes(damaged))
            outcomes["facts"] += 1
        except ImageRejected:
            outcomes["rejected"] += 1
    assert min(outcomes.values()) > 50


def test_the_real_archive_is_read_whole(real_archive: Path) -> None:
    paths = sorted(real_archive.rglob("*.dcm"))
    assert len(paths) == 264
    sides = {"L": 0, "R": 0}
    for path in paths:
        facts = facts_of(path.read_bytes())
        assert facts.has_pixel_data
        assert facts.notes == ()
        assert facts.row["view_position"] == "MLO"
        sides[str(facts.row["laterality"])] += 1
    assert sides == {"L": 132, "R": 132}


def test_a_modality_other_than_mg_is_reported_as_it_is(real_data: Path) -> None:
    facts = facts_of((real_data / "wg04" / "MG1_J2KI").read_bytes())
    assert facts.modality == "RG"
    assert pydicom.uid.UID(str(facts.row["transfer_syntax"])).is_compressed
