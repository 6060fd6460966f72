"""Two drivers over one folder: the second is refused, and a killed one keeps nobody away."""

import os
import signal
import time
from pathlib import Path

import pytest

from mammo_ray.cli import main
from tests.integration.conftest import SMALL, Flow
from tests.integration.test_resume import start_prepare

_DEADLINE = 180.0


def test_the_second_of_two_drivers_is_refused_until_the_first_is_gone(
    flow: Flow, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "prepared"
    first = start_prepare(flow, out)
    try:
        deadline = time.monotonic() + _DEADLINE
        while not (out / "plan.json").exists():
            assert first.poll() is None, "the run ended before a second one could start"
            assert time.monotonic() < deadline, "no plan came"
            time.sleep(0.02)
        overrides = [word for pair in SMALL for word in ("--set", pair)]
        words = ["prepare", flow.manifest, "--recipe", "demo", *overrides, "--out", str(out)]
        assert main(words) == 2
        assert "another run works on" in capfd.readouterr().err
        assert first.poll() is None
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
    assert (out / "lease.json").exists()
    assert main(words) == 0
    assert not (out / "lease.json").exists()
    assert (out / "_SUCCESS").exists()
