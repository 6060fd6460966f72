"""`explore_manifest` from a manifest folder to a page."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammo_ray.config import Config
from mammo_ray.distributed.explore import explore_manifest
from mammo_ray.errors import InputError, UsageError
from tests.distributed.manifests import write_manifest
from tests.films import breast_pixels, film, write_film

CIRCLE = {"form": "circle", "points": [48.0, 20.0], "radius": 10.0}


@pytest.fixture
def config() -> Config:
    return Config(recipe="test", decode={"sandbox": False})


def _rows(root: Path) -> list[dict[str, object]]:
    """A benign film with a circle, a malignant one with a mask, a crop, and a broken file."""
    rows = []
    for k, name in enumerate(("benign", "malignant")):
        path = write_film(root / f"{name}.dcm", film(breast_pixels(seed=k), PatientID=f"W{k}"))
        rows.append({"uri": str(path), "pathology": name, "kind": "full", "patient_id": f"W{k}"})
    mask = np.zeros(breast_pixels().shape, np.uint8)
    mask[30:60, 10:30] = 255
    cv2.imwrite(str(root / "mask.png"), mask)
    cv2.imwrite(str(root / "crop.png"), breast_pixels(40, 40))
    (root / "broken.png").write_bytes(b"no picture")
    rows[0]["outlines"] = [CIRCLE]
    rows[1]["mask_uris"] = [str(root / "mask.png")]
    for name, kind in (("crop", "crop"), ("broken", "full")):
        path = root / f"{name}.png"
        rows.append({"uri": str(path), "pathology": "benign", "kind": kind, "patient_id": "W0"})
    return [
        {**row, "image_id": f"img-{k}", "laterality": "L", "view_position": "CC"}
        for k, row in enumerate(rows)
    ]


def test_a_manifest_becomes_a_page_tables_and_a_record(tmp_path: Path, config: Config) -> None:
    root, out = tmp_path / "archive", tmp_path / "explored"
    manifest = write_manifest(tmp_path / "manifest", root, _rows(root))
    record = explore_manifest(manifest, str(out), config)
    assert record.counts == {
        "rows": 4, "women": 2, "positive": 0, "samples": 4, "samples_rejected": 1,
    }  # fmt: skip
    page = (out / "index.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "cannot be used:<br>not-dicom" in page
    assert "mask left out" not in page
    assert str(root) not in page
    with (out / "pathology.csv").open() as file:
        assert [(row["value"], row["images"]) for row in csv.DictReader(file)] == [
            ("benign", "3"), ("malignant", "1"),
        ]  # fmt: skip
    assert json.loads((out / "run.json").read_text())["command"] == "explore"


def test_a_mask_that_cannot_be_used_is_said(tmp_path: Path, config: Config) -> None:
    root = tmp_path / "archive"
    rows = _rows(root)
    rows[1]["mask_uris"] = [str(root / "gone.png")]
    manifest = write_manifest(tmp_path / "manifest", root, rows)
    explore_manifest(manifest, str(tmp_path / "out"), config)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "mask left out: lesion 1 of 1: its file cannot be read: FileNotFoundError" in page


def test_without_samples_no_file_is_opened(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    manifest = write_manifest(tmp_path / "manifest", root, _rows(root))
    for path in root.iterdir():
        path.unlink()
    none = Config(recipe="test", report={"samples": 0})
    assert explore_manifest(manifest, str(tmp_path / "out"), none).counts["samples"] == 0


def test_an_empty_manifest_and_a_taken_folder_are_refused(tmp_path: Path, config: Config) -> None:
    empty = write_manifest(tmp_path / "empty", tmp_path, [])
    with pytest.raises(InputError, match="nothing to explore"):
        explore_manifest(empty, str(tmp_path / "out"), config)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "run.json").write_text('{"command": "train"}')
    with pytest.raises(UsageError, match="mammo train"):
        explore_manifest(empty, str(taken), config)


def test_images_with_marks_stand_first_and_an_empty_entry_is_no_mark(
    tmp_path: Path, config: Config
) -> None:
    root = tmp_path / "archive"
    first, second = _rows(root)[:2]
    rows = [
        {**first, "image_id": "img-a", "outlines": [None], "mask_uris": []},
        {**second, "image_id": "img-b", "pathology": "benign"},
        {**first, "image_id": "img-c"},
    ]
    manifest = write_manifest(tmp_path / "manifest", root, rows)
    explore_manifest(manifest, str(tmp_path / "out"), config)
    page = (tmp_path / "out" / "index.html").read_text()
    places = [page.index(f"<code>img-{name}</code>") for name in "bca"]
    assert places == sorted(places)
