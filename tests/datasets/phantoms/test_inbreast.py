"""Phantoms of the layout `inbreast`: their quirks, and that reading them gives their truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammo_ray.datasets.inbreast import InbreastReader
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.datasets.phantoms.inbreast import write_inbreast_phantom
from mammo_ray.preprocess.outlines import Outline, fill_outline
from mammo_ray.schema import OutlineForm
from tests.datasets.phantoms.display import displayed
from tests.datasets.reading import by_path, read

ROWS = 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "inbreast"
    counts = write_inbreast_phantom(out, PhantomRequest(ROWS, seed=1, cancer_share=0.5))
    assert (counts.images, counts.women) == (ROWS, 10)
    return out


@pytest.fixture(scope="module")
def manifest(root: Path) -> Manifest:
    return read(InbreastReader, root)


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), keep_default_na=False).set_index("path")


def test_reading_gives_the_truth_but_no_cancer(
    root: Path, manifest: Manifest, truth: pd.DataFrame
) -> None:
    assert (manifest.rows.num_rows, manifest.rejections.num_rows) == (ROWS, 0)
    rows = by_path(manifest.rows, root)
    assert set(rows) == set(truth.index)
    for path, said in truth.iterrows():
        row = rows[str(path)]
        for name in ("patient_id", "laterality", "view_position", "kind"):
            assert row[name] == said[name]
        assert row["cancer"] is None
        assert (row["birads"] in {"4b", "4c", "5", "6"}) == bool(said["cancer"])
    assert {row["density"] for row in rows.values()} > {None}
    assert 0 < truth["cancer"].sum() < len(truth)


def test_outlines_hold_the_lesions_that_the_truth_knows(
    root: Path, manifest: Manifest, truth: pd.DataFrame
) -> None:
    rows = by_path(manifest.rows, root)
    drawn = truth[truth["lesion"] != ""]
    for path, said in drawn.groupby(level=0):
        row = rows[str(path)]
        masks = [filled(outline, row) for outline in row["outlines"]]
        assert len(masks) == len(row["abnormalities"]) >= len(said)
        circles = np.zeros_like(masks[0])
        for _, lesion in said.iterrows():
            y, x = np.ogrid[: row["rows"], : row["columns"]]
            away = np.hypot(y - int(lesion["center_row"]), x - int(lesion["center_column"]))
            circles |= away <= int(lesion["radius"])
        union = np.maximum.reduce(masks) > 0
        assert (union & circles).sum() / (union | circles).sum() > 0.93
        level = displayed(root / str(path))
        assert level[union].mean() > level[~union & (level > 0.05)].mean()
    assert all(rows[path]["outlines"] == [] for path in set(truth.index) - set(drawn.index))


def filled(outline: dict[str, object], row: dict[str, object]) -> np.ndarray:
    form = OutlineForm(str(outline["form"]))
    return fill_outline(
        Outline(form, tuple(outline["points"]), outline["radius"]), row["rows"], row["columns"]
    ).astype(bool)


def test_calcifications_are_drawn_by_points_and_names_are_misspelt(root: Path) -> None:
    text = "".join(path.read_text() for path in (root / "AllXML").iterdir())
    assert "<string>Calcification</string>" in text
    assert "<string>Calcifications</string>" in text
    assert "<string>Espiculated Region</string>" in text
    assert "<integer>1</integer>" in text


def test_the_table_hides_who_the_women_are(root: Path) -> None:
    table = pd.read_csv(root / "INbreast.csv", sep=";", dtype=str, keep_default_na=False)
    assert set(table["Patient ID"]) == set(table["Patient age"]) == {"removed"}
    assert set(table["View"]) == {"CC", "MLO"}
    assert " " * 5 in set(table["ACR"])
    names = [path.name for path in (root / "AllDICOMs").iterdir()]
    assert sum("_ML_ANON" in name for name in names) == ROWS // 2
    assert not any("_MLO_" in name for name in names)
    with_lesion = {path.stem for path in (root / "AllXML").iterdir()}
    assert set(table.loc[table["Bi-Rads"] == "1", "File Name"]) == (
        set(table["File Name"]) - with_lesion
    )


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    request = PhantomRequest(ROWS, seed=1, cancer_share=0.5, processes=1)
    write_inbreast_phantom(tmp_path / "again", request)
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert len(files) > ROWS + 2
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (root / file).read_bytes()
