"""The report: what stands on it, what must not, and what it says loudly."""

import html
import json
import re
import shutil
from pathlib import Path

import pytest

from mammo_ray import schema
from mammo_ray.errors import InputError
from mammo_ray.reports.page import write_report
from tests.reports.run_folders import PATIENT, finish, put, rejected_row, write_runs


def read(folder: Path) -> str:
    """The text of the report of a folder, entities resolved and white space folded."""
    page = Path(write_report(str(folder))).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", html.unescape(page))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    write_runs(folder)
    return read(folder)


def test_the_report_of_all_runs_says_what_was_done_in_sentences(page: str) -> None:
    for sentence in (
        "Research use only; not a medical device.",
        "124 files seen: 120 images of 30 women, 12 of the images with cancer;",
        "3 left out by a rule, 1 rejected.",
        "118 images scored, 2 rejected; 30 exams: 27 scored, 3 incomplete.",
        "the weights of epoch 5 were kept",
        "30 women (women never trained on), 6 of them with cancer",
    ):
        assert sentence in page


def test_sums_are_shown_and_hold(page: str) -> None:
    assert "120 images + 3 left out by a rule + 1 rejected" in page
    assert "27 scored + 3 incomplete + 0 failed" in page
    assert page.count("<td>yes</td>") == 6
    assert "Read this first" not in page


def test_no_patient_study_or_address_stands_on_the_page(page: str) -> None:
    assert PATIENT not in page
    assert "/archive/" not in page
    assert "DOE" not in page


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_every_picture_has_words_and_every_table_a_caption(page: str) -> None:
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) == 1 + 4 + 1 + 12
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)
    assert page.count("<table") == page.count("<caption>") > 5
    assert [int(level) for level in re.findall(r"<h([1-6])", page)][:2] == [1, 2]


def test_one_fault_counts_once_though_two_stages_met_it(page: str) -> None:
    assert "3 files could not be used." in page
    assert page.count("frame ends after 812,331 of 1,204,118 bytes") == 2


def test_two_runs_of_one_command_are_told_apart(tmp_path: Path) -> None:
    write_runs(tmp_path)
    shutil.copytree(tmp_path / "manifest", tmp_path / "scores" / "manifest")
    page = read(tmp_path)
    assert "2 manifest runs lie here: the sections below show the latest." in page
    assert "<td>scores/manifest</td>" in page
    assert "3 files could not be used." in page
    assert re.search(r"not-an-image</th><td class=\"number\">3</td>", page)


def test_an_incomplete_result_is_said_first(tmp_path: Path) -> None:
    write_runs(tmp_path)
    (tmp_path / "scores" / "_SUCCESS").unlink()
    (tmp_path / "scores" / "run.json").unlink()
    plan = {"stage": "score", "digests": {}, "shards": [["img-1"]]}
    (tmp_path / "scores" / "plan.json").write_text(json.dumps(plan))
    page = read(tmp_path)
    warning = "The score run in “scores” is incomplete"
    assert warning in page
    assert page.index(warning) < page.index("files seen")


def test_a_run_stopped_before_its_first_part_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"stage": "prepare", "shards": [["img-1"]]}')
    assert "The prepare run is incomplete" in read(tmp_path)


def test_counts_that_do_not_add_up_are_said_first(tmp_path: Path) -> None:
    finish(tmp_path, "manifest", {"seen": 10, "rows": 7, "excluded": 1, "rejected": 1})
    page = read(tmp_path)
    assert "files seen 10, but its parts make 9" in page
    assert "<td>NO</td>" in page


def test_a_run_over_its_allowed_share_of_rejections_is_said_first(tmp_path: Path) -> None:
    finish(tmp_path, "prepare", {"planned": 2, "done": 1, "rejected": 1})
    record = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(record | {"exit_code": 3}))
    assert "more images were rejected than the configuration allows" in read(tmp_path)


def test_a_single_run_folder_has_a_report(tmp_path: Path) -> None:
    write_runs(tmp_path)
    page = read(tmp_path / "scores")
    assert "30 exams: 27 scored, 3 incomplete." in page
    assert "No prepared images lie under this folder." in page
    assert (tmp_path / "scores" / "report.html").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no run"):
        write_report(str(tmp_path))
    with pytest.raises(InputError, match="does not exist"):
        write_report(str(tmp_path / "nowhere"))


def test_files_of_one_run_are_never_taken_for_one_another(tmp_path: Path) -> None:
    rows = [rejected_row("img-twice", "manifest", "conflicting-instance", "")] * 2
    put(tmp_path, "rejections.parquet", rows, schema.REJECTIONS)
    finish(tmp_path, "manifest", {"seen": 3, "rows": 1, "excluded": 0, "rejected": 2})
    assert "2 files could not be used." in read(tmp_path)


def test_many_rejections_are_counted_and_capped(tmp_path: Path) -> None:
    rows = [rejected_row(f"img-{k:05d}", "manifest", "not-dicom", "") for k in range(5000)]
    put(tmp_path, "rejections.parquet", rows, schema.REJECTIONS)
    finish(tmp_path, "manifest", {"seen": 5000, "rows": 0, "excluded": 0, "rejected": 5000})
    page = read(tmp_path)
    assert "5,000 files could not be used." in page
    assert page.count("<code>img-") == 200
    assert "4,800 more in rejections.parquet" in page


def test_text_from_tables_cannot_become_markup(tmp_path: Path) -> None:
    rows = [rejected_row("img-1", "manifest", "not-dicom", "<script>alert(1)</script>")]
    put(tmp_path, "rejections.parquet", rows, schema.REJECTIONS)
    finish(tmp_path, "manifest", {"seen": 1, "rows": 0, "excluded": 0, "rejected": 1})
    write_report(str(tmp_path))
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in raw
    assert "&lt;script&gt;alert(1)" in raw
