"""Images and masks are paired by their names, and what cannot be paired is never guessed."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mammo_ray.config import DataConfig, PairsConfig
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.pairs import PairsReader
from mammo_ray.errors import InputError
from mammo_ray.schema import ExclusionRule, RejectionReason
from tests.datasets.reading import by_path, column, read, source_of, write_image


def mask(*values: int, dtype: type[np.integer] = np.uint8) -> npt.NDArray[np.integer]:
    """A mask with a square of each value."""
    pixels = np.zeros((40, 40), dtype)
    for k, value in enumerate(values):
        pixels[4 + 12 * k : 12 + 12 * k, 4:12] = value
    return pixels


def write_tree(root: Path, *paths: str, values: tuple[int, ...] = (255,)) -> None:
    for path in paths:
        write_image(root / path, mask(*values) if "mask" in path.lower() else None)


def masks_of(manifest: Manifest, root: Path) -> dict[str, list[str] | None]:
    """Relative paths of the masks of every row."""
    return {
        path: row["mask_uris"] and [Path(u).relative_to(root).as_posix() for u in row["mask_uris"]]
        for path, row in by_path(manifest.rows, root).items()
    }


@pytest.mark.parametrize(
    ("image", "its_mask", "split"),
    [
        ("images/a.jpg", "masks/a.png", None),
        ("image/a.png", "mask/a.png", None),
        ("Images/a.png", "Masks/a.png", None),
        ("imgs/a.png", "masks/a_mask.png", None),
        ("train/images/a.png", "train/masks/a.png", "train"),
        ("images/val/a.png", "masks/val/a.png", "valid"),
        ("train/a.jpg", "train_masks/a_mask.png", "train"),
        ("train_images/a.jpg", "train_masks/a.png", "train"),
        ("scans/a.png", "masks/a.png", None),
        ("a.png", "masks/a.png", None),
        ("set/benign/images/a.png", "set/benign/masks/a.png", None),
        ("Data_with_GT/benign/benign (1).png", "Data_with_GT/benign/benign (1)_mask.png", None),
        ("test/a.png", "test/a_mask.png", "test"),
        ("a.tif", "a-mask.png", None),
        ("a.png", "mask_a.png", None),
        ("images/a_mask.png", "masks/a_mask.png", None),
    ],
)
def test_an_image_finds_its_mask(
    tmp_path: Path, image: str, its_mask: str, split: str | None
) -> None:
    write_image(tmp_path / image)
    write_image(tmp_path / its_mask, mask(255))
    manifest = read(PairsReader, tmp_path)
    assert masks_of(manifest, tmp_path) == {image: [its_mask]}
    assert column(manifest.rows, "split") == [split]
    excluded = by_path(manifest.exclusions, tmp_path)
    assert {p: r["rule"] for p, r in excluded.items()} == {its_mask: ExclusionRule.MASK_OF_AN_IMAGE}


@pytest.mark.parametrize(
    "its_mask",
    ["a_gt.png", "a_seg.png", "a_segmentation.png", "labels/a.png", "annotations/a.png",
     "ground_truth/a.png", "GT/a.png"],
)  # fmt: skip
def test_other_words_for_masks_are_known(tmp_path: Path, its_mask: str) -> None:
    write_image(tmp_path / "a.png")
    write_image(tmp_path / its_mask, mask(255))
    assert masks_of(read(PairsReader, tmp_path), tmp_path) == {"a.png": [its_mask]}


def test_several_masks_of_an_image_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    numbered = [f"a_mask_{k}.png" for k in (1, 2, 10)]
    write_tree(tmp_path, "a.png", "a_mask.png", *numbered)
    assert masks_of(read(PairsReader, tmp_path), tmp_path) == {"a.png": ["a_mask.png", *numbered]}


def test_words_and_folders_that_say_mask_are_settings(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "a_lesion.png", mask(255))
    write_image(tmp_path / "b.png")
    write_image(tmp_path / "truth" / "b.png", mask(255))
    pairs = PairsConfig(mask_suffixes=["lesion"], mask_folders=["truth"])
    found = masks_of(read(PairsReader, tmp_path, DataConfig(pairs=pairs)), tmp_path)
    assert found == {"a.png": ["a_lesion.png"], "b.png": ["truth/b.png"]}


def test_an_image_without_a_mask_is_a_row_and_a_preview_is_not(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        "images/a.png",
        "masks/a.png",
        "images/b.png",
        "test/images/c.png",
        "overlay/a.png",
    )
    manifest = read(PairsReader, tmp_path)
    assert masks_of(manifest, tmp_path) == {
        "images/a.png": ["masks/a.png"],
        "images/b.png": None,
        "test/images/c.png": None,
    }
    assert by_path(manifest.exclusions, tmp_path)["overlay/a.png"]["rule"] == "not-in-layout"


def test_a_mask_without_its_image_is_rejected(tmp_path: Path) -> None:
    write_tree(tmp_path, "images/a.png", "masks/a.png", "masks/b.png")
    manifest = read(PairsReader, tmp_path)
    rejected = by_path(manifest.rejections, tmp_path)
    assert {p: r["reason"] for p, r in rejected.items()} == {
        "masks/b.png": RejectionReason.MASK_WITHOUT_IMAGE
    }


@pytest.mark.parametrize(
    ("paths", "rejected"),
    [
        (["a.png", "a.jpg", "a_mask.png"], {"a.png", "a.jpg", "a_mask.png"}),
        (["a.png", "masks/a.png", "masks/a.bmp"], {"a.png", "masks/a.png", "masks/a.bmp"}),
        (["x/a.png", "y/a.png", "masks/a.png"], {"x/a.png", "y/a.png", "masks/a.png"}),
    ],
)  # fmt: skip
def test_what_could_be_paired_in_two_ways_is_rejected_as_a_whole(
    tmp_path: Path, paths: list[str], rejected: set[str]
) -> None:
    write_tree(tmp_path, *paths, "images/z.png", "masks/z.png")
    manifest = read(PairsReader, tmp_path)
    assert set(by_path(manifest.rejections, tmp_path)) == rejected
    assert set(column(manifest.rejections, "reason")) == {RejectionReason.AMBIGUOUS_FILE}
    assert masks_of(manifest, tmp_path) == {"images/z.png": ["masks/z.png"]}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((255,), (255,), [255]),
        ((1,), (1,), [1]),
        ((1, 2), (2,), [1, 2]),
        ((128,), (255,), [128, 255]),
        ((), (255,), [255]),
        ((), (), None),
    ],
)
def test_classes_are_the_gray_values_of_all_masks_and_alike_on_every_row(
    tmp_path: Path,
    first: tuple[int, ...],
    second: tuple[int, ...],
    expected: list[int] | None,
) -> None:
    write_tree(tmp_path, "images/a.png", "images/b.png", "images/c.png")
    write_image(tmp_path / "masks" / "a.png", mask(*first))
    write_image(tmp_path / "masks" / "b.png", mask(*second))
    assert column(read(PairsReader, tmp_path).rows, "mask_values") == [expected] * 3


def test_masks_of_16_bits_keep_their_values(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    write_image(tmp_path / "a_mask.png", mask(65535, dtype=np.uint16))
    assert column(read(PairsReader, tmp_path).rows, "mask_values") == [[65535]]


def test_jpeg_masks_have_no_exact_values_and_do_not_spoil_those_of_others(tmp_path: Path) -> None:
    write_tree(tmp_path, "images/a.png", "images/b.png")
    pixels = np.zeros((64, 64), np.uint8)
    cv2.circle(pixels, (30, 30), 11, 255, cv2.FILLED)
    write_image(tmp_path / "masks" / "a.jpg", pixels)
    write_image(tmp_path / "masks" / "b.png", mask(1))
    rows = by_path(read(PairsReader, tmp_path).rows, tmp_path)
    assert rows["images/a.png"]["mask_values"] is None
    assert rows["images/b.png"]["mask_values"] == [1]


def test_masks_with_smooth_edges_are_thresholded(tmp_path: Path) -> None:
    write_tree(tmp_path, "images/a.png", "images/b.png")
    smooth = cv2.GaussianBlur(mask(255), (0, 0), 3)
    write_image(tmp_path / "masks" / "a.png", smooth)
    write_image(tmp_path / "masks" / "b.png", mask(255))
    assert column(read(PairsReader, tmp_path).rows, "mask_values") == [None, None]


def test_an_image_is_rejected_with_its_unreadable_mask(tmp_path: Path) -> None:
    write_tree(tmp_path, "a.png", "a_mask.png", "a_mask_1.png", "b.png", "b_mask.png")
    content = (tmp_path / "a_mask_1.png").read_bytes()
    (tmp_path / "a_mask_1.png").write_bytes(content[: len(content) // 2])
    manifest = read(PairsReader, tmp_path)
    assert set(by_path(manifest.rejections, tmp_path)) == {"a.png", "a_mask_1.png"}
    assert len(set(column(manifest.rejections, "reason"))) == 1
    assert set(by_path(manifest.rows, tmp_path)) == {"b.png"}


def test_images_and_masks_share_the_patient_of_the_file_name(tmp_path: Path) -> None:
    write_tree(tmp_path, "images/a.png", "masks/a_mask.png")
    manifest = read(PairsReader, tmp_path)
    assert column(manifest.rows, "patient_id") == column(manifest.exclusions, "patient_id") == ["a"]
    assert column(manifest.rows, "cancer") == [None]


def test_a_pattern_tells_women_and_an_image_that_it_does_not_fit_is_rejected(
    tmp_path: Path,
) -> None:
    write_tree(tmp_path, "P1_L.png", "P1_L_mask.png", "x.png", "x_mask.png")
    pairs = PairsConfig(pattern=r"(?P<patient_id>P\d)_(?P<laterality>[LR])\.")
    manifest = read(PairsReader, tmp_path, DataConfig(pairs=pairs))
    (row,) = manifest.rows.to_pylist()
    assert (row["patient_id"], row["laterality"]) == ("P1", "L")
    assert set(by_path(manifest.rejections, tmp_path)) == {"x.png"}
    assert set(by_path(manifest.exclusions, tmp_path)) == {"P1_L_mask.png", "x_mask.png"}


def test_documents_are_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, "images/a.png", "masks/a.png")
    (tmp_path / "_classes.csv").write_text("0, lesion", encoding="utf-8")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1", encoding="utf-8")
    excluded = by_path(read(PairsReader, tmp_path).exclusions, tmp_path)
    assert excluded["_classes.csv"]["rule"] == ExclusionRule.NOT_AN_IMAGE
    assert excluded["labels/a.txt"]["rule"] == ExclusionRule.NOT_AN_IMAGE


def test_a_folder_without_pairs_says_what_was_expected(tmp_path: Path) -> None:
    write_tree(tmp_path, "x/a.png")
    with pytest.raises(InputError, match=r"images with masks were expected.*seen: x"):
        PairsReader(source_of(tmp_path))
    write_tree(tmp_path, "masks/b.png")
    with pytest.raises(InputError, match="1 masks were found, and none has the name of an image"):
        PairsReader(source_of(tmp_path))


def test_ids_rest_on_paths_below_the_root(tmp_path: Path) -> None:
    write_tree(tmp_path / "here", "a.png", "a_mask.png")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = (read(PairsReader, tmp_path / name) for name in ("here", "there"))
    assert column(here.rows, "image_id") == column(there.rows, "image_id")


def test_without_opening_files_masks_are_paired_and_their_values_unknown(tmp_path: Path) -> None:
    write_tree(tmp_path, "a.png", "a_mask.png")
    manifest = read(PairsReader, tmp_path, tables_only=True)
    assert masks_of(manifest, tmp_path) == {"a.png": ["a_mask.png"]}
    assert column(manifest.rows, "mask_values") == [None]
