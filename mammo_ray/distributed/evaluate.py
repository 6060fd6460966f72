"""Evaluation of a model on women that it was never trained on."""

import json
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.datasets.checks.certificate import UNCHECKED
from mammo_ray.distributed.pipeline import operator_names, process_facts, run_name
from mammo_ray.distributed.session import ray_session
from mammo_ray.errors import BundleError, InputError
from mammo_ray.evaluation.metrics import evaluate_scores
from mammo_ray.models.bundle import Bundle, read_bundle
from mammo_ray.prepared import read_labels, read_pixels
from mammo_ray.reports import figures
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import SCORED_IMAGES, ImageStatus
from mammo_ray.scoring.scorer import Classifier
from mammo_ray.splits import (
    LEAKAGE,
    LEAKAGE_ALLOWED,
    LEAKAGE_WARNING,
    TEST,
    TRAIN,
    VALID,
    split_is_leaky,
)
from mammo_ray.training.image_kinds import kind_counts

_IMAGES_PER_TASK = 256
_COLUMNS = [
    "image_id", "status", "score", "patient_id", "study_uid", "study_date", "laterality",
    "view_position", "image_kind", "cancer", "label_level", "label_source",
]  # fmt: skip


@dataclass(frozen=True)
class HeldOut:
    """Scored images of women never trained on, and how many others were left out."""

    frame: pd.DataFrame
    counts: dict[str, int]


def evaluate_model(
    source: str, bundle: str, config: Config, out: str, address: str | None = None
) -> RunRecord:
    """Judge a model on held-out women and write `evaluation.json` and its figures.

    Args:
        source: finished folder of `mammo score` (its scores are judged) or of `mammo prepare`
            (its images are scored first).
        bundle: folder of the model bundle; its `split.csv` says who was trained on.
        config: the evaluate section counts.
        out: folder of the result.
        address: of a Ray cluster; None: a local Ray.

    Raises:
        InputError: the source is neither, or holds no labelled image of a held-out woman.
        BundleError: scores of another model, or images prepared in another way.
    """
    record = RunRecord("evaluate", config)
    run_record.claim_folder(out, "evaluate")
    model = read_bundle(bundle)
    run_record.require_success(source)
    stage = run_record.read_run(source)["command"]
    if stage == "score":
        frame = _scores_of(source, model)
    elif stage == "prepare":
        frame, record.ray = _score_prepared_folder(source, bundle, model, address)
    else:
        raise InputError(f"{source} is a result of `mammo {stage}`, expected score or prepare")
    held_out = keep_held_out(frame, model.split)
    if held_out.frame["cancer"].notna().sum() == 0:
        raise InputError(
            f"{source} holds no labelled, scored image of a woman that the model was not trained "
            f"on ({held_out.counts}); labels come with `mammo manifest --outcomes`"
        )
    certificates = _certificates(source, model)
    evaluation = {
        **evaluate_scores(held_out.frame, config.evaluate),
        "scores_of": "women never trained on",
        "model_digest": model.digest,
        "image_kinds": kind_counts(held_out.frame),
        **certificates,
        **held_out.counts,
    }
    leakage = _leakage_said(evaluation) if split_is_leaky(model.split) else {}
    evaluation |= leakage
    record.counts = held_out.counts
    record.inputs = {"model": model.digest, "stage": stage}
    record.details = {"summary": evaluation["summary"], **certificates, **leakage}
    storage.delete(storage.join(out, "_SUCCESS"))
    storage.write_text(
        storage.join(out, "evaluation.json"), json.dumps(evaluation, indent=1, allow_nan=False)
    )
    _write_figures(evaluation, held_out.frame, out)
    record.write(out)
    run_record.mark_success(out, record.counts)
    return record


def keep_held_out(frame: pd.DataFrame, split: pd.DataFrame) -> HeldOut:
    """Scored images of women that stand neither in train nor in valid.

    A woman is known by her patient id and by each of her images; one hit leaves all of her out.
    Where the split is marked as one that shares women, the images of its test side are kept
    whoever they are of, for nothing else was held out.

    Args:
        frame: scored images with `image_id`, `patient_id`, `status`.
        split: the bundle's `image_id`, `patient_id`, `split`.
    """
    learned = split[split["split"].isin([TRAIN, VALID])]
    women = set(learned["patient_id"].dropna())
    women |= set(frame.loc[frame["image_id"].isin(learned["image_id"]), "patient_id"].dropna())
    trained = frame["patient_id"].isin(women) | frame["image_id"].isin(learned["image_id"])
    if split_is_leaky(split):
        trained &= ~frame["image_id"].isin(split.loc[split["split"] == TEST, "image_id"])
    nameless = frame["patient_id"].isna() & ~trained
    unscored = (frame["status"] != ImageStatus.SCORED) & ~trained & ~nameless
    kept = frame[~(trained | nameless | unscored)]
    test_women = set(split.loc[split["split"] == TEST, "patient_id"])
    counts = {
        "images": len(kept),
        "women": int(kept["patient_id"].nunique()),
        "women_of_test_split": int(
            kept.loc[kept["patient_id"].isin(test_women), "patient_id"].nunique()
        ),
        "left_out_trained_on": int(trained.sum()),
        "left_out_without_patient": int(nameless.sum()),
        "left_out_unscored": int(unscored.sum()),
    }
    return HeldOut(kept.reset_index(drop=True), counts)


