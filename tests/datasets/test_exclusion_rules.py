"""Each exclusion rule both ways: it fires on what a header says, never on what it lacks."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from mammo_ray.schema import ExclusionRule
from tests.datasets.test_archive import read_archive
from tests.films import breast_pixels, film, write_film

CT = "1.2.840.10008.5.1.4.1.1.2"


def item(**values: object) -> Dataset:
    """An item of a sequence."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value: str, **more: object) -> Dataset:
    """A SNOMED code."""
    return item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning="meaning", **more)


def view(*modifiers: str) -> list[Dataset]:
    """The cranio-caudal view with modifiers."""
    return [code("399162004", ViewModifierCodeSequence=[code(m) for m in modifiers])]


def only_exclusion(root: Path, elements: dict[str, object], **rules: bool) -> dict[str, object]:
    """What left out the one film with these elements; empty where it stayed."""
    write_film(root / "a.dcm", film(breast_pixels(), **elements))
    manifest = read_archive(root, **rules)
    assert manifest.rejections.num_rows == 0
    rows: list[dict[str, object]] = manifest.exclusions.to_pylist()
    return rows[0] if rows else {}


FIRES = [
    ("magnification", {"ViewCodeSequence": view("399163009")}),
    ("magnification", {"ViewPosition": "MCC"}),
    ("magnification", {"EstimatedRadiographicMagnificationFactor": 1.5}),
    ("magnification", {"PaddleDescription": "10CM MAG"}),
    ("spot-compression", {"ViewCodeSequence": view("399055006")}),
    ("spot-compression", {"ViewPosition": "SCC"}),
    ("spot-compression", {"PaddleDescription": "Spot Contact 9x9"}),
    ("stereotactic", {"ImageType": ["ORIGINAL", "PRIMARY", "STEREO_PLUS"]}),
    ("stereotactic", {"ImageType": ["ORIGINAL", "PRIMARY", "PREFIRE_MINUS"]}),
    ("stereotactic", {"ImageType": ["DERIVED", "PRIMARY", "POSTMARKER", "GENERATED_2D"]}),
    ("stereotactic", {"BiopsyTargetSequence": [item(TargetUID="1.2.3")]}),
    ("stereotactic", {"SeriesDescription": "L stereo pair"}),
    ("stereotactic", {"ProtocolName": "Prone Table Biopsy"}),
    ("specimen", {"ViewCodeSequence": [code("127457009")]}),
    ("specimen", {"SpecimenDescriptionSequence": [item(SpecimenIdentifier="S1")]}),
    ("specimen", {"SeriesDescription": "Specimen radiograph"}),
    ("quality-control", {"QualityControlImage": "YES"}),
    ("quality-control", {"QualityControlSubject": "YES"}),
    ("quality-control", {"SeriesDescription": "ACR Phantom"}),
    ("quality-control", {"ImageType": ["ORIGINAL", "PRIMARY", "QC"]}),
    ("quality-control", {"PatientName": "QC^Weekly"}),
    ("quality-control", {"PatientID": "ACR_PHANTOM"}),
    ("flat-field", {"SeriesDescription": "Flat-Field"}),
    ("flat-field", {"ImageType": ["ORIGINAL", "PRIMARY", "FLATFIELD"]}),
    ("flat-field", {"PatientName": "Field^Flat", "PatientID": "FLAT FIELD TEST"}),
    ("other-modality", {"Modality": "US"}),
    ("other-modality", {"Modality": "CT", "SOPClassUID": CT}),
]


@pytest.mark.parametrize(("rule", "elements"), FIRES)
def test_a_rule_fires_on_what_the_header_says_and_can_be_switched_off(
    tmp_path: Path, rule: str, elements: dict[str, object]
) -> None:
    found = only_exclusion(tmp_path, elements)
    assert found["rule"] == rule
    switched_off = only_exclusion(tmp_path, elements, **{rule.replace("-", "_"): False})
    assert switched_off.get("rule") != rule


