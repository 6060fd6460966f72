"""Scoring of a whole archive: one decode, CPU tasks feeding predictor actors, exams at the end."""

import logging
from typing import Any

import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.distributed.manifest import (
    build_manifest,
    count_rows,
    locate_manifest,
    require_same_source,
)
from mammo_ray.distributed.pipeline import PredictStage, stamp_worker
from mammo_ray.distributed.planned_run import PlannedWork, close_run, run_planned
from mammo_ray.distributed.shards import Plan
from mammo_ray.errors import InputError
from mammo_ray.identifiers import hash_key, is_keyed
from mammo_ray.models.bundle import Bundle, read_bundle
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import SCORED_IMAGES, ExamStatus, Protocol
from mammo_ray.scoring.aggregate import Judgement, Scope, judge_exams
from mammo_ray.scoring.score_images import score_prepared
from mammo_ray.scoring.scorer import Classifier
from mammo_ray.scoring.worklist import worklist

_log = logging.getLogger(__name__)

# What judging an exam needs of an image; no geometry, so that a million rows stay small.
_JUDGED = [
    "image_id", "uri", "status", "reason", "detail", "score", "patient_id", "study_uid",
    "study_date", "accession", "laterality", "view_position", "image_kind", "implant", "cancer",
]  # fmt: skip


class PredictActor:
    """One model replica in Ray Data: loads once, then turns prepared shards into scored ones."""

    def __init__(self, bundle: str, batch_size: int, digest: str) -> None:
        self._classifier = Classifier(bundle, batch_size, digest)

    def __call__(self, table: pa.Table) -> pa.Table:
        """The scored rows of one prepared shard."""
        return stamp_worker(score_prepared(table, self._classifier), "predicted_by")


def score_archive(
    source: str, bundle: str, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Score every image and judge every exam; a second start does only what is missing.

    Args:
        source: an archive (folder or prefix), or a manifest (file or its folder).
        bundle: folder of the model bundle.
        config: the bundle's own with the user's changes to score, decode limits and data.
        out: folder of the scores.
        address: of a Ray cluster; None: a local Ray.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected.

    Raises:
        BundleError: no bundle, or a configuration that prepares other pixels than it knows.
        InputError: no archive and no manifest.
        PlanMismatch: `out` was planned from another manifest, configuration or model.
    """
    record = RunRecord("score", config)
    run_record.claim_folder(out, "score")
    model = read_bundle(bundle)
    model.require_preprocess_digest(config.preprocess_digest())
    uri, manifest_folder = _manifest_of(source, config, out, address)
    if count_rows(uri) == 0 and run_record.require_success(manifest_folder)["rejected"] == 0:
        raise InputError(f"{uri} has no rows: there is nothing to score")
    predict = _predict_stage(bundle, model, config)
    work = PlannedWork("score", uri, config, out, SCORED_IMAGES, predict, model.digest)
    plan = run_planned(work, record, address)
    # The tables are made anew, by another protocol perhaps: until they are, nothing is whole.
    storage.delete(storage.join(out, "_SUCCESS"))
    judgement = _judge(out, plan, manifest_folder, model, config)
    record.counts |= _exam_counts(judgement)
    record.details = {
        "ids": "keyed" if is_keyed(hash_key()) else "unkeyed",
        "protocol": config.score.protocol,
    }
    return record, close_run(record, manifest_folder, out)


def _predict_stage(bundle: str, model: Bundle, config: Config) -> PredictStage:
    score = config.score
    arguments = {"bundle": bundle, "batch_size": score.batch_size, "digest": model.digest}
    return PredictStage(
        PredictActor, arguments, score.predictors, score.predictor_cpus, score.predictor_gpus
    )


def _manifest_of(source: str, config: Config, out: str, address: str | None) -> tuple[str, str]:
    """The manifest of a source; an archive gets one in `out/manifest`, made once."""
    is_manifest = source.endswith(".parquet")
    if is_manifest or storage.exists(storage.join(source, "manifest.parquet")):
        return locate_manifest(source)
    folder = storage.join(out, "manifest")
    if storage.exists(storage.join(folder, "_SUCCESS")):
        require_same_source(folder, source, config)
        _log.info("the manifest of %s is used again", run_record.read_run(folder)["started"])
    else:
        build_manifest(source, None, config, folder, address)
    return locate_manifest(folder)


def _read_scores(out: str, plan: Plan) -> pa.Table:
    """What judging exams needs of every image of the plan."""
    if not plan.shards:  # every file was rejected before: exams are judged all the same
        return SCORED_IMAGES.empty_table().select(_JUDGED)
    return storage.open_parts(out, SCORED_IMAGES).to_table(columns=_JUDGED)


def _judge(out: str, plan: Plan, manifest_folder: str, model: Bundle, config: Config) -> Judgement:
    """Breast and exam tables and the worklist, from all parts."""
    images = _read_scores(out, plan).to_pandas()
    rejections = storage.read_table(storage.join(manifest_folder, "rejections.parquet")).to_pandas()
    scope = Scope(frozenset(model.facts.validated.image_kinds), model.facts.validated.implants)
    protocol = Protocol(config.score.protocol)
    judgement = judge_exams(images, rejections, protocol, scope, hash_key())
    storage.write_table(storage.join(out, "breasts.parquet"), judgement.breasts)
    storage.write_table(storage.join(out, "exams.parquet"), judgement.exams)
    storage.write_bytes(storage.join(out, "worklist.csv"), worklist(judgement.exams))
    return judgement


def _exam_counts(judgement: Judgement) -> dict[str, int]:
    statuses: dict[str, Any] = judgement.exams.column("status").to_pandas().value_counts().to_dict()
    counts = {f"exams_{s.replace('-', '_')}": int(statuses.get(s, 0)) for s in ExamStatus}
    return {"exams": judgement.exams.num_rows, **counts}
