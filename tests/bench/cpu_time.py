"""CPU time of several ways to do one thing, measured in turns on the same files in one run.

CPU time rather than wall-clock time, since other work may share the machine; in turns, so that
whatever slows it down meets all of them; and as a ratio in every round, of which the median counts.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Spread(NamedTuple):
    """The median of a figure over the rounds, and its ends."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f} to {self.highest:.2f})"


@dataclass(frozen=True)
class Rounds:
    """CPU seconds an image of every way, round by round."""

    seconds: Mapping[str, list[float]]

    def milliseconds(self, way: str) -> float:
        """Median CPU time of one image."""
        return 1000 * statistics.median(self.seconds[way])

    def ratio(self, above: str, below: str) -> Spread:
        """CPU time of one way over that of another in the same round."""
        pairs = zip(self.seconds[above], self.seconds[below], strict=True)
        return spread([a / b for a, b in pairs])


def spread(values: list[float]) -> Spread:
    """The median of the values, and their ends."""
    return Spread(statistics.median(values), min(values), max(values))


def measure(
    ways: Mapping[str, Iterable[Callable[[], object]]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> Rounds:
    """Do every way once a round, after one round that does not count.

    Args:
        ways: by name, one call for every image; all have the same images in the same order.
        rounds: how many count.
        clock: gives seconds.
    """
    by_image = list(zip(*ways.values(), strict=True))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        totals = dict.fromkeys(ways, 0.0)
        for calls in by_image:
            for name, call in zip(ways, calls, strict=True):
                started = clock()
                call()
                totals[name] += clock() - started
        if turn:
            for name, total in totals.items():
                seconds[name].append(total / len(by_image))
    return Rounds(seconds)


def used_cpu(_content: bytes = b"") -> float:
    """CPU seconds of this process so far; a sandbox can be asked to do it."""
    return time.process_time()