def _certificates(source: str, model: Bundle) -> dict[str, Any]:
    """What was checked of the images that are judged, and of those that the model learned from."""
    return {
        "data_certificate": run_record.read_run(source).get("data_certificate", UNCHECKED),
        "training_data_certificate": model.facts.metrics.get("data_certificate", UNCHECKED),
    }


def _leakage_said(evaluation: dict[str, Any]) -> dict[str, Any]:
    """What replaces the words of an evaluation whose split shares women."""
    return {
        "summary": f"{evaluation['summary']} It is {LEAKAGE_WARNING}.",
        "scores_of": f"images of the test side, {LEAKAGE_WARNING}",
        "notes": [f"this is {LEAKAGE_WARNING}", *evaluation["notes"]],
        LEAKAGE: LEAKAGE_ALLOWED,
    }


class EvaluateActor:
    """One model replica that reads prepared images by id and gives their scores."""

    def __init__(self, bundle: str, batch_size: int, digest: str, prepared: str) -> None:
        self._classifier = Classifier(bundle, batch_size, digest)
        self._prepared = prepared

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Columns `image_id` and `score` of one row of ids."""
        [item] = batch.to_pylist()
        scores = self._classifier.predict(read_pixels(self._prepared, item["image_ids"]))
        return pa.table({"image_id": item["image_ids"], "score": scores})


def _score_prepared_folder(
    prepared: str, bundle: str, model: Bundle, address: str | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Every prepared image of women not trained on, with its score, and Ray's own names."""
    frame = read_labels(prepared)
    digests = set(frame["preprocess_digest"])
    if digests != {model.facts.preprocess_digest}:
        raise BundleError(
            f"the model was trained on images prepared as {model.facts.preprocess_digest}, "
            f"{prepared} holds {sorted(digests)}"
        )
    learned = model.split.loc[model.split["split"].isin([TRAIN, VALID]), "image_id"]
    blank = frame["blank"].fillna(value=False).astype(bool)
    ids = frame.loc[~frame["image_id"].isin(learned) & ~blank, "image_id"].tolist()
    if not ids:
        raise InputError(f"{prepared} holds only images that the model was trained on")
    items = [
        {"image_ids": ids[k : k + _IMAGES_PER_TASK]} for k in range(0, len(ids), _IMAGES_PER_TASK)
    ]
    score = model.config.score
    arguments = {
        "bundle": bundle,
        "batch_size": score.batch_size,
        "digest": model.digest,
        "prepared": prepared,
    }
    with ray_session(address):
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            EvaluateActor,
            fn_constructor_kwargs=arguments,
            batch_size=None,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(min_size=1, max_size=score.predictors),
            num_cpus=score.predictor_cpus,
            num_gpus=score.predictor_gpus,
        )
        dataset = dataset.materialize()
        scores = dataset.to_pandas()
        facts = {
            **process_facts(),
            "runs": [run_name(dataset)],
            "operators": operator_names(dataset.stats()),
        }
    frame = frame.merge(scores, on="image_id", how="left", validate="one_to_one")
    scored = frame["score"].map(lambda s: isinstance(s, float) and math.isfinite(s))
    frame["status"] = scored.map({True: str(ImageStatus.SCORED), False: str(ImageStatus.REJECTED)})
    return frame, facts


def _scores_of(folder: str, model: Bundle) -> pd.DataFrame:
    """All rows of a score run of this very model."""
    table = storage.open_parts(folder, SCORED_IMAGES).to_table(columns=[*_COLUMNS, "model_digest"])
    digests = set(table.column("model_digest").unique().to_pylist())
    if digests != {model.digest}:
        raise BundleError(f"{folder} was scored by model {sorted(digests)}, not by {model.digest}")
    run_record.require_rows(folder, table.num_rows, "planned")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _write_figures(evaluation: dict[str, Any], frame: pd.DataFrame, out: str) -> None:
    """One PNG a figure; those that need both classes are left out where there is one."""
    for name in figures.EVALUATION_FIGURES:
        storage.delete(storage.join(out, f"{name}.png"))  # of an evaluation before this one
    for name, content in figures.evaluation_figures(evaluation, frame).items():
        storage.write_bytes(storage.join(out, f"{name}.png"), content)
