"""The phantom of images and masks: both namings, two classes, and its truth."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mammo_ray.config import DataConfig, PairsConfig
from mammo_ray.datasets.pairs import PairsReader
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.datasets.phantoms.pairs import CLASS_VALUES, write_pairs_phantom
from tests.datasets.phantoms.test_archive import digests
from tests.datasets.reading import by_path, column, read

REQUEST = PhantomRequest(rows=30, seed=1, cancer_share=0.5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "pairs"
    assert write_pairs_phantom(root, REQUEST).images == 30
    return root


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), keep_default_na=False).set_index("path")


def test_the_reader_pairs_every_image_with_its_masks(root: Path, truth: pd.DataFrame) -> None:
    pattern = r"case(?P<patient_id>\d+)(?P<laterality>[lr])"
    manifest = read(PairsReader, root, DataConfig(pairs=PairsConfig(pattern=pattern)))
    assert manifest.rejections.num_rows == 0
    rows = by_path(manifest.rows, root)
    assert set(rows) == set(truth.index)
    for path, said in truth.iterrows():
        row = rows[str(path)]
        uris = [str(root / mask) for mask in said.masks.split(";") if mask]
        assert row["mask_uris"] == (uris or None)
        assert (f"woman{row['patient_id']}", row["laterality"]) == (
            said.patient_id,
            said.laterality,
        )
    assert column(manifest.rows, "mask_values") == [sorted(CLASS_VALUES.values())] * 30
    assert manifest.exclusions.num_rows == truth["masks"].str.count("png").sum()


def test_masks_show_the_circles_of_the_truth_with_their_classes(
    root: Path, truth: pd.DataFrame
) -> None:
    several = 0
    for said in truth.itertuples():
        paths = [mask for mask in said.masks.split(";") if mask]
        several += len(paths) > 1
        masks = [cv2.imread(str(root / path), cv2.IMREAD_UNCHANGED) for path in paths]
        if not masks:
            continue
        scale = masks[0].shape[0] / cv2.imread(str(root / said.Index)).shape[0]
        merged = np.maximum.reduce(masks)
        for circle in said.circles.split(";"):
            severity, row, column_, radius = circle.split()
            place = (int(int(row) * scale), int(int(column_) * scale))
            assert merged[place] == CLASS_VALUES[severity]
            area = np.count_nonzero(merged == CLASS_VALUES[severity])
            assert area >= 0.9 * np.pi * (int(radius) * scale) ** 2
    assert several >= 2


def test_one_image_has_no_mask_and_one_mask_half_its_size(root: Path, truth: pd.DataFrame) -> None:
    assert (truth["masks"] == "").sum() == 1
    ratios = {
        cv2.imread(str(root / mask), 0).shape[0] / cv2.imread(str(root / str(path)), 0).shape[0]
        for path, masks in truth["masks"].items()
        for mask in filter(None, masks.split(";"))
    }
    assert ratios == {1.0, 0.5}


def test_both_namings_and_a_fixed_split_are_there(root: Path, truth: pd.DataFrame) -> None:
    tops = {str(path).split("/")[0] for path in truth.index}
    assert tops == {"folders", "suffixes"}
    rows = by_path(read(PairsReader, root).rows, root)
    assert {row["split"] for row in rows.values()} == {"train", "test", None}


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    write_pairs_phantom(tmp_path / "again", PhantomRequest(rows=7, seed=1, cancer_share=0.5))
    assert digests(tmp_path / "again").items() <= digests(root).items()
