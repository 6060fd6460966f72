"""How far a run is: a bar on a terminal, plain lines in a log.

Progress is read from the parts themselves, so it is true whatever happens to workers, and costs the
run nothing.
"""

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from mammo_ray.distributed.shards import Plan, finished_shards, read_part_facts
from mammo_ray.errors import MammoError

_log = logging.getLogger(__name__)
_TERMINAL_SECONDS = 1.0
_LOG_SECONDS = 15.0


class Progress:
    """Watches a folder of parts in a thread for as long as the `with` block runs."""

    def __init__(self, folder: str, plan: Plan, name: str) -> None:
        self._folder = folder
        self._plan = plan
        self._name = name
        self._terminal = sys.stderr.isatty()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mammo-progress", daemon=True)
        self._seen: set[int] = set()
        self._done = 0
        self._rejected = 0

    def __enter__(self) -> Self:
        self._look()
        self._before = self._done
        self._started = time.monotonic()
        self._bar = tqdm(
            total=self._plan.images,
            initial=self._done,
            desc=self._name,
            unit="image",
            disable=not self._terminal,
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._report()
        self._bar.close()

    def _watch(self) -> None:
        while not self._stop.wait(_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            self._report()

    def _report(self) -> None:
        try:
            self._look()
        except MammoError as error:  # the run itself will say what is wrong with its storage
            _log.debug("progress could not be read: %s", error)
            return
        self._bar.n = self._done
        self._bar.set_postfix(rejected=self._rejected)
        if not self._terminal:
            _log.info("%s", self.line())

    def _look(self) -> None:
        for shard in sorted(finished_shards(self._folder) - self._seen):
            facts = read_part_facts(self._folder, shard)
            self._seen.add(shard)
            self._done += facts.planned
            self._rejected += facts.rejected

    def line(self) -> str:
        """One line for a log: images and parts done, rejected, rate, expected time left."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = (self._done - self._before) / seconds
        left = f"{(self._plan.images - self._done) / rate:.0f} s left" if rate else "no rate yet"
        return (
            f"{self._name}: {self._done} of {self._plan.images} images, "
            f"{len(self._seen)} of {len(self._plan.shards)} parts, {self._rejected} rejected, "
            f"{rate:.1f} images/s, {left}"
        )
