"""Exported files: names, pixels, masks, a second start, and faults."""

import json
from pathlib import Path

import boto3
import cv2
import numpy as np
import pydicom
import pytest
from moto import mock_aws

from mammo_ray import object_storage, storage
from mammo_ray.config import Config
from mammo_ray.datasets.export_names import DEFAULT_TEMPLATE
from mammo_ray.dicom.header import read_header
from mammo_ray.distributed.export import export_manifest
from mammo_ray.errors import InputError, PlanMismatch, StorageError, UsageError
from tests.distributed.manifests import write_manifest
from tests.films import breast_pixels, film, write_film

PIXELS = breast_pixels()
CIRCLE = cv2.circle(np.zeros(PIXELS.shape, np.uint8), (20, 40), 8, 255, -1)
CLASSES = np.where(CIRCLE > 0, 2, 0).astype(np.uint8)
CLASSES[:5, :5] = 1


@pytest.fixture
def config() -> Config:
    return Config(recipe="test", decode={"sandbox": False})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One DICOM film, one PNG film with two masks, one JPEG crop."""
    root = tmp_path / "archive"
    write_film(root / "a.dcm", film(PIXELS, PatientID="W1"))
    cv2.imwrite(str(root / "b.png"), PIXELS)
    cv2.imwrite(str(root / "b_mask1.png"), CIRCLE)
    cv2.imwrite(str(root / "b_mask2.png"), CLASSES)
    cv2.imwrite(str(root / "c.jpg"), (PIXELS >> 4).astype(np.uint8))
    return root


def image(root: Path, name: str, **columns: object) -> dict[str, object]:
    path = root / name
    return {
        "image_id": f"img-{name[0]}",
        "uri": str(path),
        "patient_id": "W1",
        "laterality": "L",
        "view_position": "MLO",
        "kind": "full",
        "bytes": path.stat().st_size if path.exists() else 1,
        **columns,
    }


@pytest.fixture
def rows(root: Path) -> list[dict[str, object]]:
    masks = [str(root / "b_mask1.png"), None, str(root / "b_mask2.png")]
    return [
        image(root, "a.dcm"),
        image(
            root, "b.png", patient_id="W/2", mask_uris=masks, mask_values=[1, 2],
            transfer_syntax="image/png",
        ),
        image(root, "c.jpg", kind="crop", transfer_syntax="image/jpeg"),
    ]  # fmt: skip


@pytest.fixture
def manifest(tmp_path: Path, root: Path, rows: list[dict[str, object]]) -> str:
    rows[1]["mask_values"] = None
    rows[1]["mask_uris"] = rows[1]["mask_uris"][:2]
    return write_manifest(tmp_path / "manifest", root, rows)


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_png16_scales_by_nominal_bits_and_keeps_masks(
    tmp_path: Path, manifest: str, config: Config
) -> None:
    to = tmp_path / "out"
    record, code = export_manifest(manifest, str(to), "png16", DEFAULT_TEMPLATE, config)
    assert listing(to) == [
        "W1_L_MLO_crop.png", "W1_L_MLO_full.png", "W_2_L_MLO_full.png", "W_2_L_MLO_mask.png",
    ]  # fmt: skip
    assert code == 0
    assert record.counts == {"planned": 4, "masks": 1, "done": 4, "rejected": 0, "done_now": 4}
    dicom = cv2.imread(str(to / "W1_L_MLO_full.png"), cv2.IMREAD_UNCHANGED)
    assert dicom.dtype == np.uint16
    # The film's window is 2048/4096 over 12 bits: PS3.3 C.11.2.1.2.1 maps 0..4095 to all of it.
    expected = np.clip((PIXELS - 2047.5) / 4095 + 0.5, 0, 1) * 65535
    np.testing.assert_allclose(dicom, expected, atol=1)
    png = cv2.imread(str(to / "W_2_L_MLO_full.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(png, PIXELS)
    mask = cv2.imread(str(to / "W_2_L_MLO_mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, CIRCLE)


def test_jpg_is_8_bit_and_its_masks_lose_nothing(
    tmp_path: Path, manifest: str, config: Config
) -> None:
    to = tmp_path / "out"
    export_manifest(manifest, str(to), "jpg", "{kind}/{image_id}", config)
    assert listing(to) == ["crop/img-c.jpg", "full/img-a.jpg", "full/img-b.jpg", "mask/img-b.png"]
    gray = cv2.imread(str(to / "full/img-b.jpg"), cv2.IMREAD_UNCHANGED)
    assert gray.dtype == np.uint8
    assert np.abs(gray.astype(float) - PIXELS / 257).mean() < 2
    mask = cv2.imread(str(to / "mask/img-b.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, CIRCLE)


def test_dcm_keeps_dicom_files_and_wraps_image_files(
    tmp_path: Path, root: Path, manifest: str, config: Config
) -> None:
    to = tmp_path / "out"
    export_manifest(manifest, str(to), "dcm", "{image_id}_{kind}", config)
    assert listing(to) == [
        "img-a_full.dcm", "img-b_full.dcm", "img-b_mask.dcm", "img-c_crop.dcm",
    ]  # fmt: skip
    assert (to / "img-a_full.dcm").read_bytes() == (root / "a.dcm").read_bytes()
    wrapped = pydicom.dcmread(to / "img-b_full.dcm")
    np.testing.assert_array_equal(wrapped.pixel_array, PIXELS)
    assert (wrapped.PatientID, wrapped.ImageLaterality, wrapped.ViewPosition) == ("W/2", "L", "MLO")
    assert wrapped.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    lossy = pydicom.dcmread(to / "img-c_crop.dcm")
    stored = cv2.imread(str(root / "c.jpg"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(lossy.pixel_array, stored)
    assert lossy.LossyImageCompression == "01"
    np.testing.assert_array_equal(pydicom.dcmread(to / "img-b_mask.dcm").pixel_array, CIRCLE)


def test_a_wrapped_image_is_read_back_as_what_it_is(
    tmp_path: Path, manifest: str, config: Config
) -> None:
    to = tmp_path / "out"
    export_manifest(manifest, str(to), "dcm", "{image_id}_{kind}", config)
    content = (to / "img-b_full.dcm").read_bytes()
    facts = read_header(lambda start, size: content[start : start + size], len(content)).row
    assert facts["patient_id"] == "W/2"
    assert (facts["laterality"], facts["view_position"]) == ("L", "MLO")


def test_masks_of_several_classes_keep_their_numbers(
    tmp_path: Path, root: Path, rows: list[dict[str, object]], config: Config
) -> None:
    rows[1]["mask_uris"] = [None, str(root / "b_mask2.png")]
    manifest = write_manifest(tmp_path / "manifest", root, rows[1:2])
    export_manifest(manifest, str(tmp_path / "out"), "jpg", "{kind}", config)
    mask = cv2.imread(str(tmp_path / "out" / "mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, CLASSES)


def test_a_second_start_does_only_what_is_missing(
    tmp_path: Path, manifest: str, config: Config
) -> None:
    to = tmp_path / "out"
    export_manifest(manifest, str(to), "png16", DEFAULT_TEMPLATE, config)
    kept = (to / "W1_L_MLO_crop.png").stat().st_mtime_ns
    content = (to / "W1_L_MLO_full.png").read_bytes()
    (to / "W1_L_MLO_full.png").unlink()
    (to / f".W1_L_MLO_full.png.{'0' * 32}.tmp").write_bytes(b"half")
    record, _ = export_manifest(manifest, str(to), "png16", DEFAULT_TEMPLATE, config)
    assert (record.counts["done_now"], record.counts["done"]) == (1, 4)
    assert (to / "W1_L_MLO_full.png").read_bytes() == content
    assert (to / "W1_L_MLO_crop.png").stat().st_mtime_ns == kept
    assert len(listing(to)) == 4


def test_an_export_of_something_else_is_not_continued(
    tmp_path: Path, manifest: str, config: Config
) -> None:
    to = tmp_path / "out"
    export_manifest(manifest, str(to), "png16", DEFAULT_TEMPLATE, config)
    with pytest.raises(PlanMismatch, match="differs in name, format"):
        export_manifest(manifest, str(to), "jpg", "{image_id}", config)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "x.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds files already"):
        export_manifest(manifest, str(strange), "jpg", DEFAULT_TEMPLATE, config)
    assert listing(strange) == ["x.txt"]


def test_the_archive_itself_is_never_written_to(
    tmp_path: Path, root: Path, manifest: str, config: Config
) -> None:
    before = listing(tmp_path)
    with pytest.raises(UsageError, match="inside the archive"):
        export_manifest(manifest, str(root / "out"), "jpg", DEFAULT_TEMPLATE, config)
    with pytest.raises(UsageError, match="a field is one of"):
        export_manifest(manifest, str(tmp_path / "out"), "jpg", "{uri}", config)
    assert listing(tmp_path) == before


def test_a_fault_is_a_row_and_the_others_go_on(
    tmp_path: Path, root: Path, rows: list[dict[str, object]], config: Config
) -> None:
    (root / "b_mask1.png").write_bytes(b"no picture")
    rows[1]["mask_values"] = [200]
    rows[0]["bytes"] = 5
    rows.append(image(root, "d.png", patient_id="W9"))
    manifest = write_manifest(tmp_path / "manifest", root, rows)
    to = tmp_path / "out"
    record, code = export_manifest(manifest, str(to), "jpg", "{image_id}_{kind}", config)
    assert code == 3
    assert record.counts["planned"] == 6
    assert record.counts["planned"] == record.counts["done"] + record.counts["rejected"]
    faults = storage.read_table(f"{to}.export/rejections.parquet").to_pylist()
    assert [(f["image_id"], f["stage"], f["reason"]) for f in faults] == [
        ("img-a", "export", "file-changed"),
        ("img-b", "export", "not-dicom"),
        ("img-b", "export", "unsupported-pixel-format"),
        ("img-d", "export", "unreadable-file"),
    ]
    assert [f["detail"][:7] for f in faults[1:3]] == ["mask 1:", "mask 2:"]
    assert faults[3]["patient_id"] == "W9"
    assert listing(to) == ["img-b_full.jpg", "img-c_crop.jpg"]
    assert json.loads((tmp_path / "out.export" / "_SUCCESS").read_text()) == record.counts


def test_an_archive_that_is_gone_blames_no_image(
    tmp_path: Path, root: Path, manifest: str, config: Config
) -> None:
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is the storage mounted"):
        export_manifest(manifest, str(tmp_path / "out"), "jpg", DEFAULT_TEMPLATE, config)
    assert not (tmp_path / "out.export" / "_SUCCESS").exists()


def test_an_empty_manifest_is_refused(tmp_path: Path, root: Path, config: Config) -> None:
    manifest = write_manifest(tmp_path / "manifest", root, [])
    with pytest.raises(InputError, match="nothing to export"):
        export_manifest(manifest, str(tmp_path / "out"), "jpg", DEFAULT_TEMPLATE, config)


def test_files_go_to_object_storage_and_a_second_start_finds_them(
    manifest: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        object_storage.reconnect()
        boto3.client("s3").create_bucket(Bucket="films")
        for done_now in (4, 0):
            to = "s3://films/out/"
            record, _ = export_manifest(manifest, to, "jpg", "{kind}/{image_id}", config)
            assert record.counts["done_now"] == done_now
        names = [file.relative_path for file in storage.list_files("s3://films/out")]
        faults = storage.exists("s3://films/out.export/rejections.parquet")
    object_storage.reconnect()
    assert names == ["crop/img-c.jpg", "full/img-a.jpg", "full/img-b.jpg", "mask/img-b.png"]
    assert faults
