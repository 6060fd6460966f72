"""The sandbox: a crash, a hang or a hunger for memory costs one image and nothing more."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mammo_ray.dicom.sandbox import Sandbox, shared_sandbox
from mammo_ray.errors import ImageRejected, StorageError


def length_and_process(content: bytes) -> tuple[int, int]:
    return len(content), os.getpid()


def die_by(content: bytes, number: int) -> int:
    os.kill(os.getpid(), number)
    return len(content)


def read_address_zero(content: bytes) -> int:
    import ctypes

    ctypes.string_at(0)
    return len(content)


def leave(content: bytes) -> int:
    os._exit(3 + len(content) * 0)


def hang(content: bytes, seconds: float) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # as a codec that never looks up
    time.sleep(seconds)
    return len(content)


def allocate(content: bytes, megabytes: int) -> int:
    return int(np.ones(megabytes * 2**20, np.uint8)[:: 2**12].sum()) * len(content)


def reject(content: bytes) -> int:
    raise ImageRejected("decode-failed", f"{len(content)} bytes")


def fail(content: bytes) -> int:
    raise ValueError(f"a mistake of ours over {len(content)} bytes")


def settings_of_child(_content: bytes) -> dict[str, object]:
    import resource

    import cv2

    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "threads": cv2.getNumThreads(),
        "omp": os.environ["OMP_NUM_THREADS"],
        "interrupt": signal.getsignal(signal.SIGINT),
    }


def storage_is_down(_uri: str) -> bytes:
    raise StorageError("object storage refused")


def crash_on_reading(_uri: str) -> bytes:
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def is_alive(process: int) -> bool:
    """Whether a process runs; a zombie that nobody waited for does not count as gone."""
    return Path(f"/proc/{process}").exists()


def wait_until_gone(process: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while is_alive(process) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(process)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(memory_megabytes=512) as started:
        yield started


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image.dcm"
    path.write_bytes(b"seven by")
    return str(path)


def rejection(sandbox: Sandbox, uri: str, work: object, seconds: float = 30.0) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        sandbox.run(uri, work, seconds)
    return caught.value


def test_work_is_done_in_one_other_process(sandbox: Sandbox, image: str) -> None:
    first = sandbox.run(image, length_and_process, 30)
    second = sandbox.run(image, length_and_process, 30)
    assert first == second
    assert first[0] == 8
    assert first[1] != os.getpid()


@pytest.mark.parametrize(
    ("work", "cause"),
    [
        (read_address_zero, "SIGSEGV (signal 11)"),
        (partial(die_by, number=signal.SIGSEGV), "SIGSEGV (signal 11)"),
        (partial(die_by, number=signal.SIGABRT), "SIGABRT (signal 6)"),
        (partial(die_by, number=signal.SIGKILL), "SIGKILL (signal 9)"),
        (leave, "exit status 3"),
    ],
)
def test_a_crash_is_a_reason_and_the_next_image_works(
    sandbox: Sandbox, image: str, work: object, cause: str
) -> None:
    _, before = sandbox.run(image, length_and_process, 30)
    error = rejection(sandbox, image, work)
    assert error.reason == "decoder-crash"
    assert cause in error.detail
    length, after = sandbox.run(image, length_and_process, 30)
    assert length == 8
    assert after != before
    assert wait_until_gone(before)


def test_a_hang_ends_at_its_limit(sandbox: Sandbox, image: str) -> None:
    sandbox.run(image, length_and_process, 30)
    start = time.monotonic()
    error = rejection(sandbox, image, partial(hang, seconds=60), seconds=1)
    assert error.reason == "decoder-timeout"
    assert "1 seconds" in error.detail
    assert 0.9 < time.monotonic() - start < 20
    assert sandbox.run(image, length_and_process, 30)[0] == 8


def test_memory_beyond_the_cap_is_a_reason_and_less_is_granted(
    sandbox: Sandbox, image: str
) -> None:
    assert sandbox.run(image, partial(allocate, megabytes=256), 30) > 0
    error = rejection(sandbox, image, partial(allocate, megabytes=700))
    assert error.reason == "out-of-memory"
    assert sandbox.run(image, length_and_process, 30)[0] == 8


def test_rejections_and_mistakes_of_the_work_come_back(sandbox: Sandbox, image: str) -> None:
    error = rejection(sandbox, image, reject)
    assert (error.reason, error.detail) == ("decode-failed", "8 bytes")
    with pytest.raises(ValueError, match="a mistake of ours over 8 bytes"):
        sandbox.run(image, fail, 30)


def test_reading_errors_come_back_as_they_are(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sandbox.run(str(tmp_path / "nothing.dcm"), length_and_process, 30)
    with (
        Sandbox(512, load=storage_is_down) as down,
        pytest.raises(StorageError, match="object storage refused"),
    ):
        down.run("s3://bucket/key", length_and_process, 30)


def test_the_child_is_set_up(sandbox: Sandbox, image: str) -> None:
    assert sandbox.run(image, settings_of_child, 30) == {
        "core": (0, 0),
        "threads": 1,
        "omp": "1",
        "interrupt": signal.SIG_IGN,
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_dies_idle_blames_no_image(sandbox: Sandbox, image: str, number: int) -> None:
    _, before = sandbox.run(image, length_and_process, 30)
    os.kill(before, number)
    assert wait_until_gone(before)
    length, after = sandbox.run(image, length_and_process, 30)
    assert length == 8
    assert after != before


def test_a_crash_while_reading_is_a_reason(image: str) -> None:
    with Sandbox(512, load=crash_on_reading) as broken:
        error = rejection(broken, image, length_and_process)
    assert error.reason == "decoder-crash"
    assert "while it read the file" in error.detail


def test_the_child_outlives_the_thread_that_first_used_it(image: str) -> None:
    with Sandbox(512) as sandbox:
        found: list[tuple[int, int]] = []
        thread = threading.Thread(
            target=lambda: found.append(sandbox.run(image, length_and_process, 30))
        )
        thread.start()
        thread.join()
        time.sleep(0.3)
        assert sandbox.run(image, length_and_process, 30) == found[0]


def test_threads_take_turns(sandbox: Sandbox, tmp_path: Path) -> None:
    found: dict[int, int] = {}

    def run(size: int) -> None:
        path = tmp_path / f"{size}.dcm"
        path.write_bytes(bytes(size))
        found[size] = sandbox.run(str(path), length_and_process, 30)[0]

    threads = [threading.Thread(target=run, args=(size,)) for size in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {size: size for size in range(1, 9)}


def test_closing_ends_the_child_and_a_later_call_starts_another(image: str) -> None:
    sandbox = Sandbox(512)
    _, first = sandbox.run(image, length_and_process, 30)
    sandbox.close()
    assert wait_until_gone(first)
    _, second = sandbox.run(image, length_and_process, 30)
    assert second != first
    sandbox.close()
    sandbox.close()
    assert wait_until_gone(second)


def test_a_process_has_one_sandbox_for_each_cap() -> None:
    assert shared_sandbox(700) is shared_sandbox(700)
    assert shared_sandbox(700) is not shared_sandbox(701)


PARENT = """
import os, sys, time
from mammo_ray.dicom.sandbox import shared_sandbox
from tests.dicom.test_sandbox import hang, length_and_process
from functools import partial
if __name__ == "__main__":
    sandbox = shared_sandbox(512)
    print(sandbox.run(sys.argv[1], length_and_process, 60)[1], flush=True)
    if sys.argv[2] == "busy":
        sandbox.run(sys.argv[1], partial(hang, seconds=60), 100)
    elif sys.argv[2] == "idle":
        time.sleep(60)
"""


def parent_of_a_sandbox(folder: Path, image: str, then: str) -> tuple[subprocess.Popen[str], int]:
    script = folder / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen(
        [sys.executable, str(script), image, then],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


@pytest.mark.parametrize("then", ["idle", "busy"])
def test_the_child_dies_with_a_killed_parent(tmp_path: Path, image: str, then: str) -> None:
    parent, child = parent_of_a_sandbox(tmp_path, image, then)
    with parent:
        assert is_alive(child)
        time.sleep(0.5)
        parent.kill()
    assert wait_until_gone(child)


def test_the_child_ends_with_a_parent_that_ends(tmp_path: Path, image: str) -> None:
    parent, child = parent_of_a_sandbox(tmp_path, image, "end")
    with parent:
        assert parent.wait(30) == 0
    assert wait_until_gone(child)
