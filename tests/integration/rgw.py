"""A real S3 server on loopback: Ceph's RADOS gateway over one monitor and one OSD in memory."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-common")
_PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool")
_READY_SECONDS = 120.0
_STOP_SECONDS = 20.0
_CONFIGURATION = """
[global]
mon host = [v2:127.0.0.1:{monitor_port}]
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
admin socket =
pid file =
log file = {folder}/$name.log
public addr = 127.0.0.1
mon data = {folder}/mon
mon data avail crit = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
paxos propose interval = 0.05
paxos min wait = 0.01
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {bytes}
osd memory target = 939524096
osd crush chooseleaf type = 0
osd op num shards = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 64
rgw dynamic resharding = false
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = night=bmlnaHRuaWdodG5pZ2h0bmlnaHRuaWdodG5pZ2h0bmk=
"""
_USERS = {
    "mon.": ["mon", "allow *"],
    "client.admin": ["mon", "allow *", "osd", "allow *"],
    "osd.0": ["mon", "allow profile osd", "osd", "allow *"],
    "client.rgw.a": ["mon", "allow rw", "osd", "allow rwx"],
}


@dataclass(frozen=True)
class ObjectStore:
    """A running S3 server.

    Attributes:
        endpoint: `http://127.0.0.1:PORT`.
        access_key: of the user who owns every bucket.
        secret_key: that user's.
        folder: its configuration and logs.
        processes: ids of its processes.
    """

    endpoint: str
    access_key: str
    secret_key: str
    folder: Path
    processes: tuple[int, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use this store."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def admin(self, *arguments: str) -> dict[str, object]:
        """What `radosgw-admin` says, as JSON."""
        said = _run("radosgw-admin", "-c", str(self.folder / "ceph.conf"), *arguments)
        answer: dict[str, object] = json.loads(said) if said.strip() else {}
        return answer

    def add_key(self, secret_key: str) -> str:
        """A second key pair of the user; gives its access key."""
        access_key = f"KEY{uuid.uuid4().hex[:16].upper()}"
        self.admin(
            "key", "create", "--uid=owner", "--key-type=s3",
            f"--access-key={access_key}", f"--secret-key={secret_key}",
        )  # fmt: skip
        return access_key

    def remove_key(self, access_key: str) -> None:
        """Take a key pair away, as if it had expired."""
        self.admin("key", "rm", "--uid=owner", "--key-type=s3", f"--access-key={access_key}")


def missing_programs() -> list[str]:
    """Programs of the server that are not on PATH."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


@contextmanager
def object_store(folder: Path, gigabytes: int = 4) -> Iterator[ObjectStore]:
    """A fresh server with one user, for the time of the context; its objects live in memory.

    Args:
        folder: an empty folder; also holds the logs.
        gigabytes: of objects that it takes.
    """
    monitor_port, port = free_port(), free_port()
    endpoint = f"http://127.0.0.1:{port}"
    configuration = folder / "ceph.conf"
    size = gigabytes << 30
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, monitor_port=monitor_port, port=port, bytes=size),
        encoding="utf-8",
    )
    conf = ("-c", str(configuration))
    _write_keys(folder / "keyring")
    for name in ("mon", "osd"):
        (folder / name).mkdir()
    with ExitStack() as running:
        _make_monitor(folder, conf, f"[v2:127.0.0.1:{monitor_port}]")
        monitor = running.enter_context(_process(folder, "ceph-mon", *conf, "-i", "a", "-f"))
        osd_id = str(uuid.uuid4())
        _run("ceph", *conf, "--connect-timeout", "60", "osd", "new", osd_id)
        _run("ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        osd = running.enter_context(_process(folder, "ceph-osd", *conf, "-i", "0", "-f"))
        gateway = running.enter_context(
            _process(folder, "radosgw", *conf, "-n", "client.rgw.a", "-f")
        )
        _await_answer(endpoint, gateway, folder)
        processes = tuple(process.pid for process in (monitor, osd, gateway))
        store = ObjectStore(endpoint, "OWNERKEY", uuid.uuid4().hex, folder, processes)
        keys = (f"--access-key={store.access_key}", f"--secret-key={store.secret_key}")
        store.admin("user", "create", "--uid=owner", "--display-name=owner", *keys)
        yield store


def free_port() -> int:
    """A TCP port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_keys(keyring: Path) -> None:
    for index, (name, rights) in enumerate(_USERS.items()):
        create = ["--create-keyring"] if index == 0 else []
        caps = [
            word
            for service, right in zip(rights[::2], rights[1::2], strict=True)
            for word in ("--cap", service, right)
        ]
        _run("ceph-authtool", *create, str(keyring), "--gen-key", "-n", name, *caps)


def _make_monitor(folder: Path, conf: tuple[str, ...], address: str) -> None:
    """An empty monitor of a cluster of one."""
    cluster, monitors = str(uuid.uuid4()), str(folder / "monmap")
    _run("monmaptool", "--create", "--addv", "a", address, "--fsid", cluster, monitors)
    keys = ("--keyring", str(folder / "keyring"))
    _run("ceph-mon", *conf, "--mkfs", "-i", "a", "--monmap", monitors, *keys)


def _run(*command: str) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=_READY_SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def _process(folder: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process for the time of the context; it ends with us even when we are killed."""
    tied = ("setpriv", "--pdeathsig", "KILL", *command)
    with (folder / f"{command[0]}.out").open("wb") as said:
        process = _start(tied, said)
        try:
            yield process
        finally:
            _stop(process)


def _start(command: tuple[str, ...], said: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Kill by id: what it holds lies in memory and in a temporary folder."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=_STOP_SECONDS)


def _await_answer(endpoint: str, gateway: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if gateway.poll() is not None:
            break
        try:
            requests.get(endpoint, timeout=5)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    said = (folder / "radosgw.out").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"the object store did not answer: {said[-500:]}")
