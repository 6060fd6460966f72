"""`lease.json` beside a plan: the driver that works on the folder, so that no second one races it.

The lease is renewed while the driver lives and removed when it ends. A driver that was killed
leaves it behind: on the same machine its process is looked for, from another one it is watched.
"""

import hashlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mammo_ray import storage
from mammo_ray.errors import StorageError, UsageError

_log = logging.getLogger(__name__)

_RENEWAL_SECONDS = 30.0
_STALE_SECONDS = 180.0
# Clocks of two machines differ, so a lease that looks stale is watched for longer than a renewal.
_WATCH_SECONDS = 40.0
# Where the last writer wins, and where two take a dead lease over, who it was is seen after this.
_SETTLE_SECONDS = 1.0


@dataclass(frozen=True)
class Lease:
    """Who works on a folder.

    Attributes:
        holder: of this run, made up anew for each.
        host: digest of the machine's name, start and process namespace.
        pid: of the driver.
        born: when that process started, in ticks since the machine did; ids are used again.
        since: when the run began, ISO 8601.
        renewed: when the lease was written last, seconds since 1970.
    """

    holder: str
    host: str
    pid: int
    born: str
    since: str
    renewed: float

    def to_bytes(self) -> bytes:
        """The lease as JSON."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


@contextmanager
def hold_lease(folder: str) -> Iterator[None]:
    """Keep every other driver away from a result folder for the time of the block.

    Raises:
        UsageError: another driver works on the folder; since when is said.
        StorageError: the lease could not be written.
    """
    uri = storage.join(folder, "lease.json")
    lease = _take(uri, folder)
    stop = threading.Event()
    keeper = threading.Thread(
        target=_keep, args=(uri, lease, stop), name="mammo-lease", daemon=True
    )
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()
        _release(uri, lease)


def _take(uri: str, folder: str) -> Lease:
    """A lease of our own, put where none stood or in the place of a dead one."""
    lease = Lease(
        holder=uuid.uuid4().hex,
        host=_host(),
        pid=os.getpid(),
        born=_born(os.getpid()),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        renewed=time.time(),
    )
    standing = _read(uri)
    if standing is not None:
        if _is_alive(standing, uri):
            raise _refusal(folder, standing)
        _log.warning("the run that began here at %s ended without a word", standing.since)
        storage.delete(uri)
    storage.write_new(uri, lease.to_bytes())  # its answer may be lost: what stands there decides
    if storage.is_s3(uri) or standing is not None:
        time.sleep(_SETTLE_SECONDS)
    standing = _read(uri)
    if standing is None or standing.holder != lease.holder:
        raise _refusal(folder, standing)
    return lease


def _refusal(folder: str, standing: Lease | None) -> UsageError:
    if standing is None:
        return UsageError(f"another run over {folder} came first and has ended: start again")
    place = "on this machine" if standing.host == _host() else "on another machine"
    return UsageError(
        f"another run works on {folder} since {standing.since} ({place}, process {standing.pid}): "
        "wait until it has ended, or give another --out"
    )


def _read(uri: str) -> Lease | None:
    """The lease that stands there; one that is no lease is as good as none that lives.

    Raises:
        StorageError: reading failed.
    """
    try:
        content = storage.read_bytes(uri)
    except FileNotFoundError:
        return None
    try:
        return Lease(**json.loads(content))
    except (ValueError, TypeError):
        return Lease("unreadable", "", 0, "", "an unknown time", 0.0)


def _is_alive(lease: Lease, uri: str) -> bool:
    """Whether the driver of a lease may still be at work."""
    if lease.host == _host():
        return lease.born == _born(lease.pid)
    if time.time() - lease.renewed < _STALE_SECONDS:
        return True
    time.sleep(_WATCH_SECONDS)
    return _read(uri) not in (None, lease)


def _keep(uri: str, lease: Lease, stop: threading.Event) -> None:
    """Renew the lease until told to stop, or until it is another's."""
    while not stop.wait(_RENEWAL_SECONDS):
        try:
            standing = _read(uri)
            if standing is not None and standing.holder != lease.holder:
                _log.warning("another run took this folder over at %s", standing.since)
                return
            storage.write_bytes(uri, replace(lease, renewed=time.time()).to_bytes())
        except StorageError as error:  # the run itself will say what is wrong with its storage
            _log.warning("the lease could not be renewed: %s", error)


def _release(uri: str, lease: Lease) -> None:
    """Remove the lease where it is still ours."""
    try:
        standing = _read(uri)
        if standing is not None and standing.holder == lease.holder:
            storage.delete(uri)
    except StorageError as error:  # what happened in the run matters more
        _log.warning("the lease could not be removed: %s", error)


def _host() -> str:
    """A digest that tells this machine, and this container on it, from every other."""
    identity = [socket.gethostname()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        identity += [
            boot.read_text(encoding="ascii").strip(),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    return hashlib.blake2b("\x1f".join(identity).encode(), digest_size=12).hexdigest()


def _born(pid: int) -> str:
    """When a process of this machine started; empty where it is gone.

    Where the machine does not say (no /proc), a process that lives has one word for all.
    """
    try:
        if not Path("/proc/self/stat").exists():
            os.kill(pid, 0)
            return "alive"
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except PermissionError:
        return "alive"
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
