"""Progress is what lies in storage: plain lines in a log, nothing invented."""

import json
import logging
from pathlib import Path

import pyarrow as pa
import pytest

from mammo_ray import storage
from mammo_ray.distributed.progress import EpochProgress, ShardProgress, follow
from mammo_ray.distributed.shards import PartFacts, Plan, put_part
from mammo_ray.schema import REJECTIONS

PLAN = Plan("prepare", {"manifest": "m"}, (("a", "b"), ("c",)))


def _put(folder: Path, shard: int, rejected: int) -> None:
    ids = PLAN.shards[shard]
    rows = [{"image_id": image, "stage": "prepare", "reason": "x"} for image in ids[:rejected]]
    facts = PartFacts(shard, PLAN.digest, len(ids), rejected, "0")
    part = pa.table({"image_id": list(ids[rejected:])})
    put_part(str(folder), facts, part, pa.Table.from_pylist(rows, REJECTIONS))


def test_a_line_counts_images_parts_and_rejections(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _put(tmp_path, 1, rejected=0)
    with ShardProgress(str(tmp_path), PLAN):
        _put(tmp_path, 0, rejected=1)
    [line] = caplog.messages
    assert line.startswith("prepare: 3 of 3 images, 2 of 2 parts, 1 rejected, ")
    assert line.endswith(" 0 s left")


def test_a_run_that_has_not_moved_has_no_rate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _put(tmp_path, 1, rejected=0)
    with ShardProgress(str(tmp_path), PLAN):
        pass
    assert caplog.messages == [
        "prepare: 1 of 3 images, 1 of 2 parts, 0 rejected, 0.0 images/s, no rate yet"
    ]


def test_epochs_are_said_once_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    uri = str(tmp_path / "epochs.json")
    with EpochProgress(uri, 5) as progress:
        assert progress.look() is None
        history = [{"epoch": 1, "loss": 0.5, "valid_loss": 0.6, "valid_auc": 0.75}]
        storage.write_text(uri, json.dumps(history))
        assert progress.look() == (
            "train: epoch 1 of at most 5, loss 0.5000, validation loss 0.6000, validation AUC 0.750"
        )
        assert progress.look() is None
    assert caplog.messages == []


def test_following_gives_every_item_and_says_nothing_of_a_quick_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert list(follow([3, 1, 2], 3, "manifest", "chunk")) == [3, 1, 2]
    assert caplog.messages == []
