"""The phantom of class folders: formats, its trap, and its truth."""

from pathlib import Path

import cv2
import pandas as pd
import pytest

from mammo_ray.config import DataConfig, FoldersConfig
from mammo_ray.datasets.folders import FoldersReader
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.datasets.phantoms.folders import NAME_PATTERN, write_folders_phantom
from tests.datasets.phantoms.test_archive import digests
from tests.datasets.reading import by_path, read

REQUEST = PhantomRequest(rows=60, seed=1, cancer_share=0.5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "folders"
    assert write_folders_phantom(root, REQUEST).images == 60
    return root


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root)).set_index("path")


def test_with_its_pattern_the_reader_finds_the_truth(root: Path, truth: pd.DataFrame) -> None:
    settings = DataConfig(folders=FoldersConfig(pattern=NAME_PATTERN))
    manifest = read(FoldersReader, root, settings)
    assert (manifest.rejections.num_rows, manifest.exclusions.num_rows) == (0, 1)
    rows = pd.DataFrame.from_dict(by_path(manifest.rows, root), orient="index")
    columns = ["patient_id", "laterality", "view_position", "cancer", "kind", "split"]
    pd.testing.assert_frame_equal(
        rows[columns].astype(str).sort_index(), truth[columns].astype(str).sort_index(),
        check_names=False,
    )  # fmt: skip


def test_without_it_copies_of_one_image_are_one_group(root: Path, truth: pd.DataFrame) -> None:
    rows = by_path(read(FoldersReader, root).rows, root)
    assert {path: row["patient_id"] for path, row in rows.items()} == truth["original"].to_dict()


def test_every_split_has_both_classes_in_several_formats(truth: pd.DataFrame) -> None:
    splits = truth.groupby("split")["cancer"].nunique()
    assert splits.to_dict() == {"train": 2, "valid": 2, "test": 2}
    assert {Path(str(path)).suffix for path in truth.index} == {
        ".png", ".jpg", ".pgm", ".tif", ".tiff",
    }  # fmt: skip


def test_copies_of_one_image_are_in_train_and_test_one_pair_pixel_for_pixel(
    root: Path, truth: pd.DataFrame
) -> None:
    copies = truth[truth.index.str.contains(".rf.", regex=False)]
    groups = copies.groupby("original")
    assert len(groups) >= 3
    for _, group in groups:
        assert sorted(group["split"]) == ["test", "train", "train"]
        images = [cv2.imread(str(root / path), cv2.IMREAD_UNCHANGED) for path in group.index]
        same = [(a == b).all() for k, a in enumerate(images) for b in images[:k]]
        assert sum(same) == 1


def test_16_bit_files_hold_more_than_8_bits(root: Path, truth: pd.DataFrame) -> None:
    deep = [p for p in truth.index if cv2.imread(str(root / p), cv2.IMREAD_UNCHANGED).max() > 255]
    assert {Path(path).suffix for path in deep} == {".png", ".tiff"}


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    write_folders_phantom(tmp_path / "again", PhantomRequest(rows=9, seed=1, cancer_share=0.5))
    assert digests(tmp_path / "again").items() <= digests(root).items()
