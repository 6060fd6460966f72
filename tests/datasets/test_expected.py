"""A list of expected exams: checked as a whole, then held against what came."""

from pathlib import Path

import pytest

from mammo_ray.datasets.expected import read_expected, reconcile
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.errors import InputError
from mammo_ray.schema import MISSING_EXAMS
from tests.datasets.test_archive import read_archive
from tests.films import breast_pixels, film, write_exam, write_film


def _list(tmp_path: Path, text: str) -> str:
    path = tmp_path / "exams.csv"
    path.write_bytes(text.encode())
    return str(path)


def missing(tmp_path: Path, text: str, manifest: Manifest) -> list[dict[str, object]]:
    """The missing exams of a list."""
    table = reconcile(read_expected(_list(tmp_path, text)), manifest)
    assert table.schema.equals(MISSING_EXAMS)
    rows: list[dict[str, object]] = table.to_pylist()
    return rows


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Exams 1.2.1 (A001) and 1.2.2 (A002)."""
    write_exam(tmp_path / "archive", 1)
    write_exam(tmp_path / "archive", 2)
    return read_archive(tmp_path / "archive")


def test_an_exam_that_never_came_is_missing_by_name(tmp_path: Path, manifest: Manifest) -> None:
    text = (
        "accession,study_uid,patient_id,study_date,room\r\n"
        "A001,1.2.1,W001,2020-01-02,3\r\nA009,1.2.9,W009,2020-01-03,4\r\n"
    )
    assert missing(tmp_path, text, manifest) == [
        {
            "accession": "A009", "study_uid": "1.2.9", "patient_id": "W009",
            "study_date": "20200103", "detail": "never came",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("accession\nA001\nA002\n", []),
        ("study_uid\n1.2.1\n1.2.2\n", []),
        ("accession\nA001\n\nA003\n", ["A003"]),
        ("\ufeffaccession , note\n A001 ,x\n", []),
        ("accession\nA009\nA009\n", ["A009"]),
        ("accession,study_uid\nA009,\nA009,1.2.9\n", ["A009"]),
        ("accession,patient_id\nA001,W001\n", []),
        ("accession,patient_id\nA001,W002\n", ["A001"]),
        ("accession,study_uid\nA001,1.2.9\n", ["A001"]),
        ("accession,study_uid\nA009,1.2.1\n", []),
        ("accession\n001\n", ["001"]),
    ],
)
def test_exams_are_found_by_study_then_by_accession(
    tmp_path: Path, manifest: Manifest, text: str, absent: list[str]
) -> None:
    assert [row["accession"] for row in missing(tmp_path, text, manifest)] == absent


def test_an_accession_that_came_with_another_study_or_patient_is_said(
    tmp_path: Path, manifest: Manifest
) -> None:
    for text in ("accession,study_uid\nA001,1.2.9\n", "accession,patient_id\nA001,W002\n"):
        (row,) = missing(tmp_path, text, manifest)
        assert row["detail"] == "its accession came with another study or patient"


def test_files_without_ids_count_by_what_they_have(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write_film(archive / "a.dcm", film(breast_pixels(), StudyInstanceUID=None))
    text = "accession,study_uid\nA1,1.2.9\n"
    assert missing(tmp_path, text, read_archive(archive)) == []
    write_film(archive / "a.dcm", film(breast_pixels(), StudyInstanceUID=None, AccessionNumber=""))
    text = "study_uid,patient_id,study_date\n1.2.9,W1,20200102\n1.2.8,W1,20200103\n"
    assert [r["study_uid"] for r in missing(tmp_path, text, read_archive(archive))] == ["1.2.8"]


def test_an_exam_whose_files_were_rejected_is_in_sight_and_not_missing(tmp_path: Path) -> None:
    write_film(tmp_path / "archive" / "a.dcm", film(None))
    manifest = read_archive(tmp_path / "archive")
    assert manifest.rejections.num_rows == 1
    assert missing(tmp_path, "study_uid\n1.2.3\n", manifest) == []


def test_an_exam_of_which_only_files_left_out_by_rules_came_is_missing_and_says_so(
    tmp_path: Path,
) -> None:
    archive = tmp_path / "archive"
    spot = {"PaddleDescription": "SPOT"}
    write_film(archive / "a.dcm", film(breast_pixels(), SOPInstanceUID="1.1", **spot))
    write_film(archive / "b.dcm", film(breast_pixels(), SOPInstanceUID="1.2", **spot))
    write_film(archive / "c.dcm", film(breast_pixels(), SOPInstanceUID="1.3", Modality="US"))
    for text in ("study_uid\n1.2.3\n", "accession\nA1\n"):
        (row,) = missing(tmp_path, text, read_archive(archive))
        assert row["detail"] == (
            "no screening image came: 3 files left out by rule "
            "(other-modality 1, spot-compression 2)"
        )
    write_film(archive / "d.dcm", film(breast_pixels(), SOPInstanceUID="1.4"))
    assert missing(tmp_path, "study_uid\n1.2.3\n", read_archive(archive)) == []


def test_rejected_files_that_name_no_exam_are_remembered(tmp_path: Path) -> None:
    write_exam(tmp_path / "archive", 1)
    (tmp_path / "archive" / "x.dcm").write_bytes(b"no film")
    (row,) = missing(tmp_path, "accession\nA009\n", read_archive(tmp_path / "archive"))
    assert row["detail"] == "never came; 1 rejected files of this data set name no exam"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no exam"),
        ("accession\n", "names no exam"),
        ("exam,date\n1,2\n", "needs a column 'accession' or 'study_uid', found ['date', 'exam']"),
        ("accession,study_uid\nA1,1.2\n,\n", "line 3: accession and study_uid are empty"),
        ("accession\nA1\nA2,x\n", "line 3: 2 fields, the header has 1"),
        ('accession\n"A1\n', "not CSV"),
        ("accession,accession\nA1,A2\n", "['accession'] stand twice"),
        ("accession,study_date\nA1,20201301\n", "line 2: study_date is not a date"),
        ("accession,study_date\nA1,1.2.2020\n", "line 2: study_date is not a date"),
        ("study_uid,patient_id\n1.2,P1\n1.3,P1\n1.2,P2\n",
         "lines [2, 4]: one study_uid with several values of patient_id"),
        ("accession,patient_id\nA1,P1\nA1,P2\n", "one accession with several values"),
        ("accession,study_uid\nA1,1.2\nA2,1.2\n",
         "lines [2, 3]: one study_uid with several values of accession"),
    ],
)  # fmt: skip
def test_a_list_that_is_not_valid_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_expected(_list(tmp_path, text))
    assert said in str(caught.value)


def test_a_list_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_expected(str(tmp_path / "none.csv"))
    path = tmp_path / "latin.csv"
    path.write_bytes(b"accession\n\xe9\n")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_expected(str(path))


def test_a_study_that_stands_twice_counts_once_with_all_that_is_known(
    tmp_path: Path, manifest: Manifest
) -> None:
    text = "study_uid,patient_id,study_date\n1.2.9,,20200105\n1.2.9,W9,\n"
    (row,) = missing(tmp_path, text, manifest)
    assert (row["patient_id"], row["study_date"]) == ("W9", "20200105")