def test_every_rule_of_one_header_is_tried() -> None:
    whole_archive = {"processing-twin", "duplicate-instance"}
    other_layouts = {"mask-of-an-image", "annotation", "not-in-layout"}
    no_switch = {"not-an-image", "not-an-image-object"}
    assert {str(rule) for rule in ExclusionRule} == (
        {rule for rule, _ in FIRES} | whole_archive | other_layouts | no_switch
    )


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"Modality": None},
        {"Modality": "CR"},
        {"ViewPosition": None, "ImageLaterality": None},
        {"ViewCodeSequence": view()},
        {"ViewCodeSequence": view("399209000")},
        {"EstimatedRadiographicMagnificationFactor": 1.07},
        {"EstimatedRadiographicMagnificationFactor": 100},
        {"EstimatedRadiographicMagnificationFactor": 1.0, "PaddleDescription": "MAG"},
        {"PaddleDescription": "24CM X 29CM FLEX"},
        {"PaddleDescription": "IMAGING PADDLE"},
        {"PartialView": "YES"},
        {"QualityControlImage": "NO", "QualityControlSubject": "NO"},
        {"QualityControlImage": "BOTH"},
        {"CalibrationImage": "YES"},
        {"PositionerType": "NONE", "PositionerPrimaryAngle": 15},
        {"BodyPartExamined": "BREAST"},
        {"SeriesDescription": "Bilateral screening with tomosynthesis"},
        {"StudyDescription": "Stereotactic biopsy and phantom QC"},
        {"PatientName": "Phantom^Anna"},
        {"PatientName": "Phantom^0001", "PatientID": "PHANTOM0001"},
        {"PatientName": "Field^Mary", "PatientID": "QC-00017"},
        {"PatientName": "Control^Daily"},
        {"ImageType": ["DERIVED", "PRIMARY"]},
        {"Modality": "CT", "SOPClassUID": CT, "SeriesDescription": "Tomosynthesis L CC"},
    ],
)
def test_no_other_image_is_left_out(tmp_path: Path, elements: dict[str, object]) -> None:
    assert only_exclusion(tmp_path, elements) == {}


def test_an_implant_displaced_view_stays_and_is_tagged(tmp_path: Path) -> None:
    elements = {"ViewCodeSequence": view("399209000"), "BreastImplantPresent": "YES"}
    assert only_exclusion(tmp_path, elements) == {}
    (row,) = read_archive(tmp_path).rows.to_pylist()
    assert (row["view_modifiers"], row["implant"]) == (["implant-displaced"], True)


@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]}, "synthetic-2d"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3"}, "tomosynthesis"),
        ({"ContrastBolusAgent": "iohexol"}, "contrast"),
    ],
)
def test_other_kinds_stay_and_are_named(
    tmp_path: Path, elements: dict[str, object], kind: str
) -> None:
    assert only_exclusion(tmp_path, elements) == {}
    assert read_archive(tmp_path).rows.column("image_kind").to_pylist() == [kind]


def test_an_exclusion_says_what_was_found_and_whose_image_it_is_but_quotes_no_name(
    tmp_path: Path,
) -> None:
    secret = {"SeriesDescription": "STEREO of Jane Doe", "PatientName": "Doe^Jane"}
    found = only_exclusion(tmp_path, secret)
    assert found["detail"] == "SeriesDescription (0008,103E) says 'STEREO'"
    assert (found["patient_id"], found["study_uid"]) == ("W1", "1.2.3")
    test_name = only_exclusion(tmp_path, {"PatientName": "QC^Phantom"})
    assert test_name["detail"] == "PatientName (0010,0010) is made of words for tests alone"


def test_a_test_object_that_is_let_in_is_no_screening_image_all_the_same(tmp_path: Path) -> None:
    assert only_exclusion(tmp_path, {"SeriesDescription": "QC"}, quality_control=False) == {}
    (row,) = read_archive(tmp_path, quality_control=False).rows.to_pylist()
    assert row["image_kind"] == "quality-control"


def test_no_film_of_the_real_archive_is_left_out(real_archive: Path) -> None:
    assert set(read_archive(real_archive).exclusions.column("rule").to_pylist()) == {"not-an-image"}
