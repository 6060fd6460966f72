"""How a run ends: counts from the manifest on, and the exit code."""

import json
from pathlib import Path

import pytest

from mammo_ray import run_record
from mammo_ray.config import Config
from mammo_ray.distributed.planned_run import close_run
from mammo_ray.run_record import RunRecord


def _close(folder: Path, rejected: int, **counts: int) -> tuple[int, dict[str, int]]:
    """Exit code and final counts of a run over a manifest of 100 images."""
    manifest, out = folder / "manifest", folder / "out"
    run_record.mark_success(str(manifest), {"seen": 103, "excluded": 3, "rejected": 0})
    done = {"planned": 100, "done": 100 - rejected, "rejected": rejected, **counts}
    record = RunRecord("score", Config(recipe="test"), counts=done)
    code = close_run(record, str(manifest), str(out))
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["exit_code"] == code
    return code, run_record.require_success(str(out))


@pytest.mark.parametrize(
    ("rejected", "missing", "code"), [(0, 0, 0), (1, 0, 0), (0, 2, 4), (1, 2, 4), (2, 2, 3)]
)
def test_missing_exams_are_findings_unless_something_worse_happened(
    tmp_path: Path, rejected: int, missing: int, code: int
) -> None:
    found, counts = _close(tmp_path, rejected, exams_missing=missing)
    assert found == code
    assert counts["exams_missing"] == missing
    assert counts["seen"] == counts["planned"] + counts["excluded"] + counts["rejected_before"]


def test_a_run_that_judges_no_exams_misses_none(tmp_path: Path) -> None:
    assert _close(tmp_path, 0)[0] == 0
