"""The environment is silent and private before Ray starts, and the user's own choice stays."""

import os
import sys
from pathlib import Path

import pytest

from mammo_ray.distributed.environment import is_local, prepare_environment

_NAMES = (
    "RAY_USAGE_STATS_ENABLED", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS",
)  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of ours, an empty home, and Ray not imported."""
    for name in _NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back whatever the code sets
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "ray", raising=False)


def test_usage_statistics_and_telemetry_are_off() -> None:
    prepare_environment(None)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_local_ray_gets_a_token_of_its_own_and_nothing_is_written(tmp_path: Path) -> None:
    prepare_environment(None)
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"])
def test_what_the_user_has_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "mine")
    prepare_environment(None)
    assert os.environ[name] == "mine"
    assert sum(n in os.environ for n in _NAMES if n.startswith("RAY_AUTH")) == 1


def test_a_token_in_the_home_folder_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("mine", encoding="utf-8")
    prepare_environment(None)
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_a_cluster_gets_no_token_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_environment("10.0.0.1:6379")
    assert "RAY_AUTH_TOKEN" not in os.environ
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert not is_local(None)
    prepare_environment(None)
    assert "RAY_AUTH_TOKEN" not in os.environ
