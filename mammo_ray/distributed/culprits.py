"""Images that end the worker which prepares them, found by halves among shards that do not arrive.

A worker also dies for other reasons: memory that others took, a node that vanished, a signal from
outside. So an image is blamed only when it has killed its worker several times in a row while it
was alone on the cluster, and while a worker without any image stayed alive.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, WorkerCrashedError

from mammo_ray.errors import LostWork

_log = logging.getLogger(__name__)

# So often in a row an image must have killed its worker, alone, before it is blamed.
DEATHS = 3
DETAIL = f"the worker process died {DEATHS} times in a row while it prepared this image alone"
_LOST_NODES = 20

Prepare = Callable[[list[str]], pa.Table]


def find_culprits(shards: list[list[str]], prepare: Prepare, cpus: int, most: int) -> list[str]:
    """The images of some shards that kill every worker which prepares them, sorted.

    Every image is prepared at least once more; what comes of it is dropped, for only whether the
    worker lives counts here.

    Args:
        shards: image ids of the shards that did not arrive.
        prepare: prepares some images; picklable.
        cpus: so many trials run at once, each on one CPU.
        most: more images than this are not blamed: then the workers themselves are at fault.

    Raises:
        LostWork: workers die without any image, or with more than `most` images, or nodes vanish
            again and again.
        RayError: preparation failed in any other way, with its cause.
    """
    trials = _Trials(prepare)
    suspects = sorted(_narrow(shards, trials, cpus, most))
    found = [image for image in suspects if _kills(image, trials)]
    for image in found:
        _log.warning("%s is rejected: %s", image, DETAIL)
    return found


def halves(ids: list[str]) -> list[list[str]]:
    """The first and the second half of some ids; one alone stays one."""
    middle = (len(ids) + 1) // 2
    return [half for half in (ids[:middle], ids[middle:]) if half]


class _Trials:
    """Starts trials and reads how they ended."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = ray.put(prepare)
        self._remote = ray.remote(num_cpus=1, max_retries=0)(_survive)
        self._lost_nodes = 0

    def start(self, ids: list[str]) -> ray.ObjectRef:
        """A task that prepares some images."""
        return self._remote.remote(self._prepare, ids)

    def alive(self, trial: ray.ObjectRef) -> bool | None:
        """Whether the trial's worker outlived it; None where its node was lost.

        Raises:
            LostWork: nodes are lost again and again.
        """
        try:
            ray.get(trial)
        except (WorkerCrashedError, OutOfMemoryError):
            return False
        except (NodeDiedError, ObjectLostError) as error:
            self._lost_nodes += 1
            if self._lost_nodes > _LOST_NODES:
                raise LostWork(f"{self._lost_nodes} nodes were lost") from error
            return None
        return True

    def alone(self, ids: list[str]) -> bool:
        """Whether a worker outlives some images while no other trial runs."""
        while (alive := self.alive(self.start(ids))) is None:
            pass
        return alive


def _survive(prepare: Prepare, ids: list[str]) -> int:
    """How many rows came of the images; the worker that runs this may die of it."""
    return prepare(ids).num_rows if ids else 0


def _narrow(shards: list[list[str]], trials: _Trials, cpus: int, most: int) -> Iterator[str]:
    """Images whose worker died while they were the only ones in it."""
    waiting = deque(half for ids in shards for half in halves(ids))
    running: dict[Any, list[str]] = {}
    found = 0
    while waiting or running:
        while waiting and len(running) < cpus:
            ids = waiting.popleft()
            running[trials.start(ids)] = ids
        [ready], _ = ray.wait(list(running), num_returns=1)
        ids, alive = running.pop(ready), trials.alive(ready)
        if alive is None:
            waiting.append(ids)
        elif not alive and len(ids) > 1:
            waiting.extend(halves(ids))
        elif not alive:
            yield ids[0]
            found += 1
            if found > most:
                raise LostWork(
                    f"workers died over {found} images, each alone in its worker: so many images "
                    "are not damaged; look for the cause in the workers' memory and installation"
                )


def _kills(image: str, trials: _Trials) -> bool:
    """Whether an image kills its worker every time.

    Raises:
        LostWork: it does, but so does no image at all.
    """
    if any(trials.alone([image]) for _ in range(DEATHS)):
        return False
    if not trials.alone([]):
        raise LostWork(f"workers die without any image: {image} is not blamed")
    return True
