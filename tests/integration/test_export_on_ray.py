"""Export by Ray tasks, each with its own sandbox, against export in one process without."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.datasets.export_names import DEFAULT_TEMPLATE
from mammo_ray.distributed.export import export_manifest
from tests.distributed.manifests import write_manifest
from tests.films import breast_pixels, film, write_film


def _archive(root: Path) -> list[dict[str, object]]:
    """Six DICOM films, five PNG crops with a mask each, and a file that is no image."""
    rows: list[dict[str, object]] = []
    for k in range(6):
        path = write_film(root / f"{k}.dcm", film(breast_pixels(seed=k), PatientID=f"W{k // 2}"))
        rows.append({"uri": str(path), "patient_id": f"W{k // 2}", "kind": "full"})
    for k in range(5):
        crop, mask = root / f"crop{k}.png", root / f"mask{k}.png"
        cv2.imwrite(str(crop), breast_pixels(48, 48, seed=k))
        cv2.imwrite(str(mask), np.eye(48, dtype=np.uint8) * 255)
        rows.append({"uri": str(crop), "kind": "crop", "mask_uris": [str(mask)]})
    (root / "bad.png").write_bytes(b"no picture")
    rows.append({"uri": str(root / "bad.png"), "kind": "full", "patient_id": "W9"})
    return [{**row, "image_id": f"img-{k:02d}", "laterality": "L"} for k, row in enumerate(rows)]


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("ray_local")
def test_ray_and_one_process_write_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "archive"
    manifest = write_manifest(tmp_path / "manifest", root, _archive(root))
    bare = Config(recipe="test", decode={"sandbox": False})
    here, ray = tmp_path / "here", tmp_path / "ray"
    export_manifest(manifest, str(here), "png16", DEFAULT_TEMPLATE, bare)
    monkeypatch.setattr("mammo_ray.distributed.export._FILES_FOR_RAY", 3)
    boxed = Config(recipe="test")
    record, code = export_manifest(manifest, str(ray), "png16", DEFAULT_TEMPLATE, boxed)
    assert (record.counts["planned"], record.counts["done_now"], code) == (17, 16, 3)
    assert _files(ray) == _files(here)
    assert len(_files(ray)) == 16
    faults = [storage.read_table(f"{side}.export/rejections.parquet") for side in (here, ray)]
    assert faults[0].equals(faults[1])
    assert faults[0].column("image_id").to_pylist() == ["img-11"]

    (ray / "W0_L_unknown_full.png").unlink()
    record, _ = export_manifest(manifest, str(ray), "png16", DEFAULT_TEMPLATE, boxed)
    assert (record.counts["done_now"], record.counts["done"]) == (1, 16)
    assert _files(ray) == _files(here)
