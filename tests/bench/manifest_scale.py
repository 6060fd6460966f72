"""A manifest of a million images, from tables alone: read, split into five folds, and checked.

The manifest is drawn in one process; another one reads, splits and checks it, so that its time and
its peak memory (resource.getrusage) are those of the two commands alone, imports included.

    python -m tests.bench.manifest_scale --images 1000000
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.schema import MANIFEST

_VIEWS = [("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]
_MACHINES = ["21", "29", "48", "49", "93", "170", "190", "197", "210", "216"]
_SECONDS, _GIGABYTES = 120, 2.0


def main() -> None:
    """Print seconds of every step and the peak memory, and whether both keep within the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--measure", help="only read, split and check the manifest in this folder")
    options = parser.parse_args()
    if options.measure:
        _measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_manifest(folder, options.images)
        command = [sys.executable, "-m", "tests.bench.manifest_scale", "--measure", folder]
        started = time.perf_counter()
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - started
    print(said.stdout, end="")
    peak = json.loads(said.stdout.splitlines()[-1])["peak_gigabytes"]
    print(f"in all {seconds:.1f} s of {_SECONDS} s allowed, {peak:.2f} GB of {_GIGABYTES} GB")
    if seconds > _SECONDS or peak > _GIGABYTES:
        sys.exit(1)


def write_manifest(folder: str, images: int, seed: int = 0) -> None:
    """A manifest like that of RSNA, four or more images a woman, 2 % of the images with cancer."""
    rows = _rows(images, np.random.default_rng(seed))
    digest = storage.table_digest(rows)
    metadata = {**(rows.schema.metadata or {}), b"manifest_digest": digest.encode(), b"root": b""}
    stamped = rows.replace_schema_metadata(metadata)
    storage.write_table(storage.join(folder, "manifest.parquet"), stamped, row_group_size=5_000)
    run_record.mark_success(folder, {"seen": images, "rows": images})


def _rows(images: int, random: np.random.Generator) -> pa.Table:
    women = -(-images // 4)
    woman = np.arange(images) % women
    view = np.arange(images) // women
    cancer_side = np.where(random.random(women) < 0.04, random.integers(0, 2, women), -1)
    side = np.array([0, 0, 1, 1])[view]
    cancer = (cancer_side[woman] == side).astype(np.int8)
    birads = np.where(random.random(images) < 0.3, random.integers(0, 3, images), -1)
    ids = [f"img-{number:024x}" for number in range(images)]

    def words(choices: list[str], index: np.ndarray) -> pa.Array:
        known = pa.array(np.maximum(index, 0), mask=index < 0)
        return pa.DictionaryArray.from_arrays(known, pa.array(choices)).cast(pa.string())

    women_ids = [f"{10_006 + number}" for number in range(women)]
    densities = ["A", "B", "C", "D"]
    filled = {
        "image_id": pa.array(ids),
        "uri": pa.array([f"/data/rsna/train_images/{w}/{i}.dcm" for i, w in enumerate(woman)]),
        "patient_id": words(women_ids, woman),
        "laterality": words(["L", "R"], side),
        "view_position": words([view for _, view in _VIEWS], view),
        "kind": words(["full"], np.zeros(images, dtype=np.int64)),
        "image_kind": words(["ffdm"], np.zeros(images, dtype=np.int64)),
        "split": words(["train", "test"], (random.random(women) < 0.2).astype(np.int64)[woman]),
        "cancer": pa.array(cancer),
        "label_level": words(["breast"], np.zeros(images, dtype=np.int64)),
        "label_source": words(["pathology"], np.zeros(images, dtype=np.int64)),
        "birads": words(["0", "1", "2"], birads),
        "density": words(densities, random.integers(-1, 4, women)[woman]),
        "age": pa.array(random.integers(40, 80, women)[woman].astype(np.float32)),
        "implant": pa.array((random.random(women) < 0.03)[woman]),
        "biopsy": pa.array((cancer == 1) | (random.random(images) < 0.03)),
        "invasive": pa.array((cancer == 1) & (random.random(images) < 0.7)),
        "difficult_negative": pa.array(random.random(images) < 0.1),
        "site": words(["1", "2"], random.integers(0, 2, women)[woman]),
        "model_name": words(_MACHINES, random.integers(0, len(_MACHINES), women)[woman]),
        "bytes": pa.array(random.integers(4_000_000, 30_000_000, images)),
    }
    columns = [
        filled[field.name].cast(field.type)
        if field.name in filled
        else pa.nulls(images, field.type)
        for field in MANIFEST
    ]
    return pa.table(columns, schema=MANIFEST)


def _measure(folder: str) -> None:
    from mammo_ray.config import load_config
    from mammo_ray.distributed.check import check_manifest
    from mammo_ray.distributed.split import SplitOptions, write_split

    config, seconds = load_config("default"), {}
    out = str(Path(folder) / "folds.csv")
    started = time.perf_counter()
    record = write_split(folder, out, SplitOptions(kind="folds", include_test=True), config)
    seconds["read, split into 5 folds, write"] = time.perf_counter() - started
    print(record.details["summary"])
    started = time.perf_counter()
    checked, code = check_manifest(folder, config)
    seconds["read, check, certify"] = time.perf_counter() - started
    print(checked.details["table"], f"exit code {code}", sep="\n")
    for step, taken in seconds.items():
        print(f"{taken:6.1f} s  {step}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"peak_gigabytes": peak}))


if __name__ == "__main__":
    main()
