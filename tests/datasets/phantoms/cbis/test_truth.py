"""Path fixing of CBIS-DDSM judged by its phantoms: the readers find every file of the truth."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mammo_ray.datasets.cbis_ddsm import CbisDdsmReader
from mammo_ray.datasets.cbis_ddsm_kaggle import CbisDdsmKaggleReader
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.phantoms.cbis_ddsm import write_cbis_ddsm_phantom
from mammo_ray.datasets.phantoms.cbis_ddsm_kaggle import write_cbis_ddsm_kaggle_phantom
from mammo_ray.datasets.phantoms.folder import PhantomCounts, PhantomRequest, truth_path
from mammo_ray.datasets.source import Reader, Source
from tests.datasets.reading import read

_Write = Callable[[Path, PhantomRequest], PhantomCounts]
_Make = Callable[[Source], Reader]
_Row = dict[str, Any]

EDITIONS = pytest.mark.parametrize(
    ("write", "make"),
    [
        pytest.param(write_cbis_ddsm_phantom, CbisDdsmReader, id="dicom"),
        pytest.param(write_cbis_ddsm_kaggle_phantom, CbisDdsmKaggleReader, id="jpeg"),
    ],
)


@EDITIONS
def test_every_file_of_an_invented_phantom_is_what_its_truth_says(
    write: _Write, make: _Make, tmp_path: Path
) -> None:
    request = PhantomRequest(rows=200, seed=6, swapped=21, cancer_share=0.4, processes=1)
    counts = write(tmp_path / "cbis", request)
    manifest = read(make, tmp_path / "cbis")
    assert manifest.rows.num_rows == counts.images
    expect_truth(manifest, tmp_path / "cbis")


@EDITIONS
def test_all_of_300_real_rows_with_30_swapped_are_resolved_right(
    write: _Write, make: _Make, tmp_path: Path, real_data: Path
) -> None:
    request = PhantomRequest(300, 0, real_data / "cbis_ddsm", swapped=30, processes=1)
    write(tmp_path / "cbis", request)
    truth = expect_truth(read(make, tmp_path / "cbis"), tmp_path / "cbis")
    assert truth["row"].nunique() == 300
    assert truth[truth["trap"].str.contains("swapped")]["row"].nunique() == 30


def expect_truth(manifest: Manifest, root: Path) -> pd.DataFrame:
    """The truth of a phantom, after every path, label and reason in its manifest is its own."""
    truth = pd.read_csv(truth_path(root), keep_default_na=False)
    there = truth[truth["path"] != ""]
    rows = [_row(row, root) for row in manifest.rows.to_pylist()]
    found = pd.DataFrame(rows).sort_values("path", ignore_index=True)
    columns = [
        "path", "kind", "patient_id", "laterality", "view_position", "cancer", "split",
    ]  # fmt: skip
    images = there[there["role"] != "mask"].drop_duplicates("path")
    pd.testing.assert_frame_equal(
        found[columns], images[columns].sort_values("path", ignore_index=True)
    )
    assert _lesion_files(rows, root) == _true_lesion_files(truth)
    parents = {row["image_id"]: row["path"] for row in rows}
    full = truth[truth["role"] == "full"].set_index("row")["path"]
    crops = there[there["role"] == "crop"].set_index("path")["row"].map(full).to_dict()
    assert {
        row["path"]: parents[row["parent_image_id"]] for row in rows if row["kind"] == "crop"
    } == crops
    masks = set(there[there["role"] == "mask"]["path"])
    excluded = {_below(row["uri"], root): row["rule"] for row in manifest.exclusions.to_pylist()}
    assert {path for path, rule in excluded.items() if rule == "mask-of-an-image"} == masks
    assert set(excluded.values()) == {"mask-of-an-image", "not-an-image"}
    reasons = [row["reason"] for row in manifest.rejections.to_pylist()]
    assert reasons.count("missing-file") == (truth["path"] == "").sum()
    assert set(reasons) <= {"missing-file", "not-in-table"}
    return truth


def _row(row: _Row, root: Path) -> _Row:
    return {**row, "path": _below(row["uri"], root)}


def _below(uri: object, root: Path) -> str:
    return Path(str(uri)).relative_to(root).as_posix()


def _lesion_files(rows: list[_Row], root: Path) -> set[tuple[str, str, str]]:
    """Full film, crop and mask of every lesion; empty where there is none."""
    return {
        (row["path"], *(_below(uri, root) if uri else "" for uri in files))
        for row in rows
        if row["kind"] == "full"
        for files in zip(row["roi_uris"], row["mask_uris"], strict=True)
    }


def _true_lesion_files(truth: pd.DataFrame) -> set[tuple[str, str, str]]:
    wide = truth.pivot(index="row", columns="role", values="path")
    return set(zip(wide["full"], wide["crop"], wide["mask"], strict=True))
