"""A driver whose workers die of some files: `python faulty_run.py VICTIMS COMMAND ...`.

VICTIMS are names of files, joined by commas; what follows are the words of `mammo`. Its Ray
patches each worker as it starts, so that reading a victim ends the process as the kernel would.
"""

import sys

from mammo_ray.distributed.environment import prepare_environment

prepare_environment(None)

import ray  # noqa: E402 - the environment comes first

from mammo_ray.cli import main  # noqa: E402

victims = frozenset(sys.argv[1].split(","))


def _patch_worker() -> None:
    import os
    import signal

    from mammo_ray import storage

    read = storage.read_bytes

    def read_or_die(uri: str, start: int = 0, length: int | None = None) -> bytes:
        if os.path.basename(uri) in victims:  # noqa: PTH119 - a URI, not a path
            os.kill(os.getpid(), signal.SIGKILL)
        return read(uri, start, length)

    storage.read_bytes = read_or_die


if __name__ == "__main__":
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"worker_process_setup_hook": _patch_worker},
    )
    sys.exit(main(sys.argv[2:]))
