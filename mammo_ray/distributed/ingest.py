"""Preparation of a whole manifest: decode, gray levels, crop, orient and resize, into parts."""

import time
from dataclasses import dataclass

from mammo_ray import run_record, storage
from mammo_ray.config import Config, DataConfig
from mammo_ray.distributed.manifest import build_manifest, locate_manifest, manifest_digest
from mammo_ray.distributed.pipeline import ShardJob, process_facts, run_shards
from mammo_ray.distributed.session import cluster_cpus, ray_session
from mammo_ray.distributed.shards import Plan, cut_shards, open_plan, run_digest, settle
from mammo_ray.errors import InputError
from mammo_ray.run_record import RunRecord, judge_share
from mammo_ray.schema import PREPARED


@dataclass(frozen=True)
class Before:
    """What the manifest stage saw, so that counts add up from there on."""

    seen: int
    excluded: int
    rejected: int


def prepare_archive(
    manifest: str, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Prepare every image of a manifest; a second start does only what is missing.

    Args:
        manifest: the file or its folder.
        config: decode and preprocess sections decide the pixels.
        out: folder of the parts.
        address: of a Ray cluster; None: a local Ray.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected.

    Raises:
        InputError: no manifest, or an empty one.
        PlanMismatch: `out` was planned from another manifest or configuration.
    """
    record = RunRecord("prepare", config)
    run_record.claim_folder(out, "prepare")
    uri, folder = locate_manifest(manifest)
    rows = storage.read_table(uri, columns=["image_id", "bytes"])
    if rows.num_rows == 0:
        raise InputError(f"{uri} has no rows: there is nothing to prepare")
    digests = {"manifest": manifest_digest(uri), "preprocess": config.preprocess_digest()}
    with ray_session(address):
        image_bytes = config.preprocess.image_bytes
        shards = cut_shards(rows, config.data, cluster_cpus(), image_bytes)
        plan = open_plan(out, Plan("prepare", digests, tuple(map(tuple, shards))))
        started = time.monotonic()
        said = run_shards(ShardJob(out, plan, uri, config, PREPARED, keep_rejected=False))
        record.timings["prepare_seconds"] = time.monotonic() - started
        record.ray = {**process_facts(), **said}
    facts = settle(out, plan)
    rejected = sum(part.rejected for part in facts)
    record.counts = {
        "planned": plan.images,
        "done": plan.images - rejected,
        "rejected": rejected,
        "blank": sum(part.extra.get("blank", 0) for part in facts),
        "parts": len(facts),
    }
    record.inputs = digests
    record.outputs = {"content_digest": run_digest(facts)}
    return close_run(record, before(folder), out)


def ingest_archive(
    root: str, outcomes: str | None, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Manifest and preparation in one: `out/manifest` and `out/prepared`."""
    manifest = storage.join(out, "manifest")
    build_manifest(root, outcomes, config, manifest, address)
    return prepare_archive(manifest, config, storage.join(out, "prepared"), address)


def before(manifest_folder: str) -> Before:
    """What the manifest stage saw and left out."""
    counts = run_record.require_success(manifest_folder)
    return Before(counts["seen"], counts["excluded"], counts["rejected"])


def close_run(record: RunRecord, earlier: Before, out: str) -> tuple[RunRecord, int]:
    """Add the counts up from the manifest on, write the record and the mark, judge the share."""
    counts = record.counts
    counts["seen"] = earlier.seen
    counts["excluded"] = earlier.excluded
    counts["rejected_before"] = earlier.rejected
    counts["rejected_in_all"] = earlier.rejected + counts["rejected"]
    data = record.config.data if record.config else DataConfig()
    code = judge_share(counts["rejected_in_all"], counts["planned"] + earlier.rejected, data)
    record.write(out, code)
    run_record.mark_success(out, counts)
    return record, code
