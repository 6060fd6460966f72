"""Tracking: the same numbers in MLflow, nothing without a server, no identifiers."""

import logging
import os
import sys
from pathlib import Path

import pytest

from mammo_ray.config import Config
from mammo_ray.training.tracking import track_run

HISTORY = [
    {"epoch": 1, "loss": 0.7, "valid_auc": 0.55, "best": True},
    {"epoch": 2, "loss": 0.6, "valid_auc": 0.65, "best": True},
]


def test_without_a_server_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)  # an import would fail
    assert track_run(Config(recipe="default"), HISTORY, {}) is None


def test_configuration_and_numbers_reach_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "false")
    monkeypatch.chdir(tmp_path)
    marks = {"leakage": "allowed", "data_certificate": "unchecked"}
    run_id = track_run(
        Config(recipe="default"), HISTORY, {"valid_auc": 0.65, "best_epoch": 2}, marks
    )
    assert run_id is not None
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["train.batch_size"] == "16"
    assert run.data.params["preprocess.clahe.enabled"] == "False"
    assert run.data.metrics["final_best_epoch"] == 2
    points = client.get_metric_history(run_id, "valid_auc")
    assert [(point.step, point.value) for point in points] == [(1, 0.55), (2, 0.65)]
    assert "best" not in run.data.metrics
    assert run.data.tags["mammo_ray.leakage"] == "allowed"
    assert run.data.tags["mammo_ray.data_certificate"] == "unchecked"
    assert "mlflow.user" not in run.data.tags
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_server_that_is_down_costs_a_warning_and_not_the_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with caplog.at_level(logging.WARNING):
        assert track_run(Config(recipe="default"), HISTORY, {}) is None
    assert "did not take the numbers" in caplog.text
