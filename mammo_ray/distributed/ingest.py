"""Preparation of a whole manifest: decode, gray levels, crop, orient and resize, into parts."""

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.datasets.checks.certificate import certificate_words, read_certificate
from mammo_ray.distributed.lease import hold_lease
from mammo_ray.distributed.manifest import build_manifest, count_rows, locate_manifest
from mammo_ray.distributed.origin import Origin
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
        UsageError: another driver works on `out`.
    """
    record = RunRecord("prepare", config)
    run_record.claim_folder(out, "prepare")
    uri, folder = locate_manifest(manifest)
    if count_rows(uri) == 0:
        raise InputError(f"{uri} has no rows: there is nothing to prepare")
    with hold_lease(out):
        run_planned(PlannedWork("prepare", uri, config, out, PREPARED), record, address)
        record.details["data_certificate"] = certificate_words(read_certificate(uri))
        return record, close_run(record, folder, out)


def ingest_data_set(
    origin: Origin, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Manifest and preparation in one: `out/manifest` and `out/prepared`."""
    manifest, prepared = storage.join(out, "manifest"), storage.join(out, "prepared")
    run_record.claim_folder(prepared, "prepare")
    _, code = build_manifest(origin, config, manifest, address)
    record, prepared_code = prepare_archive(manifest, config, prepared, address)
    return record, prepared_code or code
