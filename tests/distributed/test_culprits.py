"""Halves of a suspicious shard, and what is left of its good images."""

from pathlib import Path

import pyarrow as pa
import pytest

from mammo_ray import storage
from mammo_ray.config import Config, overlay
from mammo_ray.datasets.archive import ArchiveReader
from mammo_ray.distributed.culprits import DETAIL, halves
from mammo_ray.distributed.pipeline import prepare_images
from mammo_ray.errors import LostWork
from tests.datasets.reading import read
from tests.films import write_exam

CONFIG = overlay(
    Config(recipe="x"),
    ("preprocess.height=64", "preprocess.width=48", "decode.sandbox=false"),
    "test",
)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], []),
        (["a"], [["a"]]),
        (["a", "b"], [["a"], ["b"]]),
        (["a", "b", "c"], [["a", "b"], ["c"]]),
    ],
)
def test_halves_hold_every_id_once_and_none_is_empty(
    ids: list[str], expected: list[list[str]]
) -> None:
    assert halves(ids) == expected


@pytest.fixture
def manifest(tmp_path: Path) -> tuple[str, list[str]]:
    """A manifest of four films, and their sorted ids."""
    write_exam(tmp_path / "archive", 1)
    rows = read(ArchiveReader, tmp_path / "archive").rows.sort_by("image_id")
    uri = str(tmp_path / "manifest.parquet")
    storage.write_table(uri, rows)
    return uri, rows.column("image_id").to_pylist()


def test_culprits_are_rows_with_the_reason_and_the_others_are_as_without_them(
    manifest: tuple[str, list[str]],
) -> None:
    uri, ids = manifest
    whole = prepare_images(ids, uri, CONFIG, with_masks=False)
    guilty = frozenset({ids[1], "of-another-shard"})
    table = prepare_images(ids, uri, CONFIG, with_masks=False, guilty=guilty)
    others = pa.compute.not_equal(table.column("image_id"), ids[1])
    assert table.filter(others).equals(whole.filter(others))
    [row] = table.filter(pa.compute.invert(others)).to_pylist()
    assert (row["status"], row["reason"]) == ("rejected", "decoder-crash")
    assert row["detail"] == DETAIL


def test_a_manifest_that_lost_an_image_is_lost_work(manifest: tuple[str, list[str]]) -> None:
    uri, ids = manifest
    with pytest.raises(LostWork, match="no longer holds"):
        prepare_images([*ids[:-1], "img-zzz"], uri, CONFIG, with_masks=False)
