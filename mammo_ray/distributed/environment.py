"""What must stand in the environment before Ray, TensorFlow or MLflow is imported."""

import os
import secrets
import sys
from pathlib import Path

# No usage statistics leave the machine; TensorFlow keeps its start-up notices to itself.
_DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "RAY_TRAIN_V2_ENABLED": "1",
    # A tracking server that is away delays the end of a training by seconds, not by minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # Only spares Ray Data a hint to install a progress-bar package; ours are printed instead.
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
_TOKEN_SOURCES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def prepare_environment(address: str | None) -> None:
    """Set defaults for this process and its children; what the user has set stays.

    A local Ray gets a token of its own for its lifetime: `ray.init` would else leave one in the
    home folder that other users of the machine can read.

    Args:
        address: of a running cluster; None for a local Ray.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Ray reads its mode once, when it is imported.
    early = "ray" not in sys.modules
    wanted = os.environ.get("RAY_AUTH_MODE", "token") == "token"
    if early and wanted and is_local(address) and not _has_token():
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def is_local(address: str | None) -> bool:
    """Whether a Ray of our own will be started: no address given, and not inside a Ray job."""
    return (address or os.environ.get("RAY_ADDRESS") or "local") == "local"


def _has_token() -> bool:
    in_home = Path.home() / ".ray" / "auth_token"
    return any(name in os.environ for name in _TOKEN_SOURCES) or in_home.exists()
