"""A split that shares women marks every result that is made on it; so does what was checked."""

import json
from pathlib import Path

import pytest

from mammo_ray.config import Config
from mammo_ray.datasets.checks.certificate import certificate_words, read_certificate
from mammo_ray.distributed.check import check_manifest
from mammo_ray.distributed.evaluate import evaluate_model
from mammo_ray.distributed.ingest import prepare_archive
from mammo_ray.distributed.split import SplitOptions, write_split
from mammo_ray.distributed.train import train_model
from mammo_ray.models.bundle import read_bundle
from mammo_ray.splits import split_is_leaky
from tests.integration.conftest import Flow


@pytest.fixture(scope="module")
def leaky(flow: Flow, small: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Check, split by row, prepare, train and evaluate, after the archive of the flow."""
    root = tmp_path_factory.mktemp("leaky")
    for name in ("manifest.parquet", "_SUCCESS", "run.json"):
        (root / "manifest").mkdir(exist_ok=True)
        (root / "manifest" / name).write_bytes(Path(flow.manifest, name).read_bytes())
    manifest, split = str(root / "manifest"), str(root / "split.csv")
    check_manifest(manifest, small)
    write_split(manifest, split, SplitOptions(allow_leakage=True), small)
    prepare_archive(manifest, small, str(root / "prepared"))
    train_model(str(root / "prepared"), small, str(root / "model"), split)
    evaluate_model(str(root / "prepared"), str(root / "model"), small, str(root / "evaluation"))
    return root


def test_bundle_records_and_evaluation_of_a_leaky_split_say_so(leaky: Path) -> None:
    bundle = read_bundle(str(leaky / "model"))
    assert split_is_leaky(bundle.split)
    assert bundle.facts.metrics["leakage"] == "allowed"
    trained = json.loads((leaky / "model" / "run.json").read_text(encoding="utf-8"))
    assert trained["leakage"] == "allowed"
    evaluation = json.loads((leaky / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["leakage"] == "allowed"
    warning = "made on a split that shares women: not a measure of performance"
    assert warning in evaluation["summary"]
    assert warning in evaluation["scores_of"]
    run = json.loads((leaky / "evaluation" / "run.json").read_text(encoding="utf-8"))
    assert (run["leakage"], warning in run["summary"]) == ("allowed", True)


def test_the_certificate_follows_every_metric(leaky: Path) -> None:
    words = certificate_words(read_certificate(str(leaky / "manifest" / "manifest.parquet")))
    assert "checked without pixels" in words
    for folder in ("prepared", "model", "evaluation"):
        run = json.loads((leaky / folder / "run.json").read_text(encoding="utf-8"))
        assert run["data_certificate"] == words, folder
    assert read_bundle(str(leaky / "model")).facts.metrics["data_certificate"] == words
    evaluation = json.loads((leaky / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["data_certificate"] == words
    assert evaluation["training_data_certificate"] == words


def test_what_was_never_checked_says_unchecked(flow: Flow) -> None:
    for folder in (flow.prepared, flow.model, flow.scores, flow.evaluation):
        run = json.loads(Path(folder, "run.json").read_text(encoding="utf-8"))
        assert run["data_certificate"] == "unchecked"
