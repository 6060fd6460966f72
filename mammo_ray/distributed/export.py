"""The images of a manifest as files with names that people read, and masks beside them."""

import time
from functools import partial

import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.datasets.export_names import template_fields
from mammo_ray.distributed.export_images import require_format
from mammo_ray.distributed.export_plan import (
    export_digests,
    open_export,
    plan_files,
    remove_leftovers,
)
from mammo_ray.distributed.export_tasks import (
    ExportJob,
    export_files,
    export_packed,
    pack,
    unpack,
)
from mammo_ray.distributed.manifest import locate_manifest
from mammo_ray.distributed.progress import follow
from mammo_ray.distributed.session import cluster_cpus, ray_session
from mammo_ray.errors import InputError, UsageError
from mammo_ray.run_record import RunRecord, judge_share
from mammo_ray.schema import MANIFEST, REJECTIONS, Kind

# Below this many files one process is quicker than a start of Ray.
_FILES_FOR_RAY = 200
_FILES_PER_TASK = 256
_TASKS_PER_CPU = 8
_ARCHIVE_COLUMNS = [name for name in MANIFEST.names if name not in ("abnormalities", "outlines")]


def export_manifest(
    manifest: str,
    to: str,
    file_format: str,
    name: str,
    config: Config,
    address: str | None = None,
) -> tuple[RunRecord, int]:
    """Write every image of a manifest, full films and crops, and every mask, under new names.

    `{patient_id}` in the template puts patient ids into file names: such a folder is patient data
    by its listing alone. The plan, the faults (`rejections.parquet`), `files.parquet` and the run
    record lie in `TO.export`. A second start does only what is missing.

    Args:
        manifest: the file or its folder.
        to: folder or `s3://` prefix, empty or begun by the same export.
        file_format: `dcm`: DICOM files byte for byte, image files as Secondary Capture; `png16`:
            16 bits, scaled by nominal bits; `jpg`: 8 bits, quality 95. Masks are PNG (0 and 255,
            or class numbers) but for `dcm`.
        name: template such as `{patient_id}_{laterality}_{view_position}_{kind}`.
        config: section `decode` is used, and the allowed share of rejections.
        address: of a Ray cluster; used where the files are many.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected.

    Raises:
        InputError: no manifest, or an empty one.
        UsageError: not a template or a format, or `to` lies in the archive or holds something else.
        PlanMismatch: `to` was begun from another manifest, template or format.
        StorageError: storage failed; no image is blamed.
    """
    record = RunRecord("export", config)
    template_fields(name)
    chosen = require_format(file_format)
    uri, _ = locate_manifest(manifest)
    to, book = storage.absolute(to), f"{storage.absolute(to).rstrip('/')}.export"
    run_record.claim_folder(book, "export")
    rows = storage.read_table(uri, columns=_ARCHIVE_COLUMNS)
    if not rows.num_rows:
        raise InputError(f"{uri} has no rows: there is nothing to export")
    job = ExportJob(to, chosen, _root_of(rows), config)
    if job.root and storage.is_below(to, job.root):
        raise UsageError("--to lies inside the archive: its files would be taken for films")
    digests = export_digests(uri, name, chosen, config)
    files = plan_files(rows, name, chosen)
    missing = open_export(book, to, digests, files)
    storage.delete(storage.join(book, "_SUCCESS"))
    started = time.monotonic()
    faults = _export(missing, job, address)
    remove_leftovers(to)
    record.timings["export_seconds"] = time.monotonic() - started
    record.inputs = digests
    record.counts = {
        "planned": files.num_rows,
        "masks": files.filter(pa.compute.equal(files.column("kind"), str(Kind.MASK))).num_rows,
        "done": files.num_rows - faults.num_rows,
        "rejected": faults.num_rows,
        "done_now": missing.num_rows - faults.num_rows,
    }
    code = judge_share(faults.num_rows, files.num_rows, config.data)
    storage.write_table(storage.join(book, "rejections.parquet"), faults)
    record.write(book, code)
    run_record.mark_success(book, record.counts)
    return record, code


def _export(missing: pa.Table, job: ExportJob, address: str | None) -> pa.Table:
    """Write the missing files, here or on Ray; the faults."""
    if missing.num_rows <= _FILES_FOR_RAY:
        pieces = _cut(missing, size=8)
        done = follow(pieces, len(pieces), "export", "chunk")
        return pa.concat_tables(
            [REJECTIONS.empty_table(), *(export_files(piece, job) for piece in done)]
        )
    with ray_session(address):
        share = -(-missing.num_rows // (_TASKS_PER_CPU * cluster_cpus()))
        return _export_on_ray(_cut(missing, size=min(share, _FILES_PER_TASK)), job)


def _cut(files: pa.Table, size: int) -> list[pa.Table]:
    return [files.slice(start, size) for start in range(0, files.num_rows, size)]


def _export_on_ray(pieces: list[pa.Table], job: ExportJob) -> pa.Table:
    """Files by Ray Data, some a task; a task done twice writes the same files again."""
    import ray
    from ray.exceptions import RayError

    from mammo_ray.distributed.pipeline import MAX_RETRIES, cause_of, finite_retries

    items = [{"files": pack(piece)} for piece in pieces]
    with finite_retries():
        packed = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            partial(export_packed, job=job),
            batch_size=None,
            batch_format="pyarrow",
            max_retries=MAX_RETRIES,
        )
    try:
        rows = list(follow(packed.iter_rows(), len(items), "export", "chunk"))
    except RayError as error:
        raise cause_of(error) from error
    return pa.concat_tables([REJECTIONS.empty_table(), *(unpack(row["faults"]) for row in rows)])


def _root_of(rows: pa.Table) -> str:
    metadata: dict[bytes, bytes] = rows.schema.metadata or {}
    return metadata.get(b"root", b"").decode()
