"""Work on one image in a child process, so that a codec that crashes costs one row.

The child reads the file itself (27 MB over a pipe would cost 50 ms), then does the work under a
wall-clock limit that starts when the bytes are there. Its memory is capped, it dies with its
parent, and a fresh child takes its place after a crash.
"""

import ctypes
import functools
import importlib
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from mammo_ray import storage
from mammo_ray.errors import ImageRejected, MammoError, StorageError
from mammo_ray.schema import RejectionReason

Result = TypeVar("Result")

_START_SECONDS = 120.0  # imports take 1 s; a loaded machine takes its time
_READ_SECONDS = 600.0
_GRACE_SECONDS = 15.0  # beyond pebble's own limit, before the pool itself is given up
_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# In the child: the bytes that wait for their work, under the number of their file.
_waiting: dict[int, bytes] = {}


class _ChildDied(Exception):
    """The child process ended instead of answering; `exit_code` is None where it is unknown."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Sandbox:
    """One child process that reads files and works on their bytes, one at a time.

    Args:
        memory_megabytes: cap on the child's memory, above what it has after its imports.
        load: gives the bytes of a URI; runs in the child and must be picklable.
    """

    def __init__(
        self, memory_megabytes: int, load: Callable[[str], bytes] = storage.read_bytes
    ) -> None:
        self._memory_megabytes = memory_megabytes
        self._load = load
        self._numbers = itertools.count()
        self._one_at_a_time = threading.Lock()
        self._pool: ProcessPool | None = None
        self._closing: threading.Event | None = None

    def run(self, uri: str, work: Callable[[bytes], Result], timeout_seconds: float) -> Result:
        """The result of `work` on the bytes of a file.

        Args:
            uri: the file.
            work: a picklable function (`functools.partial` of a module-level one).
            timeout_seconds: wall-clock limit of the work; reading does not count.

        Raises:
            ImageRejected: the work rejected the image, crashed, took too long or too much memory.
            FileNotFoundError, PermissionError: no such file, or it may not be read.
            StorageError: reading failed.
            MammoError: no child process can be started.
        """
        with self._one_at_a_time:
            number = next(self._numbers)
            self._read(number, uri)
            try:
                answer: Result = self._call(_work_on, (number, work), timeout_seconds)
            except _ChildDied as error:
                raise ImageRejected(
                    RejectionReason.DECODER_CRASH,
                    f"the child process died while it worked: {_cause(error.exit_code)}",
                ) from error
            except TimeoutError as error:
                raise ImageRejected(
                    RejectionReason.DECODER_TIMEOUT,
                    f"the work took more than {timeout_seconds:g} seconds",
                ) from error
            return answer

    def close(self) -> None:
        """End the child process; the sandbox starts another one if it is used again."""
        pool, closing = self._pool, self._closing
        self._pool = self._closing = None
        if pool is not None:
            pool.stop()
            pool.join()
        if closing is not None:
            closing.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, number: int, uri: str) -> None:
        """Let the child read the file; a child that died idle is replaced once."""
        try:
            try:
                self._call(_read_file, (number, self._load, uri), _READ_SECONDS)
            except _ChildDied:
                self._call(_read_file, (number, self._load, uri), _READ_SECONDS)
        except _ChildDied as error:
            raise ImageRejected(
                RejectionReason.DECODER_CRASH,
                f"the child process died while it read the file: {_cause(error.exit_code)}",
            ) from error
        except TimeoutError as error:
            raise StorageError(
                f"reading a file took more than {_READ_SECONDS:g} seconds"
            ) from error

    def _call(
        self, function: Callable[..., Result], arguments: tuple[object, ...], seconds: float
    ) -> Result:
        """The child's answer; TimeoutError or `_ChildDied` where there is none."""
        pool = self._running_pool()
        try:
            future = pool.schedule(function, args=arguments, timeout=seconds)
        except RuntimeError as error:  # the pool broke since its last answer
            self.close()
            raise _ChildDied(None) from error
        try:
            answer: Result = future.result(seconds + _GRACE_SECONDS)
        except ProcessExpired as error:
            raise _ChildDied(error.exitcode) from error
        except BrokenProcessPool as error:
            self.close()
            raise _ChildDied(None) from error
        finally:
            if not future.done():  # interrupted, or pebble itself is stuck
                self.close()
        return answer

    def _running_pool(self) -> ProcessPool:
        """The pool, started where there is none.

        A thread of its own starts it and stays: the kernel ends a child with the thread that
        started it, and the caller's thread may be a short one.
        """
        if self._pool is None or not self._pool.active:
            self.close()
            self._closing = threading.Event()
            started: list[ProcessPool] = []
            ready = threading.Event()
            threading.Thread(
                target=self._keep_pool, args=(started, ready, self._closing), daemon=True
            ).start()
            if not ready.wait(_START_SECONDS) or not started:
                raise MammoError("the sandbox's child process does not start")
            self._pool = started[0]
        return self._pool

    def _keep_pool(
        self, started: list[ProcessPool], ready: threading.Event, closing: threading.Event
    ) -> None:
        pool = ProcessPool(
            max_workers=1,
            context=multiprocessing.get_context("spawn"),
            initializer=_prepare_child,
            initargs=(self._memory_megabytes, os.getpid()),
        )
        try:
            pool.schedule(os.getpid).result(_START_SECONDS)
            started.append(pool)
        except (OSError, RuntimeError, TimeoutError):
            pool.stop()
            pool.join()
        finally:
            ready.set()
        closing.wait()


