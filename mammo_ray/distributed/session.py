"""A Ray to work on: one of our own on this machine, or a running cluster."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from mammo_ray.distributed.environment import is_local
from mammo_ray.errors import MammoError, UsageError

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 10.0
# They narrate every run on the console; the same lines stand in Ray's own log files.
_CHATTY = ("ray.data", "ray.train", "ray._private.worker")


@contextmanager
def ray_session(address: str | None = None) -> Iterator[None]:
    """Connect to Ray for the time of a command.

    A Ray that this process is connected to already is used as it is and left running.

    Args:
        address: of a running cluster; None: `RAY_ADDRESS` (set inside Ray jobs), else a local Ray.

    Raises:
        UsageError: no cluster answers at the address.
    """
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    if ray.is_initialized():
        yield
        return
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    if is_local(address):
        # Worker output stays in Ray's own log files: it could carry file names, which carry ids.
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, RuntimeError) as error:
            raise MammoError(f"no local Ray could be started: {error}") from error
        except Exception as error:
            if type(error) is not Exception:
                raise
            # Ray 2.60 says so, with a bare Exception, when its node is slow to start.
            raise MammoError(f"no local Ray could be started in time: {error}") from error
        return
    target = address or os.environ["RAY_ADDRESS"]
    _require_answer(target)
    try:
        ray.init(address=target, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"no Ray cluster answers at {target}: {error}") from error
    if os.environ.get("RAY_AUTH_MODE") != "token":
        _log.warning(
            "this cluster runs without token authentication: whoever reaches its dashboard or "
            "ports can run code on it; start it with RAY_AUTH_MODE=token"
        )


def _require_answer(target: str) -> None:
    """Refuse an address where nothing listens; Ray itself would try for minutes.

    Raises:
        UsageError: the address has no port, or nothing answers there.
    """
    if target == "auto":
        return
    host, _, port = target.rpartition("//")[2].partition("/")[0].rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--address {target!r} must look like host:port")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        raise UsageError(f"no Ray cluster answers at {target}: {error.strerror}") from error


def cluster_cpus() -> int:
    """CPUs of the cluster, at least one."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
