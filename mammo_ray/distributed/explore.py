"""A look at a data set: counts, missing values and sample images with their masks, as one page."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.dicom.sandbox import shared_sandbox
from mammo_ray.distributed.manifest import locate_manifest, manifest_digest
from mammo_ray.distributed.progress import follow
from mammo_ray.errors import InputError
from mammo_ray.reports.explore import explore_columns, write_exploration
from mammo_ray.reports.explore_samples import (
    SAMPLE_COLUMNS,
    Sample,
    choose_samples,
    sample_config,
    sample_of,
)
from mammo_ray.run_record import RunRecord

_CHOSEN_BY = ["image_id", "patient_id", "pathology", "cancer", "kind"]
_DRAWN = ["mask_uris", "outlines"]


def explore_manifest(manifest: str, out: str, config: Config) -> RunRecord:
    """Write `index.html` and CSV files about a manifest.

    Args:
        manifest: the file or its folder.
        out: the folder.
        config: `report.samples` images a class are shown, decoded and prepared as it says.

    Raises:
        InputError: no manifest, or an empty one.
        UsageError: `out` holds the result of another command.
        StorageError: storage failed.
    """
    record = RunRecord("explore", config)
    run_record.claim_folder(out, "explore")
    uri, _ = locate_manifest(manifest)
    explored = explore_columns(partial(storage.read_table, uri))
    if not explored.images:
        raise InputError(f"{uri} has no rows: there is nothing to explore")
    samples = _samples(uri, config)
    record.outputs = {
        name.replace(".", "_"): name for name in write_exploration(out, explored, samples)
    }
    record.inputs = {"manifest": manifest_digest(uri)}
    record.counts = {
        "rows": explored.images,
        "women": explored.women,
        "positive": explored.positive,
        "samples": len(samples),
        "samples_rejected": sum(sample.picture is None for sample in samples),
    }
    record.write(out)
    return record


def _samples(uri: str, config: Config) -> list[Sample]:
    """Sample images of every class, decoded here: they are few."""
    rows = storage.read_table(uri, _CHOSEN_BY).to_pandas()
    chosen = choose_samples(rows.assign(drawn=_drawn(uri)), config.report.samples)
    groups = dict(zip(chosen["image_id"], chosen["group"], strict=True))
    found = {row["image_id"]: row for row in _rows_of(uri, list(groups)).to_pylist()}
    limits = config.decode
    sandbox = shared_sandbox(limits.memory_megabytes) if limits.sandbox else None
    settings = sample_config(config)
    return [
        sample_of(found[image_id], str(groups[image_id]), settings, sandbox)
        for image_id in follow(groups, len(groups), "explore", "image")
    ]


def _drawn(uri: str) -> npt.NDArray[np.bool_]:
    """Whether something is drawn on the image of each row; a null entry draws nothing."""
    columns = [storage.read_table(uri, [name]).column(name) for name in _DRAWN]
    return np.logical_or(*(np.concatenate(_chunks_drawn(column)) for column in columns))


def _chunks_drawn(column: pa.ChunkedArray) -> list[npt.NDArray[np.bool_]]:
    found = [np.zeros(0, np.bool_)]
    for chunk in column.chunks:
        drawn = np.zeros(len(chunk), np.bool_)
        valid = pc.list_flatten(chunk).is_valid().to_numpy(zero_copy_only=False)
        drawn[pc.list_parent_indices(chunk).to_numpy()[valid]] = True
        found.append(drawn)
    return found


def _rows_of(uri: str, image_ids: list[str]) -> pa.Table:
    """The rows of some images; only row groups that can hold them are read."""
    filesystem, path = storage.filesystem_of(uri)
    wanted = pc.field("image_id").isin(pa.array(image_ids, pa.string()))
    return pq.read_table(path, columns=SAMPLE_COLUMNS, filesystem=filesystem, filters=wanted)
