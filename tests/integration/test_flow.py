"""The whole flow on a real local Ray: what Ray gives equals what the plain functions give."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from ray.data import DataContext

from mammo_ray import storage
from mammo_ray.config import Config, overlay
from mammo_ray.distributed import examine_all, manifest
from mammo_ray.distributed.evaluate import evaluate_model
from mammo_ray.distributed.ingest import prepare_archive
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.score import PredictActor, score_archive
from mammo_ray.errors import BundleError, PlanMismatch, UsageError
from mammo_ray.prepared import content_digest, pixels_of, prepare_table, read_labels, read_pixels
from mammo_ray.schema import Layout
from mammo_ray.scoring.scorer import Classifier
from tests.films import film, write_exam, write_film
from tests.integration.conftest import Flow


def _run(folder: str) -> dict[str, object]:
    tree: dict[str, object] = json.loads(Path(folder, "run.json").read_text(encoding="utf-8"))
    return tree


def test_counts_add_up_from_the_files_on_disk_to_the_exams(flow: Flow) -> None:
    files = sum(1 for p in Path(flow.archive).rglob("*") if p.is_file())
    counts = json.loads(Path(flow.scores, "_SUCCESS").read_text(encoding="utf-8"))
    assert counts["seen"] == files
    assert counts["seen"] == counts["planned"] + counts["excluded"] + counts["rejected_before"]
    assert counts["planned"] == counts["done"] + counts["rejected"]
    assert counts["exams"] == 16
    by_status = [v for k, v in counts.items() if k.startswith("exams_")]
    assert sum(by_status) == counts["exams"]


def test_headers_read_on_ray_give_the_same_manifest(
    flow: Flow, small: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine_all, "_FILES_FOR_RAY", 1)
    monkeypatch.setattr(examine_all, "_FILES_PER_TASK", 7)
    outcomes = f"{flow.archive}/outcomes.csv"
    record, _ = manifest.build_manifest(
        Origin(Layout.ARCHIVE, flow.archive, outcomes=outcomes), small, str(tmp_path)
    )
    standing = _run(flow.manifest)
    assert record.outputs == standing["outputs"]
    assert record.counts == standing["counts"]


def test_prepared_parts_equal_the_plain_function(flow: Flow, small: Config) -> None:
    rows = storage.read_table(f"{flow.manifest}/manifest.parquet")
    plain = prepare_table(rows, small, sandbox=None)
    ids = rows.column("image_id").to_pylist()
    np.testing.assert_array_equal(read_pixels(flow.prepared, ids), pixels_of(plain))


def test_scores_equal_the_plain_classifier(flow: Flow, small: Config) -> None:
    images = storage.read_table(f"{flow.scores}/images").to_pandas()
    scored = images[images["status"] == "scored"]
    classifier = Classifier(flow.model, small.score.batch_size)
    expected = classifier.predict(read_pixels(flow.prepared, scored["image_id"].tolist()))
    np.testing.assert_allclose(scored["score"].to_numpy(), expected, atol=1e-6)


def test_two_operators_ran_and_ray_names_them(flow: Flow) -> None:
    said = _run(flow.scores)["ray"]
    assert isinstance(said, dict)
    assert "MapBatches(prepare_shard)" in said["operators"]
    assert "MapBatches(PredictActor)" in said["operators"]
    assert said["runs"][0].startswith("mammo-score_")
    assert said["worker_ids"]
    assert all(len(worker) == 56 for worker in said["worker_ids"])
    trained = _run(flow.model)["ray"]
    assert isinstance(trained, dict)
    assert trained["runs"][0].startswith("mammo-train-")
    assert len(trained["worker_ids"]) == 1


def test_nothing_but_parts_lies_in_images_and_other_tools_read_them(flow: Flow) -> None:
    for folder in (flow.prepared, flow.scores):
        names = {p.name for p in Path(folder, "images").iterdir()}
        assert all(n.startswith("part-") and n.endswith(".parquet") for n in names)
        plan = json.loads(Path(folder, "plan.json").read_text(encoding="utf-8"))
        assert len(names) == len(plan["shards"])
        frame = pd.read_parquet(Path(folder, "images"))
        assert sorted(frame["image_id"]) == sorted(i for s in plan["shards"] for i in s)


def test_no_woman_stands_on_two_sides_and_held_out_women_are_judged(flow: Flow) -> None:
    split = pd.read_csv(Path(flow.model, "split.csv"), dtype=str)
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    evaluation = json.loads(Path(flow.evaluation, "evaluation.json").read_text(encoding="utf-8"))
    test_women = split.loc[split["split"] == "test", "patient_id"].nunique()
    assert evaluation["women_of_test_split"] == evaluation["women"] == test_women
    assert evaluation["left_out_trained_on"] == (split["split"] != "test").sum()


def test_scores_and_prepared_images_are_evaluated_alike(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    evaluate_model(flow.prepared, flow.model, small, str(tmp_path))
    first = json.loads(Path(flow.evaluation, "evaluation.json").read_text(encoding="utf-8"))
    second = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert second["roc_auc"]["value"] == pytest.approx(first["roc_auc"]["value"])


def test_settings_of_ray_data_are_given_back_after_a_run(flow: Flow) -> None:
    assert Path(flow.scores, "_SUCCESS").exists()
    assert DataContext.get_current().max_errored_blocks == 0
    assert DataContext.get_current().target_max_block_size is not None


def test_a_second_start_does_nothing_and_changes_nothing(flow: Flow, small: Config) -> None:
    before = {p: p.stat().st_mtime_ns for p in Path(flow.prepared, "images").iterdir()}
    first = _run(flow.prepared)["outputs"]
    record, code = prepare_archive(flow.manifest, small, flow.prepared)
    assert code == 0
    assert record.outputs == first
    assert record.ray["shards_done_now"] == 0
    assert {p: p.stat().st_mtime_ns for p in Path(flow.prepared, "images").iterdir()} == before


def test_only_the_missing_part_is_made_again_and_is_the_same(flow: Flow, small: Config) -> None:
    part = Path(flow.prepared, "images", "part-00002.parquet")
    digest = content_digest(storage.read_table(str(part)))
    part.unlink()
    record, _ = prepare_archive(flow.manifest, small, flow.prepared)
    assert record.ray["shards_done_now"] == 1
    assert content_digest(storage.read_table(str(part))) == digest


def test_other_preprocessing_over_the_same_folder_is_refused(flow: Flow, small: Config) -> None:
    other = overlay(small, ("preprocess.clahe.enabled=true",), "test")
    with pytest.raises(PlanMismatch, match="preprocess was"):
        prepare_archive(flow.manifest, other, flow.prepared)


def test_scoring_with_other_preprocessing_than_the_model_knows_is_refused(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    other = overlay(small, ("preprocess.height=128",), "test")
    with pytest.raises(BundleError, match="prepared as"):
        score_archive(flow.manifest, flow.model, other, str(tmp_path / "scores"))
    assert not (tmp_path / "scores").exists()


def test_an_archive_that_grew_is_not_scored_into_the_old_folder(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    archive, out = tmp_path / "archive", str(tmp_path / "scores")
    write_exam(archive, 1)
    score_archive(str(archive), flow.model, small, out)
    assert score_archive(str(archive), flow.model, small, out)[0].ray["shards_done_now"] == 0
    write_exam(archive, 2)
    with pytest.raises(PlanMismatch, match="other files than the 4"):
        score_archive(str(archive), flow.model, small, out)


def test_an_archive_of_rejections_alone_still_gets_its_worklist(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    write_film(archive / "a.dcm", film(None))
    (archive / "other").mkdir()
    (archive / "other" / "b.dcm").write_bytes(b"")
    record, code = score_archive(str(archive), flow.model, small, str(tmp_path / "scores"))
    assert code == 3
    assert (record.counts["exams"], record.counts["exams_failed"]) == (2, 2)
    worklist = (tmp_path / "scores" / "worklist.csv").read_text(encoding="utf-8")
    assert "no-pixel-data" in worklist
    assert "empty-file" in worklist


def test_a_bundle_that_was_replaced_during_a_run_is_refused(flow: Flow) -> None:
    with pytest.raises(BundleError, match="replaced during the run"):
        PredictActor(flow.model, batch_size=2, digest="planned")


def test_looser_limits_are_another_plan(flow: Flow, small: Config) -> None:
    other = overlay(small, ("decode.max_megapixels=50",), "test")
    with pytest.raises(PlanMismatch, match=r"limits was 100\.0 megapixels.*is 50\.0 megapixels"):
        prepare_archive(flow.manifest, other, flow.prepared)


def test_a_folder_of_another_stage_is_not_overwritten(flow: Flow, small: Config) -> None:
    before = Path(flow.manifest, "run.json").read_bytes()
    with pytest.raises(UsageError, match="holds a result of `mammo manifest`"):
        prepare_archive(flow.manifest, small, flow.manifest)
    with pytest.raises(UsageError, match="holds a result of `mammo score`"):
        evaluate_model(flow.scores, flow.model, small, flow.scores)
    assert Path(flow.manifest, "run.json").read_bytes() == before


def test_every_result_carries_its_configuration(flow: Flow) -> None:
    for folder in (flow.manifest, flow.prepared, flow.model, flow.scores, flow.evaluation):
        config = yaml.safe_load(Path(folder, "config.yaml").read_text(encoding="utf-8"))
        assert config["preprocess"]["height"] == 96


def test_no_dicom_identifier_stands_in_a_run_record_or_plan(flow: Flow) -> None:
    labels = read_labels(flow.prepared)
    secrets = [*labels["patient_id"].unique()[:3], *labels["study_uid"].unique()[:3]]
    for folder in (flow.manifest, flow.prepared, flow.model, flow.scores, flow.evaluation):
        for name in ("run.json", "plan.json", "evaluation.json", "bundle.yaml", "_SUCCESS"):
            path = Path(folder, name)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            assert not [s for s in secrets if s in text], path
