"""Prepared rows hold the pixels, and their digest follows content alone."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mammo_ray import run_record, storage
from mammo_ray.config import Config, overlay
from mammo_ray.datasets.archive import ArchiveReader
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import IncompleteResult, InputError, StorageError
from mammo_ray.prepared import (
    add_digests,
    content_digest,
    masks_left_out,
    of_kind,
    pixels_of,
    prepare_table,
    read_labels,
    read_masks,
    read_pixels,
    rejections_of,
)
from mammo_ray.schema import MANIFEST, PREPARED, RejectionReason, Stage
from tests.datasets.reading import read, write_image
from tests.films import breast_pixels, film, write_exam, write_film

CONFIG = overlay(Config(recipe="x"), ("preprocess.height=64", "preprocess.width=48"), "test")


@pytest.fixture
def rows(tmp_path: Path) -> pa.Table:
    """Manifest rows of two whole films and one whose pixels are cut off after its header."""
    write_exam(tmp_path / "archive", 1)
    path = write_film(tmp_path / "archive" / "z.dcm", film(breast_pixels(), SOPInstanceUID="1.9"))
    table = read(ArchiveReader, tmp_path / "archive").rows
    path.write_bytes(path.read_bytes()[:-2000])
    return table


def test_every_row_comes_back_prepared_or_rejected(rows: pa.Table) -> None:
    table = prepare_table(rows, CONFIG, sandbox=None)
    assert table.column("image_id").to_pylist() == rows.column("image_id").to_pylist()
    assert table.column("status").to_pylist() == ["prepared", "prepared", "rejected"]
    rejection = rejections_of(table).to_pylist()[0]
    assert rejection["reason"] == RejectionReason.PIXEL_DATA_TRUNCATED
    assert rejection["stage"] == Stage.PREPARE
    assert rejection["patient_id"] == "W1"


def test_the_sandbox_gives_the_same_rows(rows: pa.Table) -> None:
    with Sandbox(CONFIG.decode.memory_megabytes) as sandbox:
        inside = prepare_table(rows, CONFIG, sandbox)
    assert inside.equals(prepare_table(rows, CONFIG, sandbox=None))


def test_a_file_that_vanished_is_a_rejection_and_a_storage_failure_is_not(
    rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(rows.column("uri")[0].as_py()).unlink()
    table = prepare_table(rows, CONFIG, sandbox=None)
    assert table.column("reason")[0].as_py() == RejectionReason.UNREADABLE_FILE
    assert table.column("status")[1].as_py() == "prepared"

    def _down(*_: object) -> bytes:
        raise StorageError("the store is down")

    monkeypatch.setattr(storage, "read_bytes", _down)
    with pytest.raises(StorageError, match="down"):
        prepare_table(rows, CONFIG, sandbox=None)


def test_an_image_known_to_end_its_process_is_rejected_without_a_look(rows: pa.Table) -> None:
    ids = rows.column("image_id").to_pylist()
    Path(rows.column("uri")[0].as_py()).unlink()  # a look would give `unreadable-file`
    table = prepare_table(rows, CONFIG, sandbox=None, crashed={ids[0]: "it ends its process"})
    assert table.column("status").to_pylist() == ["rejected", "prepared", "rejected"]
    [row, other] = rejections_of(table).to_pylist()
    assert (row["image_id"], row["reason"]) == (ids[0], RejectionReason.DECODER_CRASH)
    assert (row["stage"], row["detail"]) == (Stage.PREPARE, "it ends its process")
    assert other["reason"] == RejectionReason.PIXEL_DATA_TRUNCATED
    assert table.schema.equals(prepare_table(rows, CONFIG, sandbox=None).schema)
    assert set(table.column("preprocess_digest").to_pylist()) == {CONFIG.preprocess_digest()}


def test_a_file_that_was_replaced_since_the_manifest_is_rejected(rows: pa.Table) -> None:
    first, second = rows.column("uri").to_pylist()[:2]
    Path(first).write_bytes(Path(second).read_bytes())
    Path(second).write_bytes(Path(second).read_bytes() + b"\0\0")
    table = prepare_table(rows, CONFIG, sandbox=None).slice(0, 2)
    assert table.column("reason").to_pylist() == [RejectionReason.FILE_CHANGED] * 2
    details = table.column("detail").to_pylist()
    assert "SOPInstanceUID" in details[0]
    assert "bytes" in details[1]


def test_an_archive_that_is_gone_blames_no_image(rows: pa.Table) -> None:
    folder = Path(rows.column("uri")[0].as_py()).parent.parent.parent
    rooted = rows.replace_schema_metadata({"root": str(folder)})
    folder.rename(folder.with_name("moved"))
    with pytest.raises(StorageError, match="mounted"):
        prepare_table(rooted, CONFIG, sandbox=None)


def test_an_exam_whose_folder_is_gone_blames_no_image(rows: pa.Table) -> None:
    for uri in rows.column("uri").to_pylist()[:2]:
        Path(uri).unlink()  # the folder is empty now, as a mount point without its mount is
    with pytest.raises(StorageError, match="mounted"):
        prepare_table(rows, CONFIG, sandbox=None)


def test_fewer_images_than_the_mark_says_are_an_incomplete_result(
    rows: pa.Table, tmp_path: Path
) -> None:
    folder = _finished(tmp_path / "prepared", prepare_table(rows, CONFIG, sandbox=None))
    run_record.mark_success(folder, {"done": 3})
    with pytest.raises(IncompleteResult, match="holds 2 images, its _SUCCESS says 3"):
        read_labels(folder)


def _finished(folder: Path, table: pa.Table) -> str:
    part = table.filter(pa.compute.equal(table.column("status"), "prepared"))
    target = str(folder / "images" / "part-00000.parquet")
    storage.write_table(target, part.select(PREPARED.names).cast(PREPARED))
    run_record.mark_success(str(folder), {"done": part.num_rows})
    return str(folder)


def test_pixels_come_back_in_the_order_asked_for(rows: pa.Table, tmp_path: Path) -> None:
    table = prepare_table(rows, CONFIG, sandbox=None)
    folder = _finished(tmp_path / "prepared", table)
    ids = table.column("image_id").to_pylist()[:2]
    forward, backward = read_pixels(folder, ids), read_pixels(folder, ids[::-1])
    assert forward.shape == (2, 64, 48)
    assert forward.dtype == np.uint8
    np.testing.assert_array_equal(forward, backward[::-1])
    np.testing.assert_array_equal(forward, pixels_of(table.slice(0, 2)))
    assert (forward[0] != forward[1]).any()


def test_labels_come_without_pixels_and_only_from_a_finished_folder(
    rows: pa.Table, tmp_path: Path
) -> None:
    folder = _finished(tmp_path / "prepared", prepare_table(rows, CONFIG, sandbox=None))
    labels = read_labels(folder)
    assert "pixels" not in labels
    assert labels["patient_id"].tolist() == ["W001", "W001"]
    (tmp_path / "prepared" / "_SUCCESS").unlink()
    (tmp_path / "prepared" / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(IncompleteResult):
        read_labels(folder)


def test_an_image_that_is_not_there_is_said(rows: pa.Table, tmp_path: Path) -> None:
    folder = _finished(tmp_path / "prepared", prepare_table(rows, CONFIG, sandbox=None))
    with pytest.raises(InputError, match="1 images are not in"):
        read_pixels(folder, ["img-unknown"])


def test_the_digest_does_not_depend_on_order_or_cut_but_on_every_pixel(rows: pa.Table) -> None:
    table = prepare_table(rows, CONFIG, sandbox=None)
    whole = content_digest(table)
    assert content_digest(table.take([2, 0, 1])) == whole
    parts = [content_digest(table.slice(0, 1)), content_digest(table.slice(1))]
    assert add_digests(parts) == whole
    changed = table.to_pylist()
    pixels = bytearray(changed[0]["pixels"])
    pixels[100] ^= 1
    changed[0]["pixels"] = bytes(pixels)
    assert content_digest(pa.Table.from_pylist(changed, table.schema)) != whole


def test_the_digest_of_scores_forgives_the_seventh_digit_alone() -> None:
    def _scores(value: float) -> pa.Table:
        return pa.table({"image_id": ["a"], "score": [value]})

    assert content_digest(_scores(0.1234561)) == content_digest(_scores(0.1234563))
    assert content_digest(_scores(0.12345)) != content_digest(_scores(0.12347))


@pytest.fixture
def drawn(tmp_path: Path) -> pa.Table:
    """Three image files: one with a mask file, one with a circle, one with a mask that is gone."""
    shape = (120, 90)
    image, mask = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    image[20:100, :70] = 120
    image[50:70, 20:50] = 250
    mask[50:70, 20:50] = 255
    uris = [str(write_image(tmp_path / "data" / f"{k}.png", image)) for k in range(3)]
    mask_uri = str(write_image(tmp_path / "data" / "mask.png", mask))
    circle = {"form": "circle", "points": [60.0, 35.0], "radius": 9.0}
    rows = [
        {"mask_uris": [mask_uri]},
        {"outlines": [circle]},
        {"mask_uris": [mask_uri, str(tmp_path / "data" / "gone.png")]},
    ]
    common = {"laterality": "L", "patient_id": "W1", "kind": "full"}
    named = [
        {"image_id": f"img-{k}", "uri": uri, **common, **row}
        for k, (uri, row) in enumerate(zip(uris, rows, strict=True))
    ]
    return pa.Table.from_pylist(named, MANIFEST)


def test_a_mask_lies_where_its_lesion_lies_in_the_prepared_image(
    drawn: pa.Table, tmp_path: Path
) -> None:
    table = prepare_table(drawn, CONFIG, sandbox=None, with_masks=True)
    first = table.slice(0, 1)
    folder = _finished(tmp_path / "prepared", first)
    mask, pixels = read_masks(folder, ["img-0"])[0], pixels_of(first)[0]
    bright = pixels > 200
    assert (mask > 0).sum() > 50
    overlap = (bright & (mask > 0)).sum() / (bright | (mask > 0)).sum()
    assert overlap > 0.8


def test_an_outline_becomes_a_mask_and_a_missing_mask_file_leaves_the_mask_out(
    drawn: pa.Table,
) -> None:
    table = prepare_table(drawn, CONFIG, sandbox=None, with_masks=True)
    assert [value.is_valid for value in table.column("mask")] == [True, True, False]
    assert table.column("status").to_pylist() == ["prepared"] * 3
    assert masks_left_out(table) == 1
    assert "lesion 2 of 2" in " ".join(table.column("notes")[2].as_py())


def test_masks_are_carried_only_when_asked_for(drawn: pa.Table) -> None:
    table = prepare_table(drawn, CONFIG, sandbox=None)
    assert table.column("mask").null_count == 3
    assert masks_left_out(table) == 0


def test_an_image_without_a_mask_is_named_when_masks_are_read(
    drawn: pa.Table, tmp_path: Path
) -> None:
    table = prepare_table(drawn, CONFIG, sandbox=None, with_masks=True)
    folder = _finished(tmp_path / "prepared", table)
    with pytest.raises(InputError, match="1 of 2 images have no mask"):
        read_masks(folder, ["img-0", "img-2"])


def test_rows_are_chosen_by_kind_and_null_is_a_whole_film() -> None:
    rows = pa.Table.from_pylist(
        [{"image_id": "a", "kind": None}, {"image_id": "b", "kind": "crop"},
         {"image_id": "c", "kind": "full"}], MANIFEST
    )  # fmt: skip
    assert of_kind(rows, "full").column("image_id").to_pylist() == ["a", "c"]
    assert of_kind(rows, "crop").column("image_id").to_pylist() == ["b"]
