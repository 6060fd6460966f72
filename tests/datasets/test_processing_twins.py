"""FOR PROCESSING images are left out beside their FOR PRESENTATION twins, and only there."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from mammo_ray.datasets.manifest import Manifest
from tests.datasets.test_archive import read_archive
from tests.films import breast_pixels, film, write_film

RAW_CLASS = "1.2.840.10008.5.1.4.1.1.1.2.1"


def _write(root: Path, number: int, raw: bool, **elements: object) -> None:
    uid = f"1.2.3.{number}"
    classes = {"SOPClassUID": RAW_CLASS, "PresentationIntentType": "FOR PROCESSING"} if raw else {}
    values = {"SOPInstanceUID": uid, **classes, **elements}
    write_film(root / f"{number}.dcm", film(breast_pixels(seed=number), **values))


def write_pair(root: Path, shown: dict[str, object], raw: dict[str, object]) -> None:
    """Image 1 for presentation, image 2 for processing, of one view unless said otherwise."""
    _write(root, 1, raw=False, **shown)
    _write(root, 2, raw=True, **raw)


def twins(manifest: Manifest) -> dict[str, str]:
    """File name -> detail of what was left out as a twin."""
    return {
        Path(row["uri"]).stem: row["detail"]
        for row in manifest.exclusions.to_pylist()
        if row["rule"] == "processing-twin"
    }


def reference(uid: str) -> dict[str, object]:
    """A Source Image Sequence that names an image."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = RAW_CLASS, uid
    return {"SourceImageSequence": [item]}


def at(time: str) -> dict[str, object]:
    """The moment of an acquisition."""
    return {"AcquisitionDate": "20200102", "AcquisitionTime": time}


@pytest.mark.parametrize(
    ("shown", "raw", "evidence"),
    [
        (reference("1.2.3.2"), {"ViewPosition": None}, "SourceImageSequence (0008,2112)"),
        ({"IrradiationEventUID": "1.9"}, {"IrradiationEventUID": "1.9", "ImageLaterality": None},
         "IrradiationEventUID (0008,3010)"),
        (at("101112.20"), at("101112.90"), "in the same second"),
        ({}, {}, "of its study, side and view"),
        (at("101112"), {}, "of its study, side and view"),
        ({"IrradiationEventUID": "1.9"}, {}, "of its study, side and view"),
        ({"PatientID": None}, {"PatientID": None}, "of its study, side and view"),
    ],
)  # fmt: skip
def test_a_twin_is_left_out_with_what_tells_it(
    tmp_path: Path, shown: dict[str, object], raw: dict[str, object], evidence: str
) -> None:
    write_pair(tmp_path, shown, raw)
    manifest = read_archive(tmp_path)
    found = twins(manifest)
    assert list(found) == ["2"]
    assert found["2"].endswith(evidence) or evidence in found["2"]
    assert [Path(str(u)).stem for u in manifest.rows.column("uri").to_pylist()] == ["1"]
    assert twins(read_archive(tmp_path, processing_twin=False)) == {}


@pytest.mark.parametrize(
    ("shown", "raw"),
    [
        ({}, {"StudyInstanceUID": "1.2.4"}),
        ({}, {"ImageLaterality": "R"}),
        ({}, {"ViewPosition": "CC"}),
        ({"ViewPosition": None}, {"ViewPosition": None}),
        ({"StudyInstanceUID": None}, {"StudyInstanceUID": None}),
        ({}, {"PatientID": "W2"}),
        ({}, {"ViewPosition": "MLOID"}),
        ({}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.5"}),
        (at("101112"), at("101113")),
        ({"IrradiationEventUID": "1.9"}, {"IrradiationEventUID": "1.8"}),
        (at("101112") | {"IrradiationEventUID": "1.9"},
         at("101112") | {"IrradiationEventUID": "1.8"}),
        (reference("1.2.3.9"), {"ViewPosition": "CC"}),
        ({"PresentationIntentType": "FOR PROCESSING"}, {}),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "PresentationIntentType": None}, {}),
    ],
)  # fmt: skip
def test_an_image_for_processing_without_a_twin_stays(
    tmp_path: Path, shown: dict[str, object], raw: dict[str, object]
) -> None:
    write_pair(tmp_path, shown, raw)
    manifest = read_archive(tmp_path)
    assert twins(manifest) == {}
    assert manifest.rows.num_rows == 2


def test_without_a_named_exposure_one_image_accounts_for_one_other(tmp_path: Path) -> None:
    write_pair(tmp_path, {}, {})
    _write(tmp_path, 3, raw=True)
    manifest = read_archive(tmp_path)
    assert (len(twins(manifest)), manifest.rows.num_rows) == (1, 2)
    _write(tmp_path, 4, raw=False)
    assert set(twins(read_archive(tmp_path))) == {"2", "3"}


def test_a_repeat_finds_its_own_twin_by_time(tmp_path: Path) -> None:
    write_pair(tmp_path, at("101112"), at("101112"))
    _write(tmp_path, 3, raw=True, **at("101500"))
    assert list(twins(read_archive(tmp_path))) == ["2"]


def test_an_image_taken_by_stronger_evidence_serves_no_other(tmp_path: Path) -> None:
    write_pair(tmp_path, reference("1.2.3.2"), {})
    _write(tmp_path, 3, raw=True)
    assert list(twins(read_archive(tmp_path))) == ["2"]


def test_a_twin_that_was_rejected_is_none(tmp_path: Path) -> None:
    write_film(tmp_path / "1.dcm", film(None, SOPInstanceUID="1.2.3.1"))
    _write(tmp_path, 2, raw=True)
    manifest = read_archive(tmp_path)
    assert (twins(manifest), manifest.rows.num_rows) == ({}, 1)


def test_the_same_file_twice_is_a_duplicate_and_its_twin_is_still_found(tmp_path: Path) -> None:
    write_pair(tmp_path, {}, {})
    (tmp_path / "2b.dcm").write_bytes((tmp_path / "2.dcm").read_bytes())
    rules = sorted(read_archive(tmp_path).exclusions.column("rule").to_pylist())
    assert rules == ["duplicate-instance", "processing-twin"]
