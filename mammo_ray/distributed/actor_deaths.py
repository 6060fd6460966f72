"""The end of a run whose predictors die again and again.

Ray Data starts a dead actor anew without a limit, so a model process that always dies would keep a
run busy for ever. Ray Data calls `ActorDeaths` at every step of its loop; an exception of ours ends
the run there.
"""

import time
from typing import Any

import ray
from ray._private import state as cluster_state
from ray.core.generated import gcs_pb2
from ray.data._internal.execution.execution_callback import ExecutionCallback

from mammo_ray.distributed.shards import finished_shards
from mammo_ray.errors import LostWork

# Deaths without a part between them, beyond two for each actor: a lost node takes many at once.
_MOST_DEATHS = 2
_LOOK_SECONDS = 2.0
# How Ray names the class of an actor that runs a callable class of ours.
_ACTOR = "MapWorker("


class ActorDeaths(ExecutionCallback):
    """Ends the run when its actors have died too often since a part was put.

    Args:
        folder: where parts go.
        actors: most actors of the pool.
    """

    def __init__(self, folder: str, actors: int) -> None:
        self._folder = folder
        self._most = _MOST_DEATHS + 2 * actors
        self._job = ray.get_runtime_context().get_job_id()
        self._before = _deaths(self._job)  # of earlier rounds, and of other runs in this process
        self._deaths = self._before
        self._parts = -1
        self._looked = time.monotonic()

    def on_execution_step(self, executor: Any) -> None:  # noqa: ANN401, ARG002 - Ray's signature
        """Look every two seconds; Ray Data calls this many times a second.

        Raises:
            LostWork: the actors have died too often.
        """
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        deaths = _deaths(self._job)
        if deaths == self._deaths:
            return
        parts = len(finished_shards(self._folder))
        if parts != self._parts:
            self._parts, self._before = parts, self._deaths
        self._deaths = deaths
        if deaths - self._before >= self._most:
            raise LostWork(
                f"the model's process died {deaths - self._before} times and no part came of it; "
                f"the last time: {_last_exit()}"
            )


def _deaths(job: str) -> int:
    """How often Ray has started an actor of this job anew."""
    actors = cluster_state.actors(job_id=ray.JobID.from_hex(job))
    return sum(a["NumRestarts"] for a in actors.values() if a["ActorClassName"].startswith(_ACTOR))


def _last_exit() -> str:
    """What Ray says of the last worker that ended with an error."""
    accessor = cluster_state.state._connect_and_get_accessor()
    workers = [gcs_pb2.WorkerTableData.FromString(row) for row in accessor.get_worker_table()]
    ended = [worker for worker in workers if not worker.is_alive and worker.exit_detail]
    if not ended:
        return "Ray does not say why"
    last = max(ended, key=lambda worker: worker.end_time_ms)
    return str(last.exit_detail).partition(" Some common causes")[0]
