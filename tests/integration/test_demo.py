"""The demo and the README's worked example, run as a newcomer would run them."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_report_page import browse, checked_copy, title_of

ROOT = Path(__file__).parent.parent.parent
_ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`mammo demo` with few women, in a folder of its own."""
    folder = tmp_path_factory.mktemp("demo")
    said = _run(["mammo", "demo", "--women", "16", "--out", "demo-output"], folder)
    assert "Look at" in said
    return folder / "demo-output"


def test_the_demo_makes_every_result_it_names(demo: Path) -> None:
    for name in (
        "archive/outcomes.csv",
        "manifest/manifest.parquet",
        "prepared/images/part-00000.parquet",
        "model/bundle.yaml",
        "model/model.keras",
        "scores/exams.parquet",
        "evaluation/evaluation.json",
        "report.html",
    ):
        assert (demo / name).stat().st_size > 0, name
    with (demo / "scores" / "worklist.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 16
    counts = json.loads((demo / "scores" / "_SUCCESS").read_text(encoding="utf-8"))
    assert counts["exams"] == 16


def test_the_demo_report_opens_whole_in_a_browser(demo: Path, browser: str, tmp_path: Path) -> None:
    page = checked_copy(demo / "report.html", tmp_path / "copy.html")
    dom, log = browse(browser, page, tmp_path / "profile", "--window-size=1200,900", "--dump-dom")
    assert re.fullmatch(r"images [1-9]\d* broken 0 wide false", title_of(dom))
    assert "CONSOLE" not in log
    _, log = browse(browser, demo / "report.html", tmp_path / "profile2", "--dump-dom")
    assert "CONSOLE" not in log


def test_the_worked_example_of_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = readme.split("## A worked example", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    lines = example.strip().splitlines()
    assert len(lines) == 8
    for line in lines:
        _run(line.split(), tmp_path)
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "scores" / "worklist.csv").exists()
