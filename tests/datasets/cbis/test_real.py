"""The real case tables with the real file names of the JPEG edition."""

import time
from pathlib import Path

import pyarrow.compute as pc
import pytest

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.datasets.cbis_ddsm_kaggle import CbisDdsmKaggleReader
from mammo_ray.datasets.examine import Examination, examine_files
from mammo_ray.datasets.listing import read_listing
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import FileIndex, Source

MISSING = "1.3.6.1.4.1.9590.100.1.2.348822970413183698610798947061334416506"


@pytest.fixture(scope="module")
def source(real_data: Path) -> Source:
    folder = str(real_data / "cbis_ddsm")
    names = read_listing(f"{folder}/kaggle_jpeg_tree.csv", "jpeg", sizes_needed=False)
    tables = FileIndex(tuple(storage.list_files(folder)))
    return Source("jpeg", FileIndex(tuple(names)), "cbis", "key", tables, tables_only=True)


@pytest.fixture(scope="module")
def finished(source: Source) -> tuple[CbisDdsmKaggleReader, Manifest, float]:
    start = time.process_time()
    reader = CbisDdsmKaggleReader(source)
    how = Examination("cbis", "key", Config(recipe="test"), opened=False)
    requests = list(reader.requests())
    used = time.process_time() - start
    examined = examine_files(requests, how)
    start = time.process_time()
    manifest = reader.finish(examined)
    return reader, manifest, used + time.process_time() - start


def test_all_films_resolve_and_all_pairs_but_one_need_pixels(
    finished: tuple[CbisDdsmKaggleReader, Manifest, float],
) -> None:
    said = finished[0].statement()
    pair = {"named": 3568, "resolved": 0, "needed_pixels": 3567, "missing": 1, "ambiguous": 0}
    film = {"named": 3103, "resolved": 3103, "needed_pixels": 0, "missing": 0, "ambiguous": 0}
    assert said["paths"] == {"full": film, "crop": pair, "mask": pair}
    assert said["missing_series"] == [MISSING]


def test_every_listed_file_is_accounted_for(
    finished: tuple[CbisDdsmKaggleReader, Manifest, float],
) -> None:
    _, manifest, _ = finished
    reasons = pc.value_counts(manifest.rejections["reason"]).to_pylist()
    counts = {row["values"]: row["counts"] for row in reasons}
    assert counts == {"ambiguous-file": 7134, "missing-file": 2}
    assert (manifest.rows.num_rows, manifest.exclusions.num_rows) == (3103, 0)
    missing = manifest.rejections.filter(pc.equal(manifest.rejections["reason"], "missing-file"))
    assert all(MISSING in uri for uri in missing["uri"].to_pylist())


def test_the_official_splits_share_31_patients_and_29_films(
    finished: tuple[CbisDdsmKaggleReader, Manifest, float],
) -> None:
    rows = finished[1].rows.to_pandas()
    assert rows["patient_id"].nunique() == 1566
    assert (rows.groupby("patient_id")["split"].nunique() > 1).sum() == 31
    assert (rows.groupby("film_id")["split"].nunique() > 1).sum() == 29
    assert len(rows) - rows["film_id"].nunique() == 71


def test_labels_are_those_of_the_tables(
    finished: tuple[CbisDdsmKaggleReader, Manifest, float],
) -> None:
    rows = finished[1].rows.to_pandas()
    lesions = rows["abnormalities"].map(len)
    assert lesions.sum() == 3568
    assert rows["cancer"].sum() == 1391  # 16 films have cancer in one of their two tables
    assert (rows["label_source"] == "follow-up").sum() == 392
    assert (rows["cancer"] == (rows["pathology"] == "MALIGNANT")).all()


def test_the_real_rows_take_less_than_two_seconds(
    finished: tuple[CbisDdsmKaggleReader, Manifest, float],
) -> None:
    assert finished[2] < 2
