"""Training on Ray Train: one worker fits a model on prepared images and hands back its bundle."""

import json
import logging
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import ray.train
from ray.train import Checkpoint, CheckpointConfig, RunConfig, ScalingConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from mammo_ray import run_record, storage
from mammo_ray.config import Config, validate_config
from mammo_ray.datasets.checks.certificate import UNCHECKED
from mammo_ray.distributed.pipeline import cause_of, process_facts
from mammo_ray.distributed.progress import EpochProgress
from mammo_ray.distributed.session import ray_session
from mammo_ray.errors import InputError, MammoError
from mammo_ray.models.bundle import (
    BundleFacts,
    OutputFacts,
    input_facts,
    validated_scope,
    write_bundle,
)
from mammo_ray.models.model_file import model_to_bytes
from mammo_ray.prepared import read_labels, read_pixels
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import LabelLevel
from mammo_ray.splits import LEAKAGE, TEST, TRAIN, VALID
from mammo_ray.training.image_kinds import keep_kinds, kind_counts
from mammo_ray.training.sides import divide_women, require_both_classes
from mammo_ray.training.tracking import track_run

_log = logging.getLogger(__name__)

_MODEL_FILE = "model.keras"
_FACTS_FILE = "fit.json"


def train_model(
    prepared: str, config: Config, out: str, split: str | None = None, address: str | None = None
) -> RunRecord:
    """Train one model on the labelled images of a prepared folder and write its bundle.

    Preprocessing and input size come from the prepared images; where the recipe differs, the log
    and the run record say so. A split without a validation side gets one, carved by patient from
    its training women.

    Args:
        prepared: finished folder of `mammo prepare`.
        config: model, augment, train and data sections count.
        out: folder of the bundle, with `history.json`.
        split: a `split.csv`; else the column of the manifest, else made by patient. One that is
            marked as sharing women marks the bundle.
        address: of a Ray cluster; None: a local Ray.

    Raises:
        InputError: no finished prepared folder, no labels, too few women for a split, or images of
            several kinds where `data.image_kinds` does not name them.
        PatientLeak: a given split would share a woman.
    """
    run_record.claim_folder(out, "train")
    run_record.require_success(prepared)
    effective, differences = _effective_config(prepared, config)
    record = RunRecord("train", effective)
    frame, left_out = _training_frame(prepared, effective)
    said = divide_women(frame, effective, split)
    require_both_classes(frame)
    level = _label_level(frame)
    storage.delete(storage.join(out, "_SUCCESS"))
    with ray_session(address):
        result, ray_facts = _fit_on_ray(prepared, frame, effective, out)
        record.ray = {**process_facts(), **ray_facts}
    model_file, fitted = result
    marks = _marks(prepared, said)
    facts = _bundle_facts(prepared, frame, level, effective, {**fitted["metrics"], **marks})
    digest = write_bundle(out, facts, model_file, effective, frame)
    storage.write_text(storage.join(out, "history.json"), json.dumps(fitted["history"], indent=1))
    record.counts = {**_counts(frame), **left_out}
    record.timings["fit_seconds"] = fitted["seconds"]
    record.inputs = {"prepared": run_record.read_run(prepared)["outputs"]["content_digest"]}
    record.outputs = {"bundle_digest": digest}
    record.details = {
        "best": facts.metrics,
        "image_kinds": kind_counts(frame),
        "differs_from_recipe": differences,
        **marks,
        **said,
    }
    record.write(out)
    run_record.mark_success(out, record.counts)
    track_run(effective, fitted["history"], _numbers(fitted["metrics"]), marks)
    return record


def _marks(prepared: str, said: dict[str, str]) -> dict[str, str]:
    """What must stand beside every number: the data's certificate, and that a split leaks."""
    certificate = str(run_record.read_run(prepared).get("data_certificate", UNCHECKED))
    leakage = {LEAKAGE: said[LEAKAGE]} if LEAKAGE in said else {}
    return {"data_certificate": certificate, **leakage}


def _effective_config(prepared: str, config: Config) -> tuple[Config, list[str]]:
    """The recipe with decode and preprocess of the prepared images, and where they differ."""
    made = validate_config(run_record.read_run(prepared)["config"], f"{prepared}/run.json")
    differences = [
        f"{section}.{key}: prepared {old!r}, recipe {new!r}"
        for section in ("decode", "preprocess")
        for key, old in getattr(made, section).model_dump(mode="json").items()
        if old != (new := getattr(config, section).model_dump(mode="json")[key])
    ]
    for difference in differences:
        _log.warning("the prepared images decide, not the recipe: %s", difference)
    changed = {"decode": made.decode, "preprocess": made.preprocess}
    return config.model_copy(update=changed), differences


def _training_frame(prepared: str, config: Config) -> tuple[pd.DataFrame, dict[str, int]]:
    """Images that can be trained or tested on, and how many were left out and why."""
    frame = read_labels(prepared)
    blank = frame["blank"].fillna(value=False).astype(bool)
    unlabelled = frame["cancer"].isna() & ~blank
    nameless = frame["patient_id"].isna() & ~blank & ~unlabelled
    usable = frame[~(blank | unlabelled | nameless)].reset_index(drop=True)
    if usable.empty:
        raise InputError(
            f"{prepared} has no labelled image ({int(unlabelled.sum())} without a label): "
            "give --outcomes to `mammo manifest`"
        )
    counts = {
        "left_out_blank": int(blank.sum()),
        "left_out_unlabelled": int(unlabelled.sum()),
        "left_out_without_patient": int(nameless.sum()),
    }
    kept = keep_kinds(usable, config.data.image_kinds)
    return kept, {**counts, "left_out_other_kinds": len(usable) - len(kept)}


