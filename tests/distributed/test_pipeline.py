"""The sink takes whole shards only, and errors come out with their own cause."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.distributed.pipeline import (
    PartSink,
    PredictStage,
    ShardJob,
    cause_of,
    operator_names,
)
from mammo_ray.distributed.shards import Plan, part_uri, read_part_facts, rejections_uri
from mammo_ray.errors import LostWork, StorageError
from mammo_ray.prepared import TRANSIT
from mammo_ray.schema import PREPARED, SCORED_IMAGES

PLAN = Plan("prepare", {"manifest": "m"}, (("a", "b"), ("c",)))


def _job(folder: Path) -> ShardJob:
    return ShardJob(str(folder), PLAN, "unused", Config(recipe="x"), PREPARED)


def _block(shard: int, *rows: tuple[str, str]) -> pa.Table:
    """A prepared shard: (image id, status) pairs."""
    table = pa.Table.from_pylist(
        [
            {"image_id": image, "status": status, "reason": "decode-failed", "uri": "u"}
            if status == "rejected"
            else {"image_id": image, "status": status, "pixels": b"1", "uri": "u"}
            for image, status in rows
        ],
        TRANSIT,
    )
    count = table.num_rows
    table = table.append_column("prepared_by", pa.repeat(pa.scalar("worker-1"), count))
    return table.append_column("shard", pa.repeat(pa.scalar(shard), count))


def test_a_shard_becomes_one_part_and_its_rejections(tmp_path: Path) -> None:
    sink = PartSink(_job(tmp_path))
    written = sink.write([_block(0, ("a", "prepared"), ("b", "rejected"))], None)
    assert written == [{"shard": 0, "prepared_by": "worker-1"}]
    part = storage.read_table(part_uri(str(tmp_path), 0))
    assert part.schema.names == PREPARED.names
    assert part.column("image_id").to_pylist() == ["a"]
    rejected = storage.read_table(rejections_uri(str(tmp_path), 0)).to_pylist()
    assert [(r["image_id"], r["reason"]) for r in rejected] == [("b", "decode-failed")]
    facts = read_part_facts(str(tmp_path), 0)
    assert (facts.planned, facts.rejected, facts.plan_digest) == (2, 1, PLAN.digest)


@pytest.mark.parametrize(
    "block",
    [
        _block(0, ("a", "prepared")),
        _block(0, ("a", "prepared"), ("b", "prepared"), ("c", "prepared")),
        _block(0, ("b", "prepared"), ("a", "prepared")),
        _block(1, ("a", "prepared"), ("b", "prepared")),
    ],
)
def test_a_block_that_is_not_exactly_its_shard_is_refused(tmp_path: Path, block: pa.Table) -> None:
    with pytest.raises(LostWork, match="exactly"):
        PartSink(_job(tmp_path)).write([block], None)
    assert not (tmp_path / "images").exists()


def test_a_shard_of_rejections_alone_is_an_empty_part(tmp_path: Path) -> None:
    PartSink(_job(tmp_path)).write([_block(1, ("c", "rejected"))], None)
    assert storage.read_table(part_uri(str(tmp_path), 1)).num_rows == 0


def test_rejected_rows_stand_in_the_part_where_they_are_kept(tmp_path: Path) -> None:
    job = replace(_job(tmp_path), predict=PredictStage(object, {}, 1, 1, 0))
    PartSink(job).write([_block(0, ("a", "prepared"), ("b", "rejected"))], None)
    assert storage.read_table(part_uri(str(tmp_path), 0)).num_rows == 2


def test_the_footer_counts_masks_of_prepared_parts_and_none_of_scores(tmp_path: Path) -> None:
    block = _block(0, ("a", "prepared"), ("b", "prepared"))
    masks, notes = pa.array([b"1", None], pa.binary()), [[], ["mask left out: no file"]]
    block = block.set_column(block.schema.get_field_index("mask"), "mask", masks)
    block = block.set_column(
        block.schema.get_field_index("notes"), "notes", pa.array(notes, pa.list_(pa.string()))
    )
    PartSink(_job(tmp_path)).write([block], None)
    facts = read_part_facts(str(tmp_path), 0)
    assert (facts.masks, facts.masks_left_out) == (1, 1)

    scores = replace(
        _job(tmp_path / "scores"), schema=SCORED_IMAGES, predict=PredictStage(object, {}, 1, 1, 0)
    )
    scored = block.drop_columns(["mask", "pixels"]).append_column(
        "score", pa.array([0.5, 0.25], pa.float64())
    )
    scored = scored.append_column("model_digest", pa.array(["m", "m"]))
    PartSink(scores).write([scored], None)
    assert read_part_facts(str(tmp_path / "scores"), 0).masks == 0


def test_operators_are_named_as_ray_names_them() -> None:
    text = (
        "Operator 0 FromItems: 16 tasks executed, 16 blocks\n\n"
        "  * Operator statistics\n"
        "Operator 1 MapBatches(prepare_shard)->Write: 16 tasks executed\n"
    )
    assert operator_names(text) == ["FromItems", "MapBatches(prepare_shard)->Write"]


def test_our_own_error_is_found_inside_a_chain_of_others() -> None:
    ours, outer = StorageError("no space"), RuntimeError("task failed")
    outer.__cause__ = ours
    assert cause_of(outer) is ours
    other = ValueError("not ours")
    assert cause_of(other) is other
