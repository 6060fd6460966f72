"""Small run folders written by hand: what a report is made of, with a patient to be kept out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mammo_ray import schema, storage
from mammo_ray.config import EvaluateConfig, load_config
from mammo_ray.evaluation.metrics import evaluate_scores
from mammo_ray.reports.figures import evaluation_figures
from mammo_ray.run_record import RunRecord, mark_success
from mammo_ray.schema import Protocol
from mammo_ray.scoring.aggregate import Scope, judge_exams
from mammo_ray.scoring.worklist import worklist

# Stands in every table that has room for it, and must stand on no page.
PATIENT = "DOE^JANE-19551224"
WOMEN = 30


def write_runs(root: Path) -> None:
    """A manifest, prepared images, a model, scores and an evaluation, as commands leave them."""
    images = _images()
    _write_manifest(root / "manifest")
    _write_prepared(root / "prepared", images)
    _write_model(root / "model")
    _write_scores(root / "scores", images)
    _write_evaluation(root / "evaluation", images)


def finish(folder: Path, command: str, counts: dict[str, int], **details: object) -> None:
    """Write the record and the mark of a run."""
    record = RunRecord(command, load_config("default"), counts=counts, details=dict(details))
    record.inputs = {"archive": f"/archive/{PATIENT}", "manifest": "ab" * 16}
    record.timings = {"work_seconds": 12.5}
    record.write(str(folder))
    mark_success(str(folder), counts)


def rejected_row(image_id: str, stage: str, reason: str, detail: str) -> dict[str, str]:
    """One row of `schema.REJECTIONS`."""
    return {
        "image_id": image_id, "uri": f"/archive/{PATIENT}/{image_id}.dcm", "stage": stage,
        "reason": reason, "detail": detail, "patient_id": PATIENT, "study_uid": f"1.2.{PATIENT}",
    }  # fmt: skip


def put(folder: Path, name: str, rows: list[dict[str, Any]], columns: pa.Schema) -> None:
    """Write rows as a table."""
    storage.write_table(str(folder / name), pa.Table.from_pylist(rows, schema=columns))


def _images() -> list[dict[str, Any]]:
    """Four views a woman; one image in sixty cannot be decoded."""
    random = np.random.default_rng(7)
    rows = []
    for woman in range(WOMEN):
        cancer = int(woman % 5 == 0)
        for k, (side, view) in enumerate([("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]):
            score = float(np.clip(random.normal(0.35 + 0.3 * cancer * (side == "L"), 0.15), 0, 1))
            fault = (4 * woman + k) % 60 == 59
            rows.append(
                {
                    "image_id": f"img-{woman:04d}{k}" + "0" * 19,
                    "uri": f"/archive/{PATIENT}/{k}.dcm",
                    "status": "rejected" if fault else "scored",
                    "reason": "pixel-data-truncated" if fault else None,
                    "score": None if fault else score, "image_kind": "ffdm",
                    "patient_id": f"{PATIENT}-{woman}", "study_uid": f"1.2.{PATIENT}.{woman}",
                    "study_date": "20240102", "accession": PATIENT, "laterality": side,
                    "view_position": view, "cancer": cancer if side == "L" else 0,
                    "label_level": "breast", "label_source": "pathology",
                }
            )  # fmt: skip
    return rows


def _write_manifest(folder: Path) -> None:
    put(
        folder,
        "exclusions.parquet",
        [{"rule": "not-an-image", "uri": PATIENT}] * 3,
        schema.EXCLUSIONS,
    )
    fault = rejected_row("img-noise", "manifest", "not-dicom", "no DICM magic, starts with <html>")
    put(folder, "rejections.parquet", [fault], schema.REJECTIONS)
    counts = {"seen": 124, "rows": 120, "excluded": 3, "rejected": 1, "women": 30, "positive": 12}
    finish(folder, "manifest", counts)


def _write_prepared(folder: Path, images: list[dict[str, Any]]) -> None:
    good = [row for row in images if row["status"] == "scored"]
    names = set(schema.PREPARED.names)
    rows = [
        {key: value for key, value in row.items() if key in names}
        | {"pixels": _breast(k).tobytes(), "height": 96, "width": 64, "dtype": "uint8"}
        for k, row in enumerate(good)
    ]
    put(folder, "images/part-00000.parquet", rows[:60], schema.PREPARED)
    put(folder, "images/part-00001.parquet", rows[60:], schema.PREPARED)
    put(folder, "rejections.parquet", _faults(images), schema.REJECTIONS)
    counts = {"planned": 120, "done": len(good), "rejected": 120 - len(good), "rejected_before": 1}
    finish(folder, "prepare", counts | {"rejected_in_all": 121 - len(good)})


def _faults(images: list[dict[str, Any]]) -> list[dict[str, str]]:
    detail = "frame ends after 812,331 of 1,204,118 bytes"
    return [
        rejected_row(row["image_id"], "prepare", row["reason"], detail)
        for row in images
        if row["status"] == "rejected"
    ]


def _breast(number: int) -> np.ndarray:
    """Half an ellipse on black, (96, 64) uint8: enough to be seen."""
    y, x = np.mgrid[0:96, 0:64]
    inside = ((y - 48) / 42) ** 2 + (x / (36 + number % 20)) ** 2
    return np.where(inside < 1, 230 * np.sqrt(np.clip(1 - inside, 0, 1)), 0).astype(np.uint8)


def _write_model(folder: Path) -> None:
    history = [
        {"epoch": k, "loss": 0.9 / k, "valid_loss": 0.5 + 0.4 / k + 0.01 * k,
         "valid_auc": 0.5 + 0.04 * k - 0.004 * k * k, "seconds": 3.0, "best": k <= 5}
        for k in range(1, 9)
    ]  # fmt: skip
    storage.write_text(str(folder / "history.json"), json.dumps(history))
    counts = {"images": 118, "women": 30, "train_women": 18, "valid_women": 4, "test_women": 8}
    finish(folder, "train", counts)


def _write_scores(folder: Path, images: list[dict[str, Any]]) -> None:
    put(folder, "images/part-00000.parquet", images, schema.SCORED_IMAGES)
    put(folder, "rejections.parquet", _faults(images), schema.REJECTIONS)
    lost = rejected_row("img-noise", "manifest", "not-dicom", "")
    lost |= {"study_uid": images[12]["study_uid"], "patient_id": images[12]["patient_id"]}
    judgement = judge_exams(
        pa.Table.from_pylist(images, schema=schema.SCORED_IMAGES).to_pandas(),
        pa.Table.from_pylist([lost], schema=schema.REJECTIONS).to_pandas(),
        Protocol.FOUR_VIEW,
        Scope(frozenset({"ffdm"}), implants=False),
        "key",
    )
    storage.write_table(str(folder / "exams.parquet"), judgement.exams)
    storage.write_table(str(folder / "breasts.parquet"), judgement.breasts)
    storage.write_bytes(str(folder / "worklist.csv"), worklist(judgement.exams))
    rejected = sum(row["status"] == "rejected" for row in images)
    states = judgement.exams["status"].to_pandas().value_counts()
    counts = {
        "planned": 120, "done": 120 - rejected, "rejected": rejected, "rejected_before": 1,
        "rejected_in_all": rejected + 1, "exams": judgement.exams.num_rows,
        **{f"exams_{s}": int(states.get(s, 0)) for s in ("scored", "incomplete", "failed")},
    }  # fmt: skip
    finish(folder, "score", counts, protocol="four-view")


def _write_evaluation(folder: Path, images: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame([row for row in images if row["status"] == "scored"])
    evaluation = evaluate_scores(frame, EvaluateConfig(bootstrap_samples=200))
    evaluation["scores_of"] = "women never trained on"
    storage.write_text(str(folder / "evaluation.json"), json.dumps(evaluation))
    for name, content in evaluation_figures(evaluation, frame).items():
        storage.write_bytes(str(folder / f"{name}.png"), content)
    finish(folder, "evaluate", {"images": len(frame), "women": 30})
