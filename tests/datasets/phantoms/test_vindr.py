"""Phantoms of the layout `vindr`: their quirks, and that reading them gives their truth."""

from pathlib import Path

import pandas as pd
import pytest

from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.datasets.phantoms.vindr import write_vindr_phantom
from mammo_ray.datasets.vindr import VindrReader
from tests.datasets.phantoms.display import displayed
from tests.datasets.reading import by_path, read

ROWS = 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "vindr"
    counts = write_vindr_phantom(out, PhantomRequest(ROWS, seed=1, cancer_share=0.5))
    assert (counts.images, counts.women) == (ROWS, 10)
    return out


@pytest.fixture(scope="module")
def manifest(root: Path) -> Manifest:
    return read(VindrReader, root)


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), keep_default_na=False).set_index("path")


def test_reading_gives_the_truth_but_no_cancer(
    root: Path, manifest: Manifest, truth: pd.DataFrame
) -> None:
    assert (manifest.rows.num_rows, manifest.rejections.num_rows) == (ROWS, 0)
    rows = by_path(manifest.rows, root)
    assert set(rows) == set(truth.index)
    splits = {"training": "train", "test": "test"}
    for path, said in truth.iterrows():
        row = rows[str(path)]
        for name in ("patient_id", "laterality", "view_position", "kind"):
            assert row[name] == said[name]
        assert row["split"] == splits[said["split"]]
        assert row["cancer"] is None
        assert (row["birads"] in {"4", "5"}) == bool(said["cancer"])
    assert 0 < truth["cancer"].sum() < len(truth)


def test_boxes_hold_the_lesions_that_the_truth_knows(
    root: Path, manifest: Manifest, truth: pd.DataFrame
) -> None:
    rows = by_path(manifest.rows, root)
    drawn = truth[truth["lesion"] != ""]
    assert len(drawn) > 5
    for path, said in drawn.groupby(level=0):
        outlines = rows[str(path)]["outlines"]
        assert len(outlines) == len(said)
        for outline, (_, lesion) in zip(outlines, said.iterrows(), strict=True):
            top, left, bottom, right = outline["points"]
            row, column = int(lesion["center_row"]), int(lesion["center_column"])
            assert top < row < bottom
            assert left < column < right
            level = displayed(root / str(path))
            assert level[row, column] > level[round(top), round(left) : round(right)].mean()
    assert drawn.groupby(level=0).size().max() == 2
    nothing = set(truth.index) - set(drawn.index)
    assert all(rows[path]["outlines"] == [] for path in nothing)


def test_ages_and_machines_come_from_the_metadata(manifest: Manifest) -> None:
    rows = manifest.rows.to_pylist()
    assert {row["manufacturer"] for row in rows} == {"Vendor M", "Vendor N", "Vendor O"}
    ages = [row["age"] for row in rows]
    assert ages.count(None) == 4
    assert all(45 <= age < 75 for age in ages if age is not None)


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    request = PhantomRequest(ROWS, seed=1, cancer_share=0.5, processes=1)
    write_vindr_phantom(tmp_path / "again", request)
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert len(files) == ROWS + 3
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (root / file).read_bytes()
