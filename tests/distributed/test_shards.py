"""A plan loses nothing, duplicates nothing, and refuses to be mixed with another."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from mammo_ray import storage
from mammo_ray.config import DataConfig
from mammo_ray.distributed.shards import (
    PartFacts,
    Plan,
    cut_shards,
    finished_shards,
    open_plan,
    part_uri,
    put_part,
    rejections_uri,
    settle,
)
from mammo_ray.errors import InputError, LostWork, PlanMismatch
from mammo_ray.schema import REJECTIONS

PLAN = Plan("prepare", {"manifest": "m", "preprocess": "p"}, (("a", "b"), ("c",)))


def _rows(count: int, size: int = 1000) -> pa.Table:
    ids = [f"img-{k:06d}" for k in range(count)]
    return pa.table({"image_id": ids[::-1], "bytes": [size] * count})


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 264, 5000])
@pytest.mark.parametrize("cpus", [1, 2, 64])
def test_every_image_stands_in_exactly_one_shard_in_order(count: int, cpus: int) -> None:
    shards = cut_shards(_rows(count), DataConfig(), cpus, 1)
    assert [i for shard in shards for i in shard] == sorted(_rows(count)["image_id"].to_pylist())
    assert all(shards)
    lengths = [len(shard) for shard in shards] or [0]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(
    ("data", "size", "image_bytes", "shards"),
    [
        (DataConfig(), 1000, 1, 16),
        (DataConfig(shard_images=10), 1000, 1, 27),
        (DataConfig(shard_megabytes=1), 100_000, 1, 27),
        (DataConfig(), 1000, 32 * 2**20, 33),
    ],
)
def test_shards_are_cut_by_the_tightest_of_their_limits(
    data: DataConfig, size: int, image_bytes: int, shards: int
) -> None:
    assert len(cut_shards(_rows(264, size), data, 2, image_bytes)) == shards


def test_a_plan_is_kept_and_given_again(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert open_plan(folder, PLAN) == PLAN
    other_cut = Plan("prepare", PLAN.digests, (("a",), ("b",), ("c",)))
    again = open_plan(folder, other_cut)
    assert again == PLAN
    assert again.digest == PLAN.digest


def test_a_run_over_other_inputs_is_refused_with_the_difference_named(tmp_path: Path) -> None:
    open_plan(str(tmp_path), PLAN)
    other = Plan("prepare", {"manifest": "m", "preprocess": "q"}, PLAN.shards)
    with pytest.raises(PlanMismatch, match="preprocess was p, is q"):
        open_plan(str(tmp_path), other)


def test_a_plan_that_lost_images_is_refused(tmp_path: Path) -> None:
    open_plan(str(tmp_path), Plan("prepare", PLAN.digests, (("a", "b"),)))
    with pytest.raises(PlanMismatch, match="plans 2 images, the manifest has 3"):
        open_plan(str(tmp_path), PLAN)


@pytest.mark.parametrize("content", ["", "{}", '{"shards": 3}', '{"shards": [], "surprise": 1}'])
def test_a_file_that_is_no_plan_is_an_input_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="not a plan"):
        open_plan(str(tmp_path), PLAN)


def _put(folder: str, shard: int, plan: Plan = PLAN, rejected: int = 0) -> None:
    ids = plan.shards[shard]
    facts = PartFacts(shard, plan.digest, len(ids), rejected, f"digest-{shard}")
    rows = [{"image_id": i, "uri": "u", "stage": "prepare", "reason": "r"} for i in ids[:rejected]]
    part = pa.table({"image_id": list(ids[rejected:])})
    put_part(folder, facts, part, pa.Table.from_pylist(rows, REJECTIONS))


def test_parts_that_are_there_are_known_from_one_listing(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert finished_shards(folder) == set()
    _put(folder, 1)
    storage.write_bytes(storage.join(folder, "images", ".part-00000.parquet.x.tmp"), b"half")
    assert finished_shards(folder) == {1}


def test_settling_adds_up_parts_and_merges_rejections(tmp_path: Path) -> None:
    folder = str(tmp_path)
    _put(folder, 0, rejected=1)
    _put(folder, 1)
    facts = settle(folder, PLAN)
    assert [(f.planned, f.rejected) for f in facts] == [(2, 1), (1, 0)]
    merged = storage.read_table(storage.join(folder, "rejections.parquet"))
    assert merged.column("image_id").to_pylist() == ["a"]


def test_leftovers_of_killed_writers_are_passed_over_and_strangers_are_refused(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    _put(folder, 0)
    _put(folder, 1)
    leftover = tmp_path / "images" / f".part-00000.parquet.{'0' * 32}.tmp"
    leftover.write_bytes(b"half")
    (tmp_path / "images" / ".DS_Store").write_bytes(b"desktop")
    assert len(settle(folder, PLAN)) == 2
    assert ds.dataset(tmp_path / "images").count_rows() == 3  # readers pass over them too
    shutil.copy(part_uri(folder, 0), tmp_path / "images" / "part-00099.parquet")
    with pytest.raises(LostWork, match="part-00099"):
        settle(folder, PLAN)


def test_a_shard_whose_rejections_are_gone_is_taken_back(tmp_path: Path) -> None:
    folder = str(tmp_path)
    _put(folder, 0, rejected=1)
    _put(folder, 1)
    storage.delete(rejections_uri(folder, 0))
    with pytest.raises(LostWork, match="start the command again"):
        settle(folder, PLAN)
    assert finished_shards(folder) == {1}


def test_a_missing_part_is_lost_work(tmp_path: Path) -> None:
    _put(str(tmp_path), 0)
    with pytest.raises(LostWork, match="part 1"):
        settle(str(tmp_path), PLAN)


def test_a_part_of_another_plan_is_not_taken(tmp_path: Path) -> None:
    other = Plan("prepare", {"manifest": "x"}, PLAN.shards)
    _put(str(tmp_path), 0)
    _put(str(tmp_path), 1, other)
    with pytest.raises(LostWork, match="another plan"):
        settle(str(tmp_path), PLAN)


def test_a_damaged_part_is_not_taken(tmp_path: Path) -> None:
    _put(str(tmp_path), 0)
    storage.write_bytes(part_uri(str(tmp_path), 1), b"not parquet")
    with pytest.raises(LostWork, match="part 1"):
        settle(str(tmp_path), PLAN)
