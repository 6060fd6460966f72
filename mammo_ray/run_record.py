"""`run.json`: what a command did, from what, with what, and how it ended.

Only keyed ids and counts go in; no DICOM identifier does.
"""

import json
import logging
import os
import platform
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from mammo_ray import __version__, storage
from mammo_ray.config import Config, DataConfig
from mammo_ray.errors import IncompleteResult, InputError, UsageError

_log = logging.getLogger(__name__)

EXIT_REJECTED = 3
EXIT_FINDINGS = 4

_PACKAGES = (
    "ray", "tensorflow", "keras", "pydicom", "imagecodecs", "opencv-python-headless",
    "numpy", "pandas", "pyarrow", "scikit-learn",
)  # fmt: skip


@dataclass
class RunRecord:
    """Collects what `run.json` says; `write` puts it beside the result."""

    command: str
    config: Config | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    ray: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    def to_json(self, exit_code: int) -> str:
        """The record as JSON text."""
        now = time.time()
        tree = {
            "command": self.command,
            "exit_code": exit_code,
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(),
            "seconds": round(now - self.started, 3),
            "versions": versions(),
            "host": {"cpus": os.cpu_count(), "platform": platform.platform()},
            "config": self.config.model_dump(mode="json") if self.config else None,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "counts": self.counts,
            "timings": {name: round(value, 3) for name, value in self.timings.items()},
            "ray": self.ray,
            **self.details,
        }
        return json.dumps(tree, indent=2, allow_nan=False) + "\n"

    def write(self, folder: str, exit_code: int = 0) -> None:
        """Put `run.json` (and `config.yaml` where there is a configuration) into the folder."""
        if self.config is not None:
            storage.write_text(storage.join(folder, "config.yaml"), self.config.to_yaml())
        storage.write_text(storage.join(folder, "run.json"), self.to_json(exit_code))

    def write_beside(self, result: str) -> None:
        """Put the record beside a result that must not hold it: `RESULT.run.json`."""
        storage.write_text(f"{result.rstrip('/')}.run.json", self.to_json(0))


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the packages that decide numbers."""
    found = {"mammo-ray": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def claim_folder(folder: str, command: str) -> None:
    """Refuse a result folder that is a file or holds what another command made.

    Raises:
        UsageError: naming what stands there.
    """
    place = folder.rstrip("/")
    while place not in ("", "/", "s3:") and not place.endswith("//"):
        if storage.exists(place):
            raise UsageError(f"{place} is a file; --out takes a folder")
        place = storage.parent(place) if not storage.is_s3(place) else ""
    standing = _command_of(folder)
    if standing not in (None, command):
        raise UsageError(f"{folder} holds a result of `mammo {standing}`: give another --out")


def _command_of(folder: str) -> str | None:
    """The command whose result a folder holds, whole or begun; None where there is none."""
    if storage.exists(storage.join(folder, "run.json")):
        return str(read_run(folder).get("command"))
    try:
        plan = json.loads(storage.read_bytes(storage.join(folder, "plan.json")))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError:
        return "an unreadable plan"
    return str(plan.get("stage")) if isinstance(plan, dict) else "an unreadable plan"


def judge_share(rejected: int, images: int, data: DataConfig) -> int:
    """Exit code 0, or 3 (with a warning) when more than the allowed share of images is rejected."""
    share = rejected / images if images else 0.0
    if share <= data.allowed_rejected_share:
        return 0
    _log.warning(
        "%d of %d images (%.2f %%) were rejected, more than the allowed %.2f %%",
        rejected, images, 100 * share, 100 * data.allowed_rejected_share,
    )  # fmt: skip
    return EXIT_REJECTED


def mark_success(folder: str, counts: dict[str, int]) -> None:
    """Put `_SUCCESS`, last of all, with the counts of the run."""
    storage.write_text(storage.join(folder, "_SUCCESS"), json.dumps(counts, indent=2) + "\n")


def require_success(folder: str) -> dict[str, int]:
    """The counts of a complete result.

    Raises:
        InputError: there is no such result.
        IncompleteResult: the run that writes the folder has not ended.
    """
    try:
        counts: dict[str, int] = json.loads(storage.read_bytes(storage.join(folder, "_SUCCESS")))
    except FileNotFoundError as error:
        if storage.exists(storage.join(folder, "plan.json")):
            raise IncompleteResult(
                f"{folder} is incomplete: it has no _SUCCESS; start its command again to finish it"
            ) from error
        raise InputError(f"{folder} is not a result of mammo-ray: it has no _SUCCESS") from error
    return counts


def require_rows(folder: str, found: int, counted: str) -> None:
    """Refuse a result whose parts do not hold as many rows as its mark counts under a name.

    Raises:
        IncompleteResult: with both numbers.
    """
    expected = require_success(folder)[counted]
    if found != expected:
        raise IncompleteResult(
            f"{folder} holds {found} images, its _SUCCESS says {expected}; "
            "start its command again to finish it"
        )


def read_run(folder: str) -> dict[str, Any]:
    """The content of a `run.json`.

    Raises:
        InputError: there is none, or it is not JSON.
    """
    try:
        tree: dict[str, Any] = json.loads(storage.read_bytes(storage.join(folder, "run.json")))
    except FileNotFoundError as error:
        raise InputError(f"{folder} has no run.json") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{folder}/run.json is not JSON: {error}") from error
    return tree
