"""How far a run is: a bar on a terminal, plain lines in a log.

What workers do is read from what they have put into storage, so it is true whatever happens to
them, and costs the run nothing.
"""

import json
import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from tqdm import tqdm

from mammo_ray import storage
from mammo_ray.distributed.shards import Plan, finished_shards, read_part_facts
from mammo_ray.errors import MammoError

_log = logging.getLogger(__name__)
_TERMINAL_SECONDS = 1.0
_LOG_SECONDS = 15.0

Item = TypeVar("Item")


def follow(items: Iterable[Item], total: int, name: str, unit: str) -> Iterator[Item]:
    """The items, one after another, with a bar or with a line every 15 seconds."""
    terminal = sys.stderr.isatty()
    said = time.monotonic()
    bar = tqdm(items, total=total, desc=name, unit=unit, disable=not terminal)
    for done, item in enumerate(bar, start=1):
        yield item
        if not terminal and time.monotonic() - said >= _LOG_SECONDS:
            said = time.monotonic()
            _log.info("%s: %d of %d %ss", name, done, total, unit)


class _Watch(ABC):
    """Looks at a run in a thread for as long as the `with` block runs."""

    def __init__(self, name: str, total: int, unit: str) -> None:
        self._terminal = sys.stderr.isatty()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mammo-progress", daemon=True)
        self._bar = tqdm(total=total, desc=name, unit=unit, disable=not self._terminal)

    def __enter__(self) -> Self:
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

    def _run(self) -> None:
        while not self._stop.wait(_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            self._report()

    def _report(self) -> None:
        try:
            line = self.look()
        except MammoError as error:  # the run itself will say what is wrong with its storage
            _log.debug("progress could not be read: %s", error)
            return
        if line and not self._terminal:
            _log.info("%s", line)

    @abstractmethod
    def look(self) -> str | None:
        """Look once: move the bar, and give a line for a log, or None where nothing is new."""


class ShardProgress(_Watch):
    """Images and parts of a plan that are done, from the parts in their folder."""

    def __init__(self, folder: str, plan: Plan) -> None:
        super().__init__(plan.stage, plan.images, "image")
        self._folder = folder
        self._plan = plan
        self._seen: set[int] = set()
        self._done = 0
        self._rejected = 0
        self._started = time.monotonic()
        self._before = 0
        self.look()
        self._before = self._done

    def look(self) -> str:
        """Read the footers of parts that are new."""
        for shard in sorted(finished_shards(self._folder) - self._seen):
            facts = read_part_facts(self._folder, shard)
            self._seen.add(shard)
            self._done += facts.planned
            self._rejected += facts.rejected
        self._bar.n = self._done
        self._bar.set_postfix(rejected=self._rejected)
        return self._line()

    def _line(self) -> str:
        """Images and parts done, rejected, rate, expected time left."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = (self._done - self._before) / seconds
        left = f"{(self._plan.images - self._done) / rate:.0f} s left" if rate else "no rate yet"
        return (
            f"{self._plan.stage}: {self._done} of {self._plan.images} images, "
            f"{len(self._seen)} of {len(self._plan.shards)} parts, {self._rejected} rejected, "
            f"{rate:.1f} images/s, {left}"
        )


class EpochProgress(_Watch):
    """Epochs of a training, from the history that its worker puts after each of them."""

    def __init__(self, uri: str, epochs: int) -> None:
        super().__init__("train", epochs, "epoch")
        self._uri = uri
        self._epochs = epochs
        self._done = 0

    def look(self) -> str | None:
        """Read the history so far."""
        try:
            history: list[dict[str, Any]] = json.loads(storage.read_bytes(self._uri))
        except FileNotFoundError:  # no epoch has ended
            return None
        if len(history) == self._done:
            return None
        last, self._done = history[-1], len(history)
        self._bar.n = self._done
        self._bar.set_postfix(loss=f"{last['loss']:.4f}", valid_auc=f"{last['valid_auc']:.3f}")
        return (
            f"train: epoch {self._done} of at most {self._epochs}, loss {last['loss']:.4f}, "
            f"validation loss {last['valid_loss']:.4f}, validation AUC {last['valid_auc']:.3f}"
        )