def _fit_on_ray(
    prepared: str, frame: pd.DataFrame, config: Config, out: str
) -> tuple[tuple[bytes, dict[str, Any]], dict[str, Any]]:
    """Run the fit on one Ray Train worker; its model file, what it said, and Ray's own names."""
    name = f"mammo-train-{uuid.uuid4().hex[:12]}"
    working = storage.join(out, "ray_train")
    filesystem, path = storage.filesystem_of(working)
    progress = storage.join(working, "epochs.json")
    trainer = DataParallelTrainer(
        _train_worker,
        train_loop_config={
            "prepared": prepared,
            "config": config.model_dump(mode="json"),
            "sides": {side: _side(frame, side) for side in (TRAIN, VALID)},
            "progress": progress,
        },
        scaling_config=ScalingConfig(
            num_workers=config.train.workers, resources_per_worker={"CPU": config.train.threads}
        ),
        run_config=RunConfig(
            name=name,
            storage_path=path,
            storage_filesystem=filesystem,
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        with EpochProgress(progress, config.train.epochs):
            checkpoint = trainer.fit().checkpoint
        if checkpoint is None:
            raise MammoError("the training worker ended without a model")
        with checkpoint.as_directory() as folder:
            model_file = Path(folder, _MODEL_FILE).read_bytes()
            fitted = json.loads(Path(folder, _FACTS_FILE).read_text(encoding="utf-8"))
    except ray.train.TrainingFailedError as error:
        raise _cause(error) from error
    finally:
        storage.delete_folder(working)
    ray_facts = {
        "runs": [fitted.pop("experiment")],
        "worker_ids": [fitted.pop("worker_id")],
        "operators": [],
    }
    return (model_file, fitted), ray_facts


def _side(frame: pd.DataFrame, side: str) -> dict[str, list[Any]]:
    rows = frame[frame["split"] == side]
    return {"ids": rows["image_id"].tolist(), "labels": rows["cancer"].astype(int).tolist()}


def _train_worker(settings: dict[str, Any]) -> None:
    """What the Ray Train worker does: read pixels, fit, report the best model as a checkpoint."""
    # Imported on the worker alone: the driver never loads TensorFlow.
    from mammo_ray.training.batches import LabelledImages
    from mammo_ray.training.fit import Epoch, TrainingData, fit

    config = validate_config(settings["config"], "the driver's configuration")
    sides = {
        side: LabelledImages(
            read_pixels(settings["prepared"], rows["ids"]), np.asarray(rows["labels"])
        )
        for side, rows in settings["sides"].items()
    }
    started = time.monotonic()
    history: list[Epoch] = []

    def _put_epoch(epoch: Epoch) -> None:
        history.append(epoch)
        storage.write_text(settings["progress"], json.dumps(history))

    result = fit(TrainingData(sides[TRAIN], sides[VALID]), config, _put_epoch)
    context = ray.get_runtime_context()
    facts = {
        "history": result.history,
        "metrics": result.metrics,
        "seconds": time.monotonic() - started,
        "worker_id": context.get_worker_id(),
        "experiment": ray.train.get_context().get_experiment_name(),
    }
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, _MODEL_FILE).write_bytes(model_to_bytes(result.model))
        Path(folder, _FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")
        ray.train.report(result.history[-1], checkpoint=Checkpoint.from_directory(folder))


def _label_level(frame: pd.DataFrame) -> LabelLevel:
    """The one level that all labels speak of, looked at before anything is started."""
    levels = sorted(set(frame["label_level"].dropna()))
    if len(levels) != 1:
        raise InputError(f"labels of one level were expected, found {levels}")
    return LabelLevel(levels[0])


def _bundle_facts(
    prepared: str, frame: pd.DataFrame, level: LabelLevel, config: Config, metrics: dict[str, Any]
) -> BundleFacts:
    size, said = config.preprocess, run_record.read_run(prepared)
    sources = sorted(set(frame["label_source"].dropna()))
    scope = validated_scope(frame)
    if not scope.image_kinds:
        _log.warning(
            "no kind of image stands among the training and the held-out women alike: the model "
            "is validated on nothing, and every exam it scores will be out of scope"
        )
    return BundleFacts(
        outputs=(OutputFacts(name=config.heads.label),),
        inputs=input_facts(size.height, size.width, size.bits),
        label_level=level,
        label_sources=tuple(sources),
        validated=scope,
        preprocess_digest=config.preprocess_digest(),
        manifest_digest=said["inputs"]["manifest"],
        metrics=metrics,
    )


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in metrics.items() if isinstance(v, int | float)}


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    women = {
        f"{side}_women": int(frame.loc[frame["split"] == side, "patient_id"].nunique())
        for side in (TRAIN, VALID, TEST)
    }
    return {
        "images": len(frame),
        "women": int(frame["patient_id"].nunique()),
        "positive": int(frame["cancer"].sum()),
        **women,
    }


def _cause(error: ray.train.TrainingFailedError) -> BaseException:
    """Our own error behind a failed training, else Ray's."""
    failures = getattr(error, "worker_failures", {}).values()
    causes = (cause_of(failure) for failure in failures)
    return next((cause for cause in causes if isinstance(cause, MammoError)), error)