def shared_sandbox(memory_megabytes: int) -> Sandbox:
    """The sandbox of this process for this cap, started when it is first used."""
    return _sandbox_of_process(os.getpid(), memory_megabytes)


@functools.cache
def _sandbox_of_process(_process_id: int, memory_megabytes: int) -> Sandbox:
    return Sandbox(memory_megabytes)


def _cause(exit_code: int | None) -> str:
    """What an exit code says, in words."""
    if exit_code is None:
        return "cause unknown"
    if exit_code < 0:
        return f"{signal.Signals(-exit_code).name} (signal {-exit_code})"
    return f"exit status {exit_code}"


def _prepare_child(memory_megabytes: int, parent: int) -> None:
    """Set the child up: signals, threads, imports, then the memory cap."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends a codec that never comes back to Python
    _die_with(parent)
    _keep_freed_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    # Imported before the cap, so that the cap counts only what an image needs.
    importlib.import_module("mammo_ray.dicom.decode")
    importlib.import_module("cv2").setNumThreads(1)
    cap = _address_space() + memory_megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (cap, cap))


def _address_space() -> int:
    """Bytes of address space that this process has now; Linux only, else 0 leaves a bare cap."""
    statistics = Path("/proc/self/statm")
    pages = int(statistics.read_text().split()[0]) if statistics.exists() else 0
    return pages * resource.getpagesize()


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def _keep_freed_memory() -> None:
    """Have glibc reuse what an image took for the next one: fresh pages cost a tenth of the work.

    Arrays of up to 32 MB, its largest threshold, then come from the heap, and the heap keeps up to
    256 MB when they are freed (mallopt(3)).
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # musl has none
            library.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
            library.mallopt(_M_TRIM_THRESHOLD, 256 * 2**20)


def _read_file(number: int, load: Callable[[str], bytes], uri: str) -> None:
    """Keep the bytes of a file for the next call."""
    _waiting.clear()
    try:
        _waiting[number] = load(uri)
    except MemoryError as error:
        raise _out_of_memory("reading the file") from error


def _work_on(number: int, work: Callable[[bytes], Result]) -> Result:
    """The work's result on the bytes that wait."""
    try:
        return work(_waiting.pop(number))
    except MemoryError as error:
        raise _out_of_memory("the work") from error


def _out_of_memory(what: str) -> ImageRejected:
    return ImageRejected(
        RejectionReason.OUT_OF_MEMORY, f"{what} takes more than the child's memory cap"
    )
