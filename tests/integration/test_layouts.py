"""Every layout from its phantom to five folds: nothing is lost on the way."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mammo_ray import storage
from mammo_ray.cli import main
from mammo_ray.schema import Layout

SMALL = ["--set", "preprocess.height=64", "--set", "preprocess.width=64"]
# The traps that the phantoms set leave more images out than a healthy archive would.
TRAPS = ["--set", "data.allowed_rejected_share=0.5"]
ROWS = {Layout.ARCHIVE: 96, Layout.RSNA: 100, Layout.MINI_MIAS: 40}


def _counts(folder: Path) -> dict[str, int]:
    counts: dict[str, int] = json.loads((folder / "_SUCCESS").read_text(encoding="utf-8"))
    return counts


@pytest.fixture(scope="module", params=list(Layout), ids=str)
def layout_folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Layout, Path]:
    """Phantom, manifest, check, prepared images and folds of one layout."""
    request.getfixturevalue("ray_local")
    layout = Layout(request.param)
    root = tmp_path_factory.mktemp(layout.name.lower())
    rows = str(ROWS.get(layout, 60))
    drawn = ["phantom", str(layout), str(root / "data"), "--rows", rows, "--seed", "5"]
    assert main([*drawn, "--set", "phantom.cancer_share=0.6"]) == 0  # enough for five folds
    manifest = [
        "manifest",
        str(layout),
        str(root / "data"),
        "--out",
        str(root / "manifest"),
        *TRAPS,
    ]
    if layout == Layout.ARCHIVE:
        manifest += ["--outcomes", str(root / "data" / "outcomes.csv")]
    assert main(manifest) == 0
    assert main(["check", str(root / "manifest"), "--pixels", *TRAPS]) in (0, 4)
    prepare = ["prepare", str(root / "manifest"), "--out", str(root / "prepared")]
    assert main([*prepare, *SMALL, *TRAPS]) == 0
    folds = ["split", str(root / "manifest"), "--kind", "folds", "--include-test"]
    assert main([*folds, "--out", str(root / "folds.csv")]) == 0
    return layout, root


def test_every_file_is_a_row_an_exclusion_or_a_rejection(
    layout_folder: tuple[Layout, Path],
) -> None:
    _, root = layout_folder
    files = {str(p) for p in (root / "data").rglob("*") if p.is_file()}
    tables = [
        storage.read_table(str(root / "manifest" / f"{name}.parquet"), columns=["uri"])
        for name in ("manifest", "exclusions", "rejections")
    ]
    named = [uri for table in tables for uri in table.column("uri").to_pylist()]
    counts = _counts(root / "manifest")
    assert files <= set(named)
    assert counts["seen"] == len(named)
    assert counts["seen"] == counts["rows"] + counts["excluded"] + counts["rejected"]


def test_the_counts_of_preparation_add_up_from_the_manifest_on(
    layout_folder: tuple[Layout, Path],
) -> None:
    _, root = layout_folder
    counts = _counts(root / "prepared")
    assert counts["planned"] == counts["done"] + counts["rejected"]
    assert counts["planned"] + counts["other_kind"] == _counts(root / "manifest")["rows"]
    assert counts["done"] > 0


def test_five_folds_hold_every_woman_once(layout_folder: tuple[Layout, Path]) -> None:
    _, root = layout_folder
    folds = pd.read_csv(root / "folds.csv", dtype="str")
    manifest = storage.read_table(str(root / "manifest" / "manifest.parquet"), columns=["image_id"])
    assert set(folds["image_id"]) == set(manifest.column("image_id").to_pylist())
    assert folds["fold"].nunique() == 5
    assert (folds.groupby("patient_id")["fold"].nunique() == 1).all()


def test_the_truth_of_the_phantom_lies_outside_of_what_readers_see(
    layout_folder: tuple[Layout, Path],
) -> None:
    _, root = layout_folder
    assert (root / "data.truth.csv").is_file()
    assert not list((root / "data").rglob("*truth*"))
