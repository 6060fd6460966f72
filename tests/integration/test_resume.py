"""A run whose driver is killed is finished by starting it again, with the same content."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mammo_ray.config import Config
from mammo_ray.distributed.ingest import prepare_archive
from tests.integration.conftest import SMALL, Flow

_DEADLINE = 180.0


def start_prepare(flow: Flow, out: Path) -> "subprocess.Popen[bytes]":
    """A driver that prepares the flow in shards of three images."""
    overrides = [word for pair in SMALL for word in ("--set", pair)]
    command = [sys.executable, "-m", "mammo_ray.cli", "prepare", flow.manifest, "--recipe", "demo"]
    overrides += ["--set", "data.shard_images=3"]
    return subprocess.Popen(
        [*command, *overrides, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _parts(out: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (out / "images").glob("part-*.parquet")}


def _children(process_id: int) -> set[int]:
    """Ids of all processes below one, by /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, grown = {process_id}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found - {process_id}


def _alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_killed_driver_leaves_whole_parts_and_the_second_start_ends_alike(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    out = tmp_path / "prepared"
    first = start_prepare(flow, out)
    deadline = time.monotonic() + _DEADLINE
    while len(_parts(out)) < 4:
        assert first.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no part came"
        time.sleep(0.02)
    below = _children(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    plan = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    assert len(plan["shards"]) >= 16
    while any(_alive(p) for p in below) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not [p for p in below if _alive(p)], "processes outlived their driver"
    done = _parts(out)
    assert 4 <= len(done) < len(plan["shards"])
    assert not (out / "_SUCCESS").exists()

    second = start_prepare(flow, out)
    output, _ = second.communicate(timeout=_DEADLINE)
    assert second.returncode == 0, output.decode()
    after = _parts(out)
    assert len(after) == len(plan["shards"])
    assert {name: after[name] for name in done} == done

    record, _ = prepare_archive(flow.manifest, small, str(tmp_path / "whole"))
    resumed = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert resumed["ray"]["shards_done_now"] == len(plan["shards"]) - len(done)
    assert resumed["counts"]["done"] == record.counts["done"]
    assert resumed["outputs"] == record.outputs
