"""Commands say the truth: help, messages and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mammo_ray.cli import main, mammo
from tests.films import write_exam


@pytest.mark.parametrize("name", sorted(mammo.commands))
def test_help_of_every_command_ends_well(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "No such command"),
        (["manifest", "archive"], "Missing argument"),
        (["manifest", "ddsm", "root", "--out", "x"], "cbis-ddsm"),
        (["phantom", "archive", "x", "--women", "0"], "women"),
        (["prepare", "m", "--out", "x", "--protocol", "any"], "No such option"),
    ],
)
def test_bad_usage_is_exit_code_two_with_a_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_missing_root_is_said_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["manifest", "archive", str(tmp_path / "no"), "--out", str(out)]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not out.exists()


def test_an_empty_root_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "root").mkdir()
    arguments = ["manifest", "archive", str(tmp_path / "root"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "holds no file" in capsys.readouterr().err


def test_a_bad_outcomes_table_is_said_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_exam(tmp_path / "root", 1)
    table = tmp_path / "outcomes.csv"
    table.write_text("sop_instance_uid,cancer,mood\n1,0,good\n", encoding="utf-8")
    out = tmp_path / "out"
    arguments = ["manifest", "archive", str(tmp_path / "root"), "--out", str(out)]
    assert main([*arguments, "--outcomes", str(table)]) == 2
    assert "unknown column ['mood']" in capsys.readouterr().err
    assert not out.exists()


def test_outcomes_that_speak_of_no_image_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_exam(tmp_path / "root", 1)
    table = tmp_path / "outcomes.csv"
    table.write_text("patient_id,cancer\nW999,0\n", encoding="utf-8")
    out = tmp_path / "out"
    arguments = ["manifest", "archive", str(tmp_path / "root"), "--out", str(out)]
    assert main([*arguments, "--outcomes", str(table)]) == 2
    assert "none of the 1 outcomes" in capsys.readouterr().err
    assert not out.exists()


def test_an_out_that_is_a_file_is_refused_before_work(tmp_path: Path) -> None:
    write_exam(tmp_path / "root", 1)
    target = tmp_path / "small.yaml"
    target.write_text("x", encoding="utf-8")
    assert main(["manifest", "archive", str(tmp_path / "root"), "--out", str(target)]) == 2
    assert target.read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize("inside", ["", "results"])
def test_results_do_not_go_into_the_archive(
    inside: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_exam(tmp_path / "root", 1)
    before = sorted(tmp_path.rglob("*"))
    out = str(tmp_path / "root" / inside)
    assert main(["manifest", "archive", str(tmp_path / "root"), "--out", out]) == 2
    assert "inside the data set" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments", [["phantom", "archive", "s3://b/x", "--women", "1"], ["demo", "--out", "s3://b/x"]]
)
def test_what_is_drawn_on_this_machine_is_refused_for_object_storage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "a local folder is needed" in capsys.readouterr().err


def test_an_address_where_nothing_listens_is_said_at_once(tmp_path: Path) -> None:
    write_exam(tmp_path / "root", 1)
    assert main(["manifest", "archive", str(tmp_path / "root"), "--out", str(tmp_path / "m")]) == 0
    out = ["--out", str(tmp_path / "p")]
    code = "import sys; from mammo_ray.cli import main; sys.exit(main(sys.argv[1:]))"
    for address, message in (("127.0.0.1:1", "no Ray cluster answers"), ("nowhere", "host:port")):
        words = ["prepare", str(tmp_path / "m"), *out, "--address", address]
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr


def test_phantom_and_report_leave_their_record_beside_their_result(tmp_path: Path) -> None:
    out = tmp_path / "archive"
    arguments = ["phantom", "archive", str(out), "--women", "1", "--set", "phantom.cancer_share=0"]
    assert main(arguments) == 0
    record = json.loads((tmp_path / "archive.run.json").read_text(encoding="utf-8"))
    assert record["counts"]["women"] == 1
    assert record["config"]["phantom"]["cancer_share"] == 0
    assert main(["manifest", "archive", str(out), "--out", str(tmp_path / "m")]) == 0
    assert main(["report", str(tmp_path / "m"), "--set", "report.exams=3"]) == 0
    assert (tmp_path / "m" / "report.html.run.json").exists()


def test_a_manifest_is_written_whole_and_says_its_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_exam(tmp_path / "root", 1)
    out = tmp_path / "out"
    assert main(["manifest", "archive", str(tmp_path / "root"), "--out", str(out)]) == 0
    assert "2 files seen = 2 images + 0 excluded + 0 rejected; 1 women" in capsys.readouterr().out
    names = {"manifest", "exclusions", "rejections"}
    assert {f"{n}.parquet" for n in names} | {"run.json", "config.yaml", "_SUCCESS"} == {
        p.name for p in out.iterdir()
    }


def test_too_many_rejected_files_are_exit_code_three(tmp_path: Path) -> None:
    write_exam(tmp_path / "root", 1)
    (tmp_path / "root" / "broken.dcm").write_text("no film", encoding="utf-8")
    out = ["--out", str(tmp_path / "out")]
    assert main(["manifest", "archive", str(tmp_path / "root"), *out]) == 3
    allowed = ["--set", "data.allowed_rejected_share=0.5"]
    assert main(["manifest", "archive", str(tmp_path / "root"), *out, *allowed]) == 0


@pytest.mark.parametrize("command", ["prepare", "train", "score", "evaluate", "report"])
def test_a_source_that_is_no_result_is_an_input_error(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [command, str(tmp_path)]
    if command != "report":
        arguments += ["--out", str(tmp_path / "out")]
    if command in {"score", "evaluate"}:
        arguments += ["--model", str(tmp_path / "model")]
    assert main(arguments) == 2
    assert "mammo: error:" in capsys.readouterr().err


def test_no_command_imports_a_heavy_package_to_show_its_help() -> None:
    code = (
        "import sys; from mammo_ray.cli import main; main(['score', '--help']);"
        "heavy = {'ray', 'tensorflow', 'keras', 'mlflow', 'cv2'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_driver_of_a_run_never_loads_tensorflow() -> None:
    code = (
        "import sys, mammo_ray.distributed.train, mammo_ray.distributed.score,"
        " mammo_ray.distributed.evaluate, mammo_ray.distributed.demo;"
        "heavy = {'tensorflow', 'keras', 'mlflow'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("job", ["ingest", "train", "score", "evaluate", "report"])
def test_every_job_is_its_command(job: str) -> None:
    command = [sys.executable, "-m", f"jobs.{job}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"mammo {job}" in done.stdout
