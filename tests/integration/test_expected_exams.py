"""Expected exams from the archive to the worklist."""

import csv
from pathlib import Path

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.score import score_archive
from mammo_ray.run_record import EXIT_FINDINGS
from mammo_ray.schema import Layout
from tests.films import breast_pixels, film, write_exam, write_film
from tests.integration.conftest import Flow


def test_an_expected_exam_that_never_came_leads_the_worklist(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    archive, out = tmp_path / "archive", tmp_path / "scores"
    write_exam(archive, 1, views=("CC", "MLO"))
    spot = film(breast_pixels(), StudyInstanceUID="1.2.7", PaddleDescription="SPOT")
    write_film(archive / "spot.dcm", spot)
    expected = tmp_path / "exams.csv"
    expected.write_text("study_uid,accession\n1.2.1,A001\n1.2.7,A1\n1.2.9,A009\n", encoding="utf-8")
    source = Origin(Layout.ARCHIVE, str(archive), expected=str(expected))
    record, code = score_archive(source, flow.model, small, str(out))
    assert code == EXIT_FINDINGS
    assert (record.counts["exams"], record.counts["exams_missing"]) == (3, 2)
    with (out / "worklist.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows[:2]] == ["missing", "missing"]
    assert {row["accession"]: row["reasons"] for row in rows[:2]} == {
        "A009": "never came",
        "A1": "no screening image came: 1 files left out by rule (spot-compression 1)",
    }
    assert storage.read_table(str(out / "exams.parquet")).num_rows == 3


def test_an_archive_of_which_nothing_came_still_gets_its_worklist(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    archive, out = tmp_path / "archive", tmp_path / "scores"
    archive.mkdir()
    (archive / "readme.txt").write_text("nothing yet", encoding="utf-8")
    expected = tmp_path / "exams.csv"
    expected.write_text("accession\nA1\n", encoding="utf-8")
    source = Origin(Layout.ARCHIVE, str(archive), expected=str(expected))
    record, code = score_archive(source, flow.model, small, str(out))
    assert code == EXIT_FINDINGS
    assert (record.counts["planned"], record.counts["exams_missing"]) == (0, 1)
    assert "never came" in (out / "worklist.csv").read_text(encoding="utf-8")
