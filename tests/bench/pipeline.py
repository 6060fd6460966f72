"""Preparation on Ray Data against a bare process pool over the same function, in one run.

The baseline is what a careful script would do on one machine: a pool of as many processes as CPUs,
each preparing one image at a time without a sandbox, results kept in memory. The ratio says what
plans, parts, sandbox and Ray cost together. Start-up is left out on both sides.

    python -m tests.bench.pipeline --women 60 --repeats 3
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from mammo_ray import storage
from mammo_ray.config import Config, load_config
from mammo_ray.distributed.environment import prepare_environment
from mammo_ray.preprocess.pipeline import prepare_file


def main() -> None:
    """Measure both sides in turns and print images a second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--women", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    prepare_environment(None)
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.women, options.repeats)


def _measure(folder: Path, women: int, repeats: int) -> None:
    from mammo_ray.datasets.phantoms.archive import write_phantom_archive
    from mammo_ray.distributed.manifest import build_manifest
    from mammo_ray.distributed.origin import Origin
    from mammo_ray.distributed.session import ray_session
    from mammo_ray.schema import Layout

    config = load_config("default")
    write_phantom_archive(folder / "archive", women, seed=1)
    build_manifest(
        Origin(Layout.ARCHIVE, str(folder / "archive")), config, str(folder / "manifest")
    )
    rows = storage.read_table(str(folder / "manifest" / "manifest.parquet")).to_pylist()
    rates: dict[str, list[float]] = {"pool": [], "ray": []}
    with ray_session():
        _on_ray(folder, config, "warm-up")
        for repeat in range(repeats):
            rates["pool"].append(_in_a_pool(rows, config))
            rates["ray"].append(_on_ray(folder, config, str(repeat)))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{len(rows)} images, {os.cpu_count()} CPUs, {repeats} repeats, medians")
    for name, values in rates.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:>5}: {medians[name]:6.1f} images/s ({spread})")
    ratio = medians["ray"] / medians["pool"]
    print(f"ratio: {ratio:.2f} of the bare process pool (1.00 = no cost)")


def _in_a_pool(rows: list[dict[str, str]], config: Config) -> float:
    work = partial(_prepare_one, config=config)
    pairs = [(row["uri"], row["laterality"]) for row in rows]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        list(pool.map(work, pairs[:4]))
        started = time.perf_counter()
        assert sum(pool.map(work, pairs, chunksize=8)) > 0
        return len(rows) / (time.perf_counter() - started)


def _prepare_one(pair: tuple[str, str | None], config: Config) -> int:
    return prepare_file(*pair, config, sandbox=None).pixels.size


def _on_ray(folder: Path, config: Config, name: str) -> float:
    from mammo_ray.distributed.ingest import prepare_archive

    record, _ = prepare_archive(str(folder / "manifest"), config, str(folder / f"prepared-{name}"))
    return record.counts["done"] / record.timings["prepare_seconds"]


if __name__ == "__main__":
    main()
