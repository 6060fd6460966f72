"""The real archive, from its films to scores: 264 films of 132 women."""

import json
import shutil
from pathlib import Path

import pytest

from mammo_ray import storage
from mammo_ray.cli import main
from mammo_ray.schema import RejectionReason

SMALL = ["--set", "preprocess.height=128", "--set", "preprocess.width=128"]
QUICK = ["--set", "train.epochs=2", "--set", "model.width=4"]


@pytest.fixture(scope="module")
def folders(
    request: pytest.FixtureRequest,
    real_archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The commands of the README on the real archive, one after another."""
    request.getfixturevalue("ray_local")
    root = tmp_path_factory.mktemp("real")
    names = ("manifest", "prepared", "model", "evaluation")
    where = {name: str(root / name) for name in names}
    outcomes = ["--outcomes", str(real_archive / "outcomes.csv")]
    manifest = ["manifest", "archive", str(real_archive), *outcomes, "--out", where["manifest"]]
    assert main(manifest) == 0
    assert main(["prepare", where["manifest"], "--out", where["prepared"], *SMALL]) == 0
    assert main(["train", where["prepared"], "--out", where["model"], *QUICK]) == 0
    return where


def _counts(folder: str) -> dict[str, int]:
    counts: dict[str, int] = json.loads(Path(folder, "_SUCCESS").read_text(encoding="utf-8"))
    return counts


def test_the_manifest_and_the_prepared_images_hold_every_film(folders: dict[str, str]) -> None:
    manifest, prepared = _counts(folders["manifest"]), _counts(folders["prepared"])
    assert {k: manifest[k] for k in ("seen", "rows", "excluded", "rejected")} == {
        "seen": 267, "rows": 264, "excluded": 3, "rejected": 0
    }  # fmt: skip
    assert (manifest["women"], manifest["positive"]) == (132, 45)
    assert (prepared["done"], prepared["rejected"], prepared["blank"]) == (264, 0, 0)


def test_evaluation_says_its_interval_its_women_and_chance_in_words(
    folders: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", folders["model"], "--out", folders["evaluation"]]
    assert main(["evaluate", folders["prepared"], *arguments]) == 0
    said = capsys.readouterr().out
    assert "ROC AUC" in said
    assert "interval" in said
    assert "women" in said
    evaluation = json.loads(Path(folders["evaluation"], "evaluation.json").read_text())
    auc = evaluation["roc_auc"]
    assert 0 < auc["low"] < auc["value"] < auc["high"] < 1
    if auc["low"] <= 0.5 <= auc["high"]:
        assert "not distinguishable from chance" in said


def test_the_whole_archive_is_scored_exam_by_exam(
    folders: dict[str, str], real_archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    arguments = ["--model", folders["model"], "--protocol", "mlo-only", "--out", str(out)]
    assert main(["score", str(real_archive), *arguments]) == 0
    counts = _counts(str(out))
    assert (counts["done"], counts["exams"], counts["exams_scored"]) == (264, 132, 132)
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert run["ray"]["runs"][0].startswith("mammo-score_")
    assert run["ray"]["worker_ids"]
    assert len(run["ray"]["operators"]) >= 3


def test_five_damaged_films_are_five_reasons_and_five_leading_exams(
    folders: dict[str, str], real_archive: Path, tmp_path: Path
) -> None:
    archive, out = tmp_path / "archive", tmp_path / "scores"
    shutil.copytree(real_archive, archive)
    archive.chmod(0o755)
    films = sorted(archive.rglob("*.dcm"))[::50][:5]
    expected = {str(film): reason for film, reason in zip(films, _damage(films), strict=True)}
    arguments = ["--model", folders["model"], "--protocol", "mlo-only", "--out", str(out)]
    assert main(["score", str(archive), *arguments]) == 3
    tables = [out / "manifest" / "rejections.parquet", out / "rejections.parquet"]
    rows = [row for table in tables for row in storage.read_table(str(table)).to_pylist()]
    assert {row["uri"]: row["reason"] for row in rows} == expected
    counts = _counts(str(out))
    assert (counts["done"], counts["rejected_in_all"]) == (259, 5)
    exams = storage.read_table(str(out / "exams.parquet")).to_pandas()
    assert (exams["status"] == "incomplete").sum() == 5
    assert (exams["status"] == "scored").sum() == 127
    worklist = (out / "worklist.csv").read_text(encoding="utf-8").splitlines()
    women = {film.parts[-3] for film in films}
    assert {line.split(",")[1] for line in worklist[1:6]} == women
    assert all(",incomplete," in line for line in worklist[1:6])


def _damage(films: list[Path]) -> list[str]:
    """Damage five films in five ways; the reason that each must be given."""
    import pydicom

    truncated, empty, text, pixelless, cut = films
    for film in films:
        film.chmod(0o644)
    content = truncated.read_bytes()
    truncated.write_bytes(content[: len(content) // 2])
    empty.write_bytes(b"")
    text.write_text("no film any more", encoding="utf-8")
    dataset = pydicom.dcmread(pixelless)
    del dataset.PixelData
    dataset.save_as(pixelless)
    cut.write_bytes(cut.read_bytes()[:700])
    return [
        str(RejectionReason.PIXEL_DATA_TRUNCATED),
        str(RejectionReason.EMPTY_FILE),
        str(RejectionReason.NOT_DICOM),
        str(RejectionReason.NO_PIXEL_DATA),
        str(RejectionReason.HEADER_TRUNCATED),
    ]
