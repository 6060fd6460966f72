"""Shards through Ray Data: CPU tasks prepare, actors predict, a sink puts one part a shard.

One block is one shard all the way. A shard is a row of ids; its images appear only inside the task
that prepares them, so the driver's memory does not grow with the archive's pixels.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.data.block import Block, BlockAccessor
from ray.data.datasource import Datasink, WriteResult
from ray.exceptions import RayError
from ray.util.annotations import RayDeprecationWarning

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.dicom.sandbox import shared_sandbox
from mammo_ray.distributed import culprits
from mammo_ray.distributed.actor_deaths import ActorDeaths
from mammo_ray.distributed.progress import ShardProgress
from mammo_ray.distributed.session import cluster_cpus
from mammo_ray.distributed.shards import PartFacts, Plan, finished_shards, put_part
from mammo_ray.errors import LostWork, MammoError
from mammo_ray.prepared import (
    content_digest,
    masks_left_out,
    of_kind,
    prepare_table,
    rejections_of,
)
from mammo_ray.schema import ImageStatus

_log = logging.getLogger(__name__)

# A crashed worker's task is tried this often again; Ray's own default is for ever.
MAX_RETRIES = 2
_ROUNDS = 3
# More culprits than this share of the plan, and than this many, are no fault of the images.
_MOST_CULPRITS = 20
# Two prepare tasks and half a CPU of a predictor fit on two CPUs: a task waits for its child.
_CPUS_BESIDE_PREDICTOR = 0.75


@dataclass(frozen=True)
class PredictStage:
    """The actors of a pipeline: a callable class that turns prepared rows into scored rows."""

    actor: type[Any]
    arguments: dict[str, Any]
    most_actors: int
    cpus: float
    gpus: float


@dataclass(frozen=True)
class ShardJob:
    """One run over the shards of a plan.

    Attributes:
        folder: where parts go.
        plan: what to do.
        manifest_uri: `manifest.parquet`, sorted by `image_id`.
        config: decides the pixels.
        schema: columns of a part.
        predict: the predictor actors, none for preparation alone. Rejected rows stand in the
            parts of a run that predicts (scores), and not in those of preparation (images).
    """

    folder: str
    plan: Plan
    manifest_uri: str
    config: Config
    schema: pa.Schema
    predict: PredictStage | None = None


def run_shards(job: ShardJob) -> dict[str, Any]:
    """Do every shard of the plan that has no part yet.

    A shard that does not arrive is searched for images that kill their worker; those are rejected
    in the next round.

    Returns:
        What Ray says of the run: its ids, operators, worker ids and the shards done now.

    Raises:
        LostWork: parts are still missing after the last round, or workers or predictors die
            whatever they are given.
        MammoError: what made a shard fail, storage above all.
    """
    said: dict[str, Any] = {"runs": [], "operators": [], "worker_ids": [], "shards_done_now": 0}
    if _missing(job):
        storage.delete(storage.join(job.folder, "_SUCCESS"))
    guilty: frozenset[str] = frozenset()
    for attempt in range(_ROUNDS):
        missing = _missing(job)
        if not missing:
            return said
        if attempt:
            guilty |= _find_culprits(job, missing, guilty)
        # The last round may not pass over an error: what still fails is said, with its cause.
        _run_round(job, missing, guilty, said, last=attempt == _ROUNDS - 1)
    if missing := _missing(job):
        raise LostWork(f"{len(missing)} of {len(job.plan.shards)} parts did not arrive")
    return said


def _missing(job: ShardJob) -> list[int]:
    return sorted(set(range(len(job.plan.shards))) - finished_shards(job.folder))


def _find_culprits(job: ShardJob, shards: list[int], known: frozenset[str]) -> frozenset[str]:
    """Images of shards that did not arrive which kill their workers, beyond the known ones."""
    _log.warning(
        "%d of %d parts did not arrive: their images are tried one half after another",
        len(shards), len(job.plan.shards),
    )  # fmt: skip
    most = max(_MOST_CULPRITS, int(job.plan.images * job.config.data.allowed_rejected_share))
    suspects = [[image for image in job.plan.shards[k] if image not in known] for k in shards]
    prepare = partial(
        prepare_images,
        manifest_uri=job.manifest_uri,
        config=job.config,
        with_masks=job.predict is None,
    )
    try:
        return frozenset(culprits.find_culprits(suspects, prepare, cluster_cpus(), most))
    except (RayError, MammoError) as error:
        raise cause_of(error) from error


def _run_round(
    job: ShardJob, shards: list[int], guilty: frozenset[str], said: dict[str, Any], *, last: bool
) -> None:
    """One pass of Ray Data over some shards; what it says is added in place."""
    sink = PartSink(job)
    # Equal to the prepare task's where nothing is predicted: Ray Data then runs both as one task.
    remote = {"num_cpus": 0 if job.predict else 1, "max_retries": MAX_RETRIES}
    with _whole_blocks(job, errors_allowed=not last):
        with finite_retries():
            dataset = _build(job, shards, guilty)
        with ShardProgress(job.folder, job.plan):
            try:
                dataset.write_datasink(sink, ray_remote_args=remote)
            except (RayError, MammoError) as error:
                raise cause_of(error) from error
        _add_statements(said, dataset, sink)


@contextmanager
def _whole_blocks(job: ShardJob, *, errors_allowed: bool) -> Iterator[None]:
    """Ray Data's settings for shards; other pipelines of this process get theirs back."""
    context = DataContext.get_current()
    watch = partial(ActorDeaths, job.folder, job.predict.most_actors) if job.predict else None
    ours = {
        "target_max_block_size": None,  # else a shard over 128 MiB is cut in two
        "max_errored_blocks": -1 if errors_allowed else 0,
        "enable_progress_bars": False,
        "custom_execution_callback_classes": [watch] if watch else [],
    }
    before = {name: getattr(context, name) for name in ours}
    try:
        for name, value in ours.items():
            setattr(context, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _build(job: ShardJob, shards: list[int], guilty: frozenset[str]) -> Dataset:
    """The lazy pipeline: items -> prepare tasks -> predictor actors."""
    items = [{"shard": k, "image_ids": list(job.plan.shards[k])} for k in shards]
    dataset = ray.data.from_items(items, override_num_blocks=len(items))
    dataset.set_name(f"mammo-{job.plan.stage}")
    dataset = dataset.map_batches(
        partial(
            prepare_shard,
            manifest_uri=job.manifest_uri,
            config=job.config,
            with_masks=job.predict is None,
            guilty=guilty,
        ),
        batch_size=None,
        batch_format="pyarrow",
        zero_copy_batch=True,
        num_cpus=_CPUS_BESIDE_PREDICTOR if job.predict else 1,
        max_retries=MAX_RETRIES,
    )
    if job.predict is None:
        return dataset
    return dataset.map_batches(
        job.predict.actor,
        fn_constructor_kwargs=job.predict.arguments,
        batch_size=None,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ActorPoolStrategy(min_size=1, max_size=job.predict.most_actors),
        num_cpus=job.predict.cpus,
        num_gpus=job.predict.gpus,
    )


@contextmanager
def finite_retries() -> Iterator[None]:
    """Let a pipeline be built with limits on retries, of which Ray Data's default has none.

    Ray 2.60 takes them only as remote arguments, and warns that these will go.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated", RayDeprecationWarning)
        yield


def prepare_shard(
    batch: pa.Table,
    manifest_uri: str,
    config: Config,
    *,
    with_masks: bool,
    guilty: frozenset[str] = frozenset(),
) -> pa.Table:
    """The prepared and rejected rows of one shard (a Ray Data task).

    Args:
        batch: one row: `shard` and its `image_ids`, sorted.
        manifest_uri: the manifest, sorted by `image_id`.
        config: decides the pixels, the kind of rows, and the limits of the sandbox.
        with_masks: carry masks and outlines along.
        guilty: images that killed their workers; they are rejected and not touched again.
    """
    [item] = batch.to_pylist()
    table = prepare_images(
        item["image_ids"], manifest_uri, config, with_masks=with_masks, guilty=guilty
    )
    return stamp_worker(table, "prepared_by", shard=item["shard"])


def prepare_images(
    ids: list[str],
    manifest_uri: str,
    config: Config,
    *,
    with_masks: bool,
    guilty: frozenset[str] = frozenset(),
) -> pa.Table:
    """The prepared and rejected rows of neighbouring images, in this process and its sandbox.

    Raises:
        LostWork: the manifest no longer holds exactly these images.
        StorageError: storage failed after its retries; no image is blamed for it.
    """
    rows = of_kind(storage.read_table(manifest_uri, ids=(ids[0], ids[-1])), config.data.kind)
    if rows.column("image_id").to_pylist() != ids:
        raise LostWork(f"the manifest no longer holds the images from {ids[0]} to {ids[-1]}")
    sandbox = shared_sandbox(config.decode.memory_megabytes) if config.decode.sandbox else None
    known = dict.fromkeys(guilty.intersection(ids), culprits.DETAIL)
    return prepare_table(rows, config, sandbox, with_masks=with_masks, crashed=known)


def stamp_worker(table: pa.Table, role: str, shard: int | None = None) -> pa.Table:
    """The table with this Ray worker's id under `role`, and with its shard; the sink drops both."""
    worker = ray.get_runtime_context().get_worker_id()
    table = table.append_column(role, pa.repeat(pa.scalar(worker), table.num_rows))
    if shard is None:
        return table
    return table.append_column("shard", pa.repeat(pa.scalar(shard), table.num_rows))


class PartSink(Datasink[list[dict[str, Any]]]):
    """Puts each shard as one part, and refuses a block that is not exactly a shard of the plan."""

    def __init__(self, job: ShardJob) -> None:
        self._folder = job.folder
        self._shards = job.plan.shards
        self._plan_digest = job.plan.digest
        self._schema = job.schema
        self._keep_rejected = job.predict is not None
        self.written: list[dict[str, Any]] = []

    def write(self, blocks: Iterable[Block], ctx: Any) -> list[dict[str, Any]]:  # noqa: ANN401, ARG002
        """Put the shards of some blocks; one entry for each says who did it.

        Raises:
            LostWork: a block's ids are not exactly its shard's.
        """
        tables = [BlockAccessor.for_block(block).to_arrow() for block in blocks]
        return [self._put(table) for table in tables if table.num_rows]

    def on_write_complete(self, write_result: WriteResult[list[dict[str, Any]]]) -> None:
        """Keep on the driver what the write tasks returned."""
        self.written = [entry for entries in write_result.write_returns for entry in entries]

    def get_name(self) -> str:
        """The operator's name in Ray's statistics."""
        return "PutPart"

    def _put(self, table: pa.Table) -> dict[str, Any]:
        shard = table.column("shard")[0].as_py()
        if table.column("image_id").to_pylist() != list(self._shards[shard]):
            raise LostWork(f"a block does not hold exactly the images of shard {shard}")
        rejections = rejections_of(table)
        good = pa.compute.not_equal(table.column("status"), str(ImageStatus.REJECTED))
        kept = table if self._keep_rejected else table.filter(good)
        part = kept.select(self._schema.names).cast(self._schema)
        facts = PartFacts(
            shard=shard,
            plan_digest=self._plan_digest,
            planned=table.num_rows,
            rejected=rejections.num_rows,
            content_digest=content_digest(part),
            blank=pa.compute.sum(table.column("blank")).as_py() or 0,
            masks=_masks_in(part),
            masks_left_out=masks_left_out(part),
        )
        put_part(self._folder, facts, part, rejections)
        roles = [name for name in ("prepared_by", "predicted_by") if name in table.column_names]
        return {"shard": shard, **{role: table.column(role)[0].as_py() for role in roles}}


def _masks_in(part: pa.Table) -> int:
    """How many rows have a mask; scores have none."""
    if "mask" not in part.column_names:
        return 0
    return int(part.num_rows - part.column("mask").null_count)


def _add_statements(said: dict[str, Any], dataset: Dataset, sink: PartSink) -> None:
    """Ray's own names for what ran, for the run record."""
    executed = getattr(dataset, "_write_ds", None) or dataset
    said["runs"].append(run_name(executed))
    said["operators"] = operator_names(executed.stats())
    workers = {entry[role] for entry in sink.written for role in entry if role != "shard"}
    said["worker_ids"] = sorted({*said["worker_ids"], *workers})
    said["shards_done_now"] += len(sink.written)


def run_name(dataset: Dataset) -> str:
    """Ray's own name of a data set's run: our name for it and Ray's unique id."""
    return str(dataset.get_dataset_id()).rpartition("_")[0]  # without the index of the execution


def operator_names(statistics: str) -> list[str]:
    """Names of the operators in Ray Data's statistics text, in order."""
    lines = (line.strip() for line in statistics.splitlines())
    return [line.split(" ", 2)[2].split(":")[0] for line in lines if line.startswith("Operator ")]


def cause_of(error: BaseException) -> BaseException:
    """The exception of ours inside a Ray error, if there is one, else the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        inner = getattr(seen, "cause", None)
        for candidate in (seen, inner):
            if isinstance(candidate, MammoError):
                return candidate
        seen = seen.__cause__
    return error


def process_facts() -> dict[str, Any]:
    """Ray's own ids for this driver, for the run record."""
    context = ray.get_runtime_context()
    return {
        "job_id": context.get_job_id(),
        "driver_worker_id": context.get_worker_id(),
        "node_id": context.get_node_id(),
        "cluster": {k: v for k, v in ray.cluster_resources().items() if ":" not in k},
    }
