"""Preparation of a whole manifest: decode, gray levels, crop, orient and resize, into parts."""

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.distributed.manifest import build_manifest, count_rows, locate_manifest
from mammo_ray.distributed.planned_run import PlannedWork, close_run, run_planned
from mammo_ray.errors import InputError
from mammo_ray.run_record import RunRecord
from mammo_ray.schema import PREPARED


def prepare_archive(
    manifest: str, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Prepare every image of a manifest; a second start does only what is missing.

    Args:
        manifest: the file or its folder.
        config: decode and preprocess sections decide the pixels.
        out: folder of the parts.
        address: of a Ray cluster; None: a local Ray.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected.

    Raises:
        InputError: no manifest, or an empty one.
        PlanMismatch: `out` was planned from another manifest or configuration.
    """
    record = RunRecord("prepare", config)
    run_record.claim_folder(out, "prepare")
    uri, folder = locate_manifest(manifest)
    if count_rows(uri) == 0:
        raise InputError(f"{uri} has no rows: there is nothing to prepare")
    run_planned(PlannedWork("prepare", uri, config, out, PREPARED), record, address)
    return record, close_run(record, folder, out)


def ingest_archive(
    root: str, outcomes: str | None, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Manifest and preparation in one: `out/manifest` and `out/prepared`."""
    manifest, prepared = storage.join(out, "manifest"), storage.join(out, "prepared")
    run_record.claim_folder(prepared, "prepare")
    build_manifest(root, outcomes, config, manifest, address)
    return prepare_archive(manifest, config, prepared, address)
