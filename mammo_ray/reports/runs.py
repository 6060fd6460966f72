"""The run folders that a report speaks of: what lies there, and whether it is whole."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pyarrow.fs as pafs

from mammo_ray import storage
from mammo_ray.errors import InputError
from mammo_ray.run_record import read_run

# The order of the flow, which is the order of the page.
FLOW = ("phantom", "manifest", "prepare", "train", "score", "evaluate", "demo")
_STAGES = frozenset({"manifest", "prepare", "train", "score", "evaluate"})
# A plan names its stage first; its shards may take tens of megabytes.
_PLAN_HEAD_BYTES = 1024
_STAGE_OF_PLAN = re.compile(rb'"stage":\s*"([a-z-]+)"')


@dataclass(frozen=True)
class Run:
    """One run folder.

    Attributes:
        name: its place below the folder of the report; empty for that folder itself.
        folder: its URI.
        command: first word of the command that wrote it.
        record: its `run.json`; empty when the run ended before writing one.
        complete: whether the run said that it is whole (`_SUCCESS`).
    """

    name: str
    folder: str
    command: str
    record: dict[str, Any]
    complete: bool

    @property
    def counts(self) -> dict[str, int]:
        """The counts of its record."""
        return dict(self.record.get("counts") or {})

    @property
    def exit_code(self) -> int | None:
        """How the command ended, where it did."""
        code = self.record.get("exit_code")
        return code if isinstance(code, int) else None

    def path(self, *parts: str) -> str:
        """The URI of something in the folder."""
        return storage.join(self.folder, *parts)

    def has(self, *parts: str) -> bool:
        """Whether a file is there."""
        return storage.exists(self.path(*parts))


def find_runs(folder: str) -> list[Run]:
    """Every run in a folder, in its subfolders, and one below those, in the order of the flow.

    Raises:
        InputError: there is no such folder, or no run in it.
    """
    found = [run for run in [_read_run("", folder)] if run]
    for name in _subfolders(folder):
        below = _read_run(name, storage.join(folder, name))
        if below:
            found.append(below)
    for run in list(found):
        # `mammo score ARCHIVE` keeps the manifest that it made in its own folder.
        inner = _read_run(f"{run.name}/manifest".lstrip("/"), run.path("manifest"))
        if inner and inner.folder not in {other.folder for other in found}:
            found.append(inner)
    if not found:
        raise InputError(f"{folder} holds no run: neither it nor a folder in it has a run.json")
    return sorted(found, key=lambda run: (_place(run.command), run.name))


def _place(command: str) -> int:
    return FLOW.index(command) if command in FLOW else len(FLOW)


def _read_run(name: str, folder: str) -> Run | None:
    """The run in a folder; None where there is none."""
    success = storage.exists(storage.join(folder, "_SUCCESS"))
    if storage.exists(storage.join(folder, "run.json")):
        record = read_run(folder)
        command = str(record.get("command", "unknown")).split()[0]
        return Run(name, folder, command, record, success or command not in _STAGES)
    try:
        head = storage.read_bytes(storage.join(folder, "plan.json"), 0, _PLAN_HEAD_BYTES)
    except FileNotFoundError:
        return None
    stage = _STAGE_OF_PLAN.search(head)
    command = stage.group(1).decode() if stage else "unknown"
    return Run(name, folder, command, {}, complete=False)


def _subfolders(folder: str) -> list[str]:
    """Names of the folders directly below, sorted."""
    filesystem, path = storage.filesystem_of(folder)
    try:
        items = filesystem.get_file_info(pafs.FileSelector(path, recursive=False))
    except FileNotFoundError as error:
        raise InputError(f"{folder} does not exist") from error
    except NotADirectoryError as error:
        raise InputError(f"{folder} is a file; a report is made of a folder") from error
    return sorted(item.base_name for item in items if item.type == pafs.FileType.Directory)


def read_json(run: Run, name: str) -> object:
    """The JSON document of a run, or None where it has none.

    Raises:
        InputError: it is not JSON.
    """
    try:
        return json.loads(storage.read_bytes(run.path(name)))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise InputError(f"{name} of the {run.command} run is not JSON: {error}") from error
