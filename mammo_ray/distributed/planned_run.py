"""One planned run over a manifest, from plan to counts that add up; prepare and score share it."""

import logging
import time
from dataclasses import dataclass

import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.config import Config, DataConfig
from mammo_ray.distributed.manifest import manifest_digest
from mammo_ray.distributed.pipeline import PredictStage, ShardJob, process_facts, run_shards
from mammo_ray.distributed.session import cluster_cpus, ray_session
from mammo_ray.distributed.shards import PartFacts, Plan, cut_shards, open_plan, run_digest, settle
from mammo_ray.errors import InputError
from mammo_ray.prepared import of_kind
from mammo_ray.run_record import EXIT_FINDINGS, RunRecord, judge_share

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedWork:
    """What a stage does to the images of a manifest.

    Attributes:
        stage: `prepare` or `score`.
        manifest_uri: `manifest.parquet`.
        config: decides the pixels, the limits and the shards.
        out: folder of the parts.
        schema: columns of a part.
        predict: the predictor actors, none for preparation alone.
        model_digest: of the model that predicts; empty where none does.
    """

    stage: str
    manifest_uri: str
    config: Config
    out: str
    schema: pa.Schema
    predict: PredictStage | None = None
    model_digest: str = ""

    @property
    def digests(self) -> dict[str, str]:
        """Everything that decides the rows: a run started again must agree in all of it."""
        limits = self.config.decode
        found = {
            "manifest": manifest_digest(self.manifest_uri),
            "preprocess": self.config.preprocess_digest(),
            "kind": self.config.data.kind,
            "limits": (
                f"{limits.max_megapixels} megapixels, {limits.timeout_seconds} s, "
                f"{limits.memory_megabytes} MB, sandbox {limits.sandbox}"
            ),
        }
        if self.predict is not None:
            found["model"] = self.model_digest
            found["batch_size"] = str(self.config.score.batch_size)
        return found


def run_planned(work: PlannedWork, record: RunRecord, address: str | None) -> Plan:
    """Do what is missing of the plan, settle it, and put counts and Ray's names into the record.

    Raises:
        InputError: no row of the manifest is of the kind that the configuration names.
        PlanMismatch: `out` was planned from other inputs.
        LostWork: parts are missing at the end.
        StorageError: storage failed; no image is blamed.
    """
    manifest = storage.read_table(work.manifest_uri, columns=["image_id", "bytes", "kind"])
    rows = of_kind(manifest, work.config.data.kind)
    if manifest.num_rows and not rows.num_rows:
        raise InputError(f"the manifest has no row of kind {work.config.data.kind!r}")
    digests = work.digests
    with ray_session(address):
        config = work.config
        shards = cut_shards(rows, config.data, cluster_cpus(), config.preprocess.image_bytes)
        batch_size = config.score.batch_size if work.predict else 0
        fresh = Plan(work.stage, digests, tuple(map(tuple, shards)), batch_size)
        plan = open_plan(work.out, fresh)
        job = ShardJob(work.out, plan, work.manifest_uri, config, work.schema, predict=work.predict)
        started = time.monotonic()
        said = run_shards(job)
        record.timings[f"{work.stage}_seconds"] = time.monotonic() - started
        record.ray = {**process_facts(), **said}
    facts = settle(work.out, plan)
    record.counts = {
        **_counts(plan, facts),
        "other_kind": manifest.num_rows - rows.num_rows,
    }
    if work.predict is None:
        record.counts["masks"] = sum(part.masks for part in facts)
        record.counts["masks_left_out"] = sum(part.masks_left_out for part in facts)
    record.inputs = digests
    record.outputs = {"content_digest": run_digest(facts)}
    return plan


def _counts(plan: Plan, facts: list[PartFacts]) -> dict[str, int]:
    rejected = sum(part.rejected for part in facts)
    return {
        "planned": plan.images,
        "done": plan.images - rejected,
        "rejected": rejected,
        "blank": sum(part.blank for part in facts),
        "parts": len(facts),
    }


def close_run(record: RunRecord, manifest_folder: str, out: str) -> int:
    """Add the counts up from the manifest on, write the record and the mark, judge the share.

    Returns:
        The exit code: 3 when more than the allowed share of images is rejected, else 4 when the
        record counts missing exams.
    """
    earlier = run_record.require_success(manifest_folder)
    counts = record.counts
    counts["seen"] = earlier["seen"]
    counts["excluded"] = earlier["excluded"]
    counts["rejected_before"] = earlier["rejected"]
    counts["rejected_in_all"] = earlier["rejected"] + counts["rejected"]
    images = counts["planned"] + earlier["rejected"]
    data = record.config.data if record.config else DataConfig()
    code = judge_share(counts["rejected_in_all"], images, data)
    if missing := counts.get("exams_missing", 0):
        _log.warning("%d expected exams are missing: no screening image of theirs came", missing)
        code = code or EXIT_FINDINGS
    record.write(out, code)
    run_record.mark_success(out, counts)
    return code
