"""Plain `ray job submit` runs the thin scripts on a cluster with a dashboard and a token."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import Flow

ROOT = Path(__file__).parent.parent.parent
_RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True)
class Cluster:
    """A Ray head with a dashboard, in a process of its own."""

    dashboard: str
    environment: dict[str, str]

    def submit(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `ray job submit --working-dir . -- python WORDS` to its end."""
        command = [_RAY, "job", "submit", "--address", self.dashboard, "--working-dir", "."]
        deadline = time.monotonic() + 180
        while True:
            done = subprocess.run(
                [*command, "--", sys.executable, *words],
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            # The agent that takes jobs answers a while after the dashboard does.
            if "No available agent" not in done.stderr or time.monotonic() > deadline:
                return done
            time.sleep(3)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def cluster(flow: Flow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A second Ray on loopback, with token authentication; ended by its own process id."""
    assert flow.model
    dashboard, port = _free_port(), _free_port()
    while 10002 <= port <= 19999:  # Ray keeps these for its workers
        port = _free_port()
    folder = Path("/tmp", f"mammo-{secrets.token_hex(4)}")  # noqa: S108 - sockets need a short path
    environment = {
        **{k: v for k, v in os.environ.items() if k not in {"RAY_ADDRESS", "RAY_JOB_ID"}},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "240",
    }
    command = [_RAY, "start", "--head", "--block", "--num-cpus=2", f"--port={port}"]
    # Another Ray on this machine holds the agent's usual port.
    command += [f"--dashboard-agent-listen-port={_free_port()}"]
    command += ["--include-dashboard=true", "--dashboard-host=127.0.0.1"]
    command += [
        f"--dashboard-port={dashboard}",
        f"--temp-dir={folder}",
        "--node-ip-address=127.0.0.1",
    ]
    log = tmp_path_factory.mktemp("head") / "ray.log"
    with log.open("w") as output:
        head = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            _wait_for(dashboard, head, log)
            yield Cluster(f"http://127.0.0.1:{dashboard}", environment)
        finally:
            head.terminate()
            head.wait(timeout=60)
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, head: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert head.poll() is None, log.read_text(encoding="utf-8")
        with socket.socket() as client:
            client.settimeout(1)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise AssertionError("the dashboard did not come up")


def test_a_scoring_job_runs_to_its_worklist(cluster: Cluster, flow: Flow, tmp_path: Path) -> None:
    out = tmp_path / "scores"
    words = ["jobs/score.py", flow.manifest, "--model", flow.model, "--out", str(out)]
    done = cluster.submit(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout + done.stderr
    assert (out / "_SUCCESS").exists()
    assert (out / "worklist.csv").read_text(encoding="utf-8").startswith("rank,")
    assert "PHANTOM" not in done.stdout + done.stderr


def test_a_job_with_a_missing_input_fails_and_says_why(cluster: Cluster, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out")]
    done = cluster.submit("jobs/ingest.py", "archive", str(tmp_path / "nowhere"), *out)
    assert done.returncode == 1
    assert "does not exist" in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()
