"""Class folders: the folder is the label, and nothing in them is lost or taken for a class."""

from pathlib import Path

import numpy as np
import pytest

from mammo_ray.config import DataConfig, FoldersConfig, load_config
from mammo_ray.datasets.folders import FoldersReader
from mammo_ray.errors import ConfigError, InputError
from mammo_ray.schema import ExclusionRule, RejectionReason
from tests.datasets.reading import by_path, column, read, source_of, write_image
from tests.films import breast_pixels, film, write_film

HASH = "68cb444f62494b5756c4708d119a66da"


def labels(root: Path) -> dict[str, tuple[object, object]]:
    rows = by_path(read(FoldersReader, root).rows, root)
    return {path: (row["split"], row["cancer"]) for path, row in rows.items()}


def test_folders_say_split_and_cancer_of_images_of_any_type(tmp_path: Path) -> None:
    paths = [
        "train/0/a.png", "train/1/b.jpg", "valid/0/c.pgm", "val/1/d.tiff", "validation/0/e.bmp",
        "test/1/deep/f.png",
    ]  # fmt: skip
    for path in paths:
        write_image(tmp_path / path)
    assert labels(tmp_path) == {
        "train/0/a.png": ("train", 0),
        "train/1/b.jpg": ("train", 1),
        "valid/0/c.pgm": ("valid", 0),
        "val/1/d.tiff": ("valid", 1),
        "validation/0/e.bmp": ("valid", 0),
        "test/1/deep/f.png": ("test", 1),
    }


def test_labels_speak_of_images_and_no_source_is_claimed(tmp_path: Path) -> None:
    write_image(tmp_path / "0" / "a.png", np.full((20, 30), 900, np.uint16))
    (row,) = read(FoldersReader, tmp_path).rows.to_pylist()
    assert (row["label_level"], row["label_source"], row["kind"]) == ("image", None, "full")
    assert (row["split"], row["cancer"], row["rows"], row["columns"]) == (None, 0, 20, 30)
    assert (row["laterality"], row["view_position"], row["study_uid"]) == (None, None, None)


def test_folders_above_the_splits_do_not_matter(tmp_path: Path) -> None:
    write_image(tmp_path / "Breast data" / "Train" / "0" / "a.png")
    write_image(tmp_path / "Breast data" / "Test" / "1" / "b.png")
    assert set(labels(tmp_path).values()) == {("train", 0), ("test", 1)}


def test_augmented_copies_of_one_image_stay_together(tmp_path: Path) -> None:
    for folder, name in (
        ("train/0", f"2056_jpg.rf.{HASH}.jpg"),
        ("test/0", f"2056_jpg.rf.{HASH[::-1]}.jpg"),
        ("test/0", "2057.jpg"),
    ):
        write_image(tmp_path / folder / name)
    assert sorted(map(str, column(read(FoldersReader, tmp_path).rows, "patient_id"))) == [
        "2056", "2056", "2057",
    ]  # fmt: skip


def test_a_pattern_tells_women_sides_and_views(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "0" / "P7_L_MLO.png")
    write_image(tmp_path / "train" / "1" / "P8_right_cc.png")
    write_image(tmp_path / "train" / "1" / "other.png")
    pattern = r"/(?P<patient_id>P\d+)_(?P<laterality>[a-zA-Z]+)_(?P<view_position>\w+)\."
    settings = DataConfig(folders=FoldersConfig(pattern=pattern))
    manifest = read(FoldersReader, tmp_path, settings)
    rows = by_path(manifest.rows, tmp_path)
    names = ("patient_id", "laterality", "view_position")
    assert [rows["train/0/P7_L_MLO.png"][name] for name in names] == ["P7", "L", "MLO"]
    assert [rows["train/1/P8_right_cc.png"][name] for name in names] == ["P8", "R", "CC"]
    (rejected,) = manifest.rejections.to_pylist()
    assert rejected["reason"] == RejectionReason.AMBIGUOUS_FILE
    assert "other" not in rejected["detail"]


def test_the_patient_of_a_dicom_header_goes_before_its_file_name_not_before_a_pattern(
    tmp_path: Path,
) -> None:
    write_film(tmp_path / "0" / "x1.dcm", film(breast_pixels(), PatientID="W042"))
    (row,) = read(FoldersReader, tmp_path).rows.to_pylist()
    assert (row["patient_id"], row["cancer"]) == ("W042", 0)
    assert row["image_id"] == source_of(tmp_path).image_id("0/x1.dcm")
    settings = DataConfig(folders=FoldersConfig(pattern=r"(?P<patient_id>x\d)"))
    assert column(read(FoldersReader, tmp_path, settings).rows, "patient_id") == ["x1"]


def test_files_that_are_no_images_of_the_layout_are_accounted_for(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "0" / "a.png")
    write_image(tmp_path / "preview.png")
    for name in ("README.txt", "train/0/.DS_Store", "train/0/Thumbs.db"):
        (tmp_path / name).write_bytes(b"text")
    (tmp_path / "train" / "0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "train" / "0" / "what.xyz").write_bytes(b"neither image nor text")
    manifest = read(FoldersReader, tmp_path)
    rules = {path: row["rule"] for path, row in by_path(manifest.exclusions, tmp_path).items()}
    assert rules == {
        "README.txt": ExclusionRule.NOT_AN_IMAGE,
        "train/0/.DS_Store": ExclusionRule.NOT_AN_IMAGE,
        "train/0/Thumbs.db": ExclusionRule.NOT_AN_IMAGE,
        "preview.png": ExclusionRule.NOT_IN_LAYOUT,
    }
    rejected = by_path(manifest.rejections, tmp_path)
    assert {path: row["patient_id"] for path, row in rejected.items()} == {
        "train/0/broken.png": "broken",
        "train/0/what.xyz": "what",
    }


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["train/benign/a.png", "train/malignant/b.png"], "train/benign, train/malignant"),
        (["train/0/a.png", "train/1/b.png", "train/2/c.png"], r"0 \(no cancer\).*found: train/2"),
        (["0/a.png", "1/b.png", "unsure/c.png"], "found: unsure"),
        (["a.png", "b.png"], r"were expected; seen: a\.png, b\.png"),
        (["0/train/a.png", "1/train/b.png"], "0/train: splits are expected above"),
        (["one/train/0/a.png", "two/train/0/a.png"], "below 2 folders: one, two"),
    ],
)
def test_a_folder_of_another_shape_is_refused_with_what_was_found(
    tmp_path: Path, paths: list[str], said: str
) -> None:
    for path in paths:
        write_image(tmp_path / path)
    with pytest.raises(InputError, match=said):
        FoldersReader(source_of(tmp_path))


def test_a_further_folder_beside_the_splits_is_left_out(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "0" / "a.png")
    write_image(tmp_path / "samples" / "b.png")
    manifest = read(FoldersReader, tmp_path)
    assert column(manifest.exclusions, "rule") == [ExclusionRule.NOT_IN_LAYOUT]


def test_without_opening_files_names_alone_give_the_same_labels(tmp_path: Path) -> None:
    write_image(tmp_path / "test" / "1" / "a.png")
    (row,) = read(FoldersReader, tmp_path, tables_only=True).rows.to_pylist()
    assert (row["split"], row["cancer"], row["patient_id"], row["rows"]) == ("test", 1, "a", None)


@pytest.mark.parametrize("pattern", ["(", "P[0-9]+", "(?P<patient_id>P)(?P<age>[0-9]+)"])
def test_a_pattern_that_cannot_work_is_refused_when_it_is_loaded(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.folders\.pattern"):
        load_config(overrides=(f"data.folders.pattern='{pattern}'",))
