"""Phantoms of the layout `rsna`: their quirks, and that reading them gives their truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from mammo_ray.config import Config
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.phantoms.folder import PhantomRequest, truth_path
from mammo_ray.datasets.phantoms.rsna import views_of, write_rsna_phantom, write_rsna_table
from mammo_ray.datasets.phantoms.women import plan_woman
from mammo_ray.datasets.rsna import RsnaReader
from mammo_ray.dicom.decode import decode_image
from mammo_ray.errors import InputError
from tests.datasets.phantoms.display import displayed
from tests.datasets.reading import by_path, read

ROWS = 44


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "rsna"
    counts = write_rsna_phantom(out, PhantomRequest(ROWS, seed=2))
    assert (counts.images, counts.women) == (ROWS, 10)
    return out


@pytest.fixture(scope="module")
def manifest(root: Path) -> Manifest:
    return read(RsnaReader, root)


@pytest.fixture(scope="module")
def truth(root: Path) -> pd.DataFrame:
    return pd.read_csv(truth_path(root), dtype={"patient_id": str}).set_index("path")


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_reading_gives_the_truth(root: Path, manifest: Manifest, truth: pd.DataFrame) -> None:
    assert (manifest.rows.num_rows, manifest.rejections.num_rows) == (ROWS, 0)
    rows = by_path(manifest.rows, root)
    assert set(rows) == set(truth.index)
    for path, said in truth.iterrows():
        row = rows[str(path)]
        for name in ("patient_id", "laterality", "view_position", "cancer", "kind"):
            assert row[name] == said[name]
        assert row["site"] == str(said["site"])
    assert 0 < truth["cancer"].sum() < ROWS


def test_headers_lack_what_the_publisher_took_out(root: Path, truth: pd.DataFrame) -> None:
    syntaxes = set()
    for path, said in truth.iterrows():
        header = pydicom.dcmread(root / str(path), stop_before_pixels=True)
        for keyword in ("Modality", "ViewPosition", "ViewCodeSequence", "Manufacturer"):
            assert keyword not in header
        assert header.PatientID == said["patient_id"]
        assert header.ImageLaterality == said["laterality"]
        syntaxes.add(str(header.file_meta.TransferSyntaxUID))
        if said["line"]:
            assert header.PhotometricInterpretation == "MONOCHROME1"
            assert (header.BitsStored, header.VOILUTFunction) == (16, "SIGMOID")
            assert len(header.WindowCenter) == 4
    assert syntaxes == {"1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"}


def test_boxed_frames_decode_and_one_image_is_all_zeros(root: Path, truth: pd.DataFrame) -> None:
    config = Config(recipe="test").decode
    assert truth["boxed"].any()
    assert truth["blank"].sum() == 1
    for path, said in truth.iterrows():
        data = (root / str(path)).read_bytes()
        assert (b"jP  \r\n\x87\n" in data) == bool(said["boxed"])
        stored = decode_image(data, config).stored
        assert (stored.max() == stored.min() == 0) == bool(said["blank"])


def test_a_bright_line_runs_beside_the_breast_of_one_machine(
    root: Path, truth: pd.DataFrame
) -> None:
    lined = truth[truth["line"].eq(1) & truth["blank"].eq(0)]
    assert len(lined) > 0
    for path, said in lined.iterrows():
        level = displayed(root / str(path))
        beside = level if said["laterality"] == "L" else level[:, ::-1]
        assert np.median(beside[:, -8]) > 0.9  # away from the chest wall
        assert np.median(beside[:, -20]) < 0.2


def test_the_table_has_the_gaps_and_the_views_of_the_real_one(root: Path) -> None:
    views = {plan.view for k in range(28) for plan in views_of(plan_woman(2, k, 0.25))}
    assert views == {"CC", "MLO", "AT", "ML", "LM", "LMO"}
    table = pd.read_csv(root / "train.csv", dtype=str, keep_default_na=False)
    assert not {"CC", "MLO"} >= set(table["view"])
    assert set(table.loc[table["site_id"] == "2", "BIRADS"]) == {""}
    assert "" not in set(table.loc[table["site_id"] == "1", "BIRADS"])
    assert "" in set(table["age"])
    assert table.groupby(["patient_id", "laterality", "view"]).size().max() == 2
    assert set(table.loc[table["cancer"] == "1", "biopsy"]) == {"1"}
    assert "True" in set(table["difficult_negative_case"])


def test_the_same_seed_gives_the_same_bytes_whatever_the_processes(
    root: Path, tmp_path: Path
) -> None:
    write_rsna_phantom(tmp_path / "again", PhantomRequest(ROWS, seed=2, processes=1))
    assert content(tmp_path / "again") == content(root)
    write_rsna_phantom(tmp_path / "other", PhantomRequest(4, seed=3))
    assert not set(content(tmp_path / "other")) & (set(content(root)) - {"train.csv"})


def test_a_table_alone_repeats_itself_and_has_its_share_of_cancers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_rsna_table(tmp_path / name, 20_000, seed=5)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    table = pd.read_csv(tmp_path / "a" / "train.csv")
    assert len(table) == 20_000
    assert table["image_id"].is_unique
    assert table["patient_id"].nunique() == 5_000
    assert table["cancer"].mean() == pytest.approx(0.02, abs=0.005)
    with pytest.raises(InputError, match="at least 1 row"):
        write_rsna_table(tmp_path / "c", 0)
