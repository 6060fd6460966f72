"""Run records are whole, honest about how a run ended, and readable."""

import json
from pathlib import Path

import pytest

from mammo_ray import run_record
from mammo_ray.config import Config, DataConfig, load_config
from mammo_ray.errors import IncompleteResult, InputError, UsageError
from mammo_ray.run_record import RunRecord, judge_share


def test_a_record_names_versions_configuration_and_counts(tmp_path: Path) -> None:
    record = RunRecord("prepare", Config(recipe="x"), counts={"done": 3})
    record.write(str(tmp_path), exit_code=3)
    said = run_record.read_run(str(tmp_path))
    assert said["command"] == "prepare"
    assert said["exit_code"] == 3
    assert said["counts"] == {"done": 3}
    assert said["versions"]["ray"].startswith("2.60")
    assert "absent" not in said["versions"].values()
    assert load_config(path=tmp_path / "config.yaml") == record.config


def test_the_mark_gives_the_counts_back(tmp_path: Path) -> None:
    run_record.mark_success(str(tmp_path), {"done": 3})
    assert run_record.require_success(str(tmp_path)) == {"done": 3}


def test_a_started_result_without_its_mark_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(IncompleteResult, match="start its command again"):
        run_record.require_success(str(tmp_path))


def test_a_folder_that_is_no_result_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a result"):
        run_record.require_success(str(tmp_path))
    with pytest.raises(InputError, match=r"no run\.json"):
        run_record.read_run(str(tmp_path))


def test_a_folder_of_another_command_or_a_file_is_not_overwritten(tmp_path: Path) -> None:
    run_record.claim_folder(str(tmp_path / "new"), "prepare")
    RunRecord("prepare").write(str(tmp_path))
    run_record.claim_folder(str(tmp_path), "prepare")
    with pytest.raises(UsageError, match="result of `mammo prepare`"):
        run_record.claim_folder(str(tmp_path), "train")
    for below in ("run.json", "run.json/deep/er"):
        with pytest.raises(UsageError, match=r"run\.json is a file"):
            run_record.claim_folder(str(tmp_path / below), "train")


def test_a_run_that_was_begun_holds_its_folder_too(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"stage": "prepare"}', encoding="utf-8")
    run_record.claim_folder(str(tmp_path), "prepare")
    with pytest.raises(UsageError, match="result of `mammo prepare`"):
        run_record.claim_folder(str(tmp_path), "manifest")
    (tmp_path / "plan.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="unreadable plan"):
        run_record.claim_folder(str(tmp_path), "manifest")


@pytest.mark.parametrize(
    ("rejected", "images", "code"), [(0, 0, 0), (1, 100, 0), (2, 100, 3), (1, 1, 3), (5, 264, 3)]
)
def test_more_than_the_allowed_share_of_rejections_is_exit_code_three(
    rejected: int, images: int, code: int
) -> None:
    assert judge_share(rejected, images, DataConfig()) == code


def test_a_record_is_strict_json_even_with_a_number_that_is_none(tmp_path: Path) -> None:
    record = RunRecord("x", timings={"seconds": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        record.write(str(tmp_path))
    assert not (tmp_path / "run.json").exists()
    assert json.loads(RunRecord("x").to_json(0))["exit_code"] == 0
