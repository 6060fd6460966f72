"""Scoring of a whole archive: one decode, CPU tasks feeding predictor actors, exams at the end."""

import logging
from typing import Any

import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.datasets.checks.certificate import certificate_words, read_certificate
from mammo_ray.distributed.lease import hold_lease
from mammo_ray.distributed.manifest import (
    build_manifest,
    count_rows,
    locate_manifest,
    require_same_source,
)
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.pipeline import PredictStage, stamp_worker
from mammo_ray.distributed.planned_run import PlannedWork, close_run, run_planned
from mammo_ray.distributed.shards import Plan
from mammo_ray.errors import InputError, UsageError
from mammo_ray.identifiers import hash_key, is_keyed
from mammo_ray.models.bundle import Bundle, read_bundle
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import SCORED_IMAGES, ExamStatus, Layout, Protocol
from mammo_ray.scoring.aggregate import Judgement, Scope, judge_exams
from mammo_ray.scoring.missing import with_missing_exams
from mammo_ray.scoring.score_images import score_prepared
from mammo_ray.scoring.scorer import Classifier
from mammo_ray.scoring.worklist import worklist
from mammo_ray.splits import LEAKAGE, LEAKAGE_ALLOWED, LEAKAGE_WARNING, split_is_leaky

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
    source: str | Origin, bundle: str, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Score every image and judge every exam; a second start does only what is missing.

    Args:
        source: an archive, or a manifest (file or its folder).
        bundle: folder of the model bundle.
        config: the bundle's own with the user's changes to score, decode limits and data.
        out: folder of the scores.
        address: of a Ray cluster; None: a local Ray.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected, 4 when
        an expected exam is missing.

    Raises:
        BundleError: no bundle, or a configuration that prepares other pixels than it knows.
        InputError: no archive and no manifest.
        PlanMismatch: `out` was planned from another manifest, configuration or model.
        UsageError: another driver works on `out`.
    """
    run_record.claim_folder(out, "score")
    model = read_bundle(bundle)
    model.require_preprocess_digest(config.preprocess_digest())
    predict = _predict_stage(bundle, model, config)
    with hold_lease(out):
        return _score(source, model, predict, config, out, address)


def _score(
    source: str | Origin,
    model: Bundle,
    predict: PredictStage,
    config: Config,
    out: str,
    address: str | None,
) -> tuple[RunRecord, int]:
    """All of `score_archive`, once the folder is this run's own."""
    record = RunRecord("score", config)
    uri, manifest_folder = _manifest_of(source, config, out, address)
    earlier = run_record.require_success(manifest_folder)
    if count_rows(uri) == earlier["rejected"] == earlier.get("exams_missing", 0) == 0:
        raise InputError(f"{uri} has no rows: there is nothing to score")
    work = PlannedWork("score", uri, config, out, SCORED_IMAGES, predict, model.digest)
    plan = run_planned(work, record, address)
    # The tables are made anew, by another protocol perhaps: until they are, nothing is whole.
    storage.delete(storage.join(out, "_SUCCESS"))
    judgement = _judge(out, plan, manifest_folder, model, config)
    record.counts |= _exam_counts(judgement)
    record.details = {
        "ids": "keyed" if is_keyed(hash_key()) else "unkeyed",
        "protocol": config.score.protocol,
        "data_certificate": certificate_words(read_certificate(uri)),
        **_leakage_said(model),
    }
    return record, close_run(record, manifest_folder, out)


def _leakage_said(model: Bundle) -> dict[str, str]:
    """What the record says of a model that was trained on a split which shares women."""
    if not split_is_leaky(model.split):
        return {}
    _log.warning("the model was %s", LEAKAGE_WARNING)
    return {LEAKAGE: LEAKAGE_ALLOWED, "leakage_warning": LEAKAGE_WARNING}


def _predict_stage(bundle: str, model: Bundle, config: Config) -> PredictStage:
    score = config.score
    arguments = {"bundle": bundle, "batch_size": score.batch_size, "digest": model.digest}
    return PredictStage(
        PredictActor, arguments, score.predictors, score.predictor_cpus, score.predictor_gpus
    )


def find_source(source: str, expected: str | None) -> str | Origin:
    """What a location names: a manifest, else an archive of which one is to be made.

    Raises:
        UsageError: a list of expected exams beside a manifest, which is judged by its own.
    """
    is_manifest = source.endswith(".parquet")
    if not is_manifest and not storage.exists(storage.join(source, "manifest.parquet")):
        return Origin(Layout.ARCHIVE, source, expected=expected)
    if expected:
        raise UsageError("--expected goes with an archive; a manifest is made with its own")
    return source


def _manifest_of(
    source: str | Origin, config: Config, out: str, address: str | None
) -> tuple[str, str]:
    """The manifest of a source; an archive gets one in `out/manifest`, made once."""
    source = find_source(source, None) if isinstance(source, str) else source
    if isinstance(source, str):
        return locate_manifest(source)
    folder = storage.join(out, "manifest")
    if storage.exists(storage.join(folder, "_SUCCESS")):
        require_same_source(folder, source, config, address)
        _log.info("the manifest of %s is used again", run_record.read_run(folder)["started"])
    else:
        build_manifest(source, config, folder, address)
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
    expected = storage.join(manifest_folder, "missing_exams.parquet")
    if storage.exists(expected):
        judgement = with_missing_exams(judgement, storage.read_table(expected), hash_key())
    storage.write_table(storage.join(out, "breasts.parquet"), judgement.breasts)
    storage.write_table(storage.join(out, "exams.parquet"), judgement.exams)
    storage.write_bytes(storage.join(out, "worklist.csv"), worklist(judgement.exams))
    return judgement


def _exam_counts(judgement: Judgement) -> dict[str, int]:
    statuses: dict[str, Any] = judgement.exams.column("status").to_pandas().value_counts().to_dict()
    counts = {f"exams_{s.replace('-', '_')}": int(statuses.get(s, 0)) for s in ExamStatus}
    return {"exams": judgement.exams.num_rows, **counts}
