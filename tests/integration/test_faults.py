"""Workers that die: only an image that kills them alone is rejected, and every run ends."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

from mammo_ray import storage
from mammo_ray.config import Config, overlay
from mammo_ray.distributed.culprits import DEATHS, DETAIL, find_culprits
from mammo_ray.distributed.manifest import build_manifest
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.pipeline import PredictStage, ShardJob, cause_of, run_shards
from mammo_ray.distributed.shards import Plan
from mammo_ray.errors import LostWork, StorageError
from mammo_ray.prepared import content_digest, prepare_table
from mammo_ray.run_record import read_run, require_success
from mammo_ray.schema import PREPARED, SCORED_IMAGES, Layout
from tests.films import write_exam
from tests.integration.conftest import SMALL, Flow
from tests.integration.deadly_work import Deadly, DiesAtStart, DiesAtWork, Killer, fail

_SCRIPT = Path(__file__).with_name("faulty_run.py")
_RAW = "decode.sandbox=false"


def _run(victims: list[str], *words: str) -> "subprocess.CompletedProcess[str]":
    names = ",".join(Path(uri).name for uri in victims)
    overrides = [word for pair in (*SMALL, _RAW) for word in ("--set", pair)]
    return subprocess.run(
        [sys.executable, str(_SCRIPT), names, *words, *overrides],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def _victims(flow: Flow) -> pd.DataFrame:
    """Two images of one shard and the last of all, sorted by their ids."""
    rows = storage.read_table(f"{flow.manifest}/manifest.parquet").to_pandas()
    assert rows["uri"].map(lambda uri: Path(uri).name).is_unique
    return rows.iloc[[1, 2, len(rows) - 1]]


def test_images_that_kill_their_workers_are_rejected_and_the_rest_is_prepared(
    flow: Flow, small: Config, tmp_path: Path
) -> None:
    victims, out = _victims(flow), str(tmp_path / "prepared")
    done = _run(victims["uri"].tolist(), "prepare", flow.manifest, "--recipe", "demo", "--out", out)
    assert done.returncode == 3, done.stdout + done.stderr
    rejected = storage.read_table(f"{out}/rejections.parquet").to_pandas()
    assert rejected["image_id"].tolist() == victims["image_id"].tolist()
    assert set(rejected["reason"]) == {"decoder-crash"}
    assert set(rejected["stage"]) == {"prepare"}
    assert set(rejected["detail"]) == {DETAIL}

    rows = storage.read_table(f"{flow.manifest}/manifest.parquet")
    known = dict.fromkeys(victims["image_id"], DETAIL)
    config = overlay(small, (_RAW,), "test")
    plain = prepare_table(rows, config, None, with_masks=True, crashed=known)
    good = plain.filter(pc.equal(plain.column("status"), "prepared"))
    expected = content_digest(good.select(PREPARED.names).cast(PREPARED))
    assert read_run(out)["outputs"]["content_digest"] == expected
    counts = require_success(out)
    assert (counts["planned"], counts["rejected"]) == (rows.num_rows, 3)
    assert counts["done"] == rows.num_rows - 3


def test_an_image_that_kills_its_worker_is_a_row_among_scores_that_do_not_change(
    flow: Flow, tmp_path: Path
) -> None:
    victim = _victims(flow).iloc[1]
    out = str(tmp_path / "scores")
    done = _run([victim["uri"]], "score", flow.manifest, "--model", flow.model, "--out", out)
    assert done.returncode == 3, done.stdout + done.stderr
    scores = storage.read_table(f"{out}/images").to_pandas().set_index("image_id")
    usual = storage.read_table(f"{flow.scores}/images").to_pandas().set_index("image_id")
    assert sorted(scores.index) == sorted(usual.index)
    row = scores.loc[victim["image_id"]]
    assert (row["status"], row["reason"], row["detail"]) == ("rejected", "decoder-crash", DETAIL)
    assert pd.isna(row["score"])
    others = usual.index.drop(victim["image_id"])
    assert (scores.loc[others, "status"] == usual.loc[others, "status"]).all()
    assert scores.loc[others, "score"].to_numpy() == pytest.approx(
        usual.loc[others, "score"].to_numpy(), abs=1e-6, nan_ok=True
    )


def _deaths(folder: Path, image: str) -> int:
    return len(list(folder.glob(f"{image}-*")))


@pytest.mark.usefixtures("ray_local")
def test_an_image_whose_worker_was_killed_from_outside_is_not_blamed(tmp_path: Path) -> None:
    # `lucky` sees its worker die once among others that are tried, then once short of a verdict.
    shards = [["bad", "good", "lucky"], ["fine"]]
    prepare = Killer(tmp_path, {"bad": 1000, "lucky": DEATHS, "fine": 1})
    assert find_culprits(shards, prepare, cpus=2, most=5) == ["bad"]
    assert _deaths(tmp_path, "lucky") == DEATHS
    assert _deaths(tmp_path, "fine") == 1


@pytest.mark.usefixtures("ray_local")
def test_storage_thatfails_ends_the_search_and_blames_nobody() -> None:
    with pytest.raises(Exception, match="no answer for 1 files") as caught:
        find_culprits([["a", "b"]], fail, cpus=2, most=5)
    assert isinstance(cause_of(caught.value), StorageError)


@pytest.mark.usefixtures("ray_local")
def test_workers_that_die_of_everything_are_no_fault_of_the_images(tmp_path: Path) -> None:
    ids = ["a", "b", "c"]
    with pytest.raises(LostWork, match="workers died over 2 images"):
        find_culprits([ids], Killer(tmp_path, dict.fromkeys(ids, 1000)), cpus=2, most=1)


@pytest.mark.usefixtures("ray_local")
def test_workers_that_die_without_an_image_blame_none() -> None:
    with pytest.raises(LostWork, match="without any image: a is not blamed"):
        find_culprits([["a"]], Deadly(), cpus=1, most=5)


@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("actor", [DiesAtStart, DiesAtWork])
def test_a_model_process_that_always_dies_ends_the_run_with_its_cause(
    small: Config, tmp_path: Path, actor: type[object]
) -> None:
    write_exam(tmp_path / "archive", 1)
    origin = Origin(Layout.ARCHIVE, str(tmp_path / "archive"))
    build_manifest(origin, small, str(tmp_path / "manifest"))
    manifest = str(tmp_path / "manifest" / "manifest.parquet")
    ids = sorted(storage.read_table(manifest)["image_id"].to_pylist())
    plan = Plan("score", {}, (tuple(ids[:1]), tuple(ids[1:])))
    predict = PredictStage(actor, {}, most_actors=1, cpus=0.25, gpus=0.0)
    out = str(tmp_path / "scores")
    started = time.monotonic()
    with pytest.raises(LostWork, match=r"died [45] times and no part came of it.*Worker"):
        run_shards(ShardJob(out, plan, manifest, small, SCORED_IMAGES, predict))
    assert time.monotonic() - started < 90
    assert not Path(out, "images").exists()
