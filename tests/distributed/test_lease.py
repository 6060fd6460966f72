"""A folder has one driver at a time, and a dead one keeps nobody away."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from mammo_ray import object_storage, storage
from mammo_ray.distributed import lease
from mammo_ray.distributed.lease import Lease, hold_lease
from mammo_ray.errors import UsageError


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_WATCH_SECONDS", 0.3)
    monkeypatch.setattr(lease, "_SETTLE_SECONDS", 0.05)


@pytest.fixture(params=["disk", "s3"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    if request.param == "disk":
        yield str(tmp_path / "out")
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        object_storage.reconnect()
        boto3.client("s3").create_bucket(Bucket="results")
        yield "s3://results/out"
    object_storage.reconnect()


def _uri(folder: str) -> str:
    return storage.join(folder, "lease.json")


def _standing(folder: str) -> Lease:
    return Lease(**json.loads(storage.read_bytes(_uri(folder))))


def _leave(folder: str, **changes: object) -> None:
    """A lease of this process, changed, as a driver that was killed leaves it."""
    with hold_lease(folder):
        mine = _standing(folder)
    changed = replace(mine, holder="another", **changes)
    storage.write_text(_uri(folder), json.dumps(asdict(changed)))


def test_a_second_driver_is_refused_and_told_since_when(folder: str) -> None:
    with hold_lease(folder):
        since = _standing(folder).since
        with (
            pytest.raises(UsageError, match=rf"since {since[:16]}.*this machine"),
            hold_lease(folder),
        ):
            pass
        assert _standing(folder).since == since
    assert not storage.exists(_uri(folder))


def test_the_lease_is_given_back_after_an_error(folder: str) -> None:
    with pytest.raises(ValueError, match="broke"), hold_lease(folder):
        raise ValueError("it broke")
    assert not storage.exists(_uri(folder))


def test_of_many_drivers_at_once_one_works(folder: str) -> None:
    refused: list[str] = []
    barrier, done = threading.Barrier(6), threading.Event()

    def drive() -> None:
        barrier.wait()
        try:
            with hold_lease(folder):
                done.wait(20)
        except UsageError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=drive) for _ in range(6)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(refused) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    done.set()
    for thread in threads:
        thread.join()
    assert len(refused) == 5


def test_the_lease_of_a_process_that_is_gone_is_taken_over(folder: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    _leave(folder, pid=ended.pid)
    with hold_lease(folder):
        assert _standing(folder).pid == os.getpid()


def test_a_process_id_that_was_given_anew_is_not_the_driver(folder: str) -> None:
    _leave(folder, born="1")
    with hold_lease(folder):
        assert _standing(folder).holder != "another"


def test_a_driver_on_another_machine_is_believed_while_it_renews(folder: str) -> None:
    _leave(folder, host="elsewhere", renewed=time.time() - 100)
    with pytest.raises(UsageError, match="another machine"), hold_lease(folder):
        pass
    assert _standing(folder).holder == "another"


def test_a_stale_lease_of_another_machine_is_watched_before_it_is_taken_over(folder: str) -> None:
    _leave(folder, host="elsewhere", renewed=time.time() - 1000)
    started = time.monotonic()
    with hold_lease(folder):
        assert time.monotonic() - started >= 0.3
        assert _standing(folder).holder != "another"


def test_a_clock_that_is_behind_does_not_cost_a_driver_its_lease(folder: str) -> None:
    _leave(folder, host="elsewhere", renewed=time.time() - 1000)
    renewed = replace(_standing(folder), renewed=time.time() - 990)
    timer = threading.Timer(0.1, lambda: storage.write_bytes(_uri(folder), renewed.to_bytes()))
    timer.start()
    with pytest.raises(UsageError, match="another machine"), hold_lease(folder):
        pass
    timer.join()


def test_a_file_that_is_no_lease_keeps_nobody_away(folder: str) -> None:
    storage.write_text(_uri(folder), "half a le")
    with hold_lease(folder):
        assert _standing(folder).pid == os.getpid()


def test_the_lease_is_renewed_and_names_no_machine(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_RENEWAL_SECONDS", 0.05)
    with hold_lease(folder):
        first = _standing(folder)
        deadline = time.monotonic() + 20
        while _standing(folder).renewed == first.renewed:
            assert time.monotonic() < deadline, "the lease was not renewed"
            time.sleep(0.02)
        assert os.uname().nodename not in asdict(first).values()
        assert _standing(folder) == replace(first, renewed=_standing(folder).renewed)


def test_a_lease_that_another_took_over_is_left_to_it(folder: str) -> None:
    with hold_lease(folder):
        other = replace(_standing(folder), holder="another")
        storage.write_bytes(_uri(folder), other.to_bytes())
    assert _standing(folder).holder == "another"
