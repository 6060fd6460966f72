"""The mini-MIAS phantom: its reader finds the phantom's own truth, quirks and all."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mammo_ray.datasets.mini_mias import MiniMiasReader
from mammo_ray.datasets.phantoms.folder import PhantomCounts, PhantomRequest, truth_path
from mammo_ray.datasets.phantoms.mini_mias import write_mini_mias_phantom
from tests.datasets.phantoms.test_archive import digests
from tests.datasets.reading import by_path, column, read

REQUEST = PhantomRequest(rows=41, seed=3, cancer_share=0.6)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "mias"
    assert write_mini_mias_phantom(root, REQUEST) == PhantomCounts(images=41, women=21)
    return root


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), keep_default_na=False).set_index("path")


def film_lines(root: Path) -> list[str]:
    text = (root / "Info.txt").read_text(encoding="ascii")
    return [line for line in text.splitlines() if line.startswith("mdb")]


def test_the_reader_finds_the_truth(root: Path, truth: pd.DataFrame) -> None:
    manifest = read(MiniMiasReader, root)
    assert manifest.rejections.num_rows == 0
    assert column(manifest.exclusions, "rule") == ["not-an-image"]
    rows = by_path(manifest.rows, root)
    assert set(rows) == set(truth.index)
    for path, said in truth.iterrows():
        row = rows[str(path)]
        whose = (row["patient_id"], row["laterality"], row["view_position"], row["cancer"])
        assert whose == (said.patient_id, said.laterality, said.view_position, said.cancer)
        assert (row["density"], row["kind"]) == (said.tissue, said.kind)
        drawn = [tuple(map(float, circle.split())) for circle in said.circles.split(";") if circle]
        read_here = [(*o["points"], o["radius"]) for o in row["outlines"] or [] if o]
        assert read_here == ([] if row["outlines"] == [None] else drawn)


def test_the_table_has_the_quirks_of_the_real_one(root: Path) -> None:
    lines = film_lines(root)
    films = Counter(line.split()[0] for line in lines)
    assert len(films) == 41
    assert max(films.values()) == 2
    fields = {len(line.split()) for line in lines if "*NOTE 3*" not in line}
    assert {3, 7} <= fields
    assert any(line.endswith("*NOTE 3*") for line in lines)
    assert any(line.endswith("NORM ") for line in lines)


def test_films_are_images_of_the_real_size_with_margins(root: Path) -> None:
    for path in sorted(root.glob("*.pgm"))[:4]:
        content = path.read_bytes()
        assert content.startswith(b"P5\n1024 1024\n255\n")
        assert len(content) == 1024 * 1024 + 17
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert not pixels[:, :100].any()
        assert np.count_nonzero(pixels > 60) > 50_000


def test_circles_lie_on_what_is_brighter_than_its_surroundings(
    root: Path, truth: pd.DataFrame
) -> None:
    contrasts = []
    rows, columns = np.indices((1024, 1024))
    for path, circles in truth["circles"].items():
        pixels = cv2.imread(str(root / str(path)), cv2.IMREAD_UNCHANGED)
        for circle in filter(None, circles.split(";")):
            row, column_, radius = map(int, circle.split())
            distance = np.hypot(rows - row, columns - column_)
            ring = (distance > radius) & (distance < 1.3 * radius)
            contrasts.append(pixels[distance < 0.5 * radius].mean() - pixels[ring].mean())
    assert len(contrasts) > 10
    assert min(contrasts) > 10


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    root: Path, tmp_path: Path
) -> None:
    few = PhantomRequest(rows=6, seed=3, cancer_share=0.6)
    write_mini_mias_phantom(tmp_path / "again", few)
    films = {k: v for k, v in digests(tmp_path / "again").items() if k.endswith(".pgm")}
    assert films.items() <= digests(root).items()
    write_mini_mias_phantom(tmp_path / "other", PhantomRequest(rows=6, seed=4))
    assert not set(digests(tmp_path / "other").values()) & set(films.values())
