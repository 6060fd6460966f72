"""What a task of an export does: write some files, and give back the faults.

Workers import this module and no more of the export than it needs.
"""

from dataclasses import dataclass

import pyarrow as pa

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.dicom.sandbox import Sandbox, shared_sandbox
from mammo_ray.distributed.export_images import File, FileFormat, export_content
from mammo_ray.errors import ImageRejected, StorageError
from mammo_ray.schema import IDENTITY_COLUMNS, REJECTIONS, Kind, RejectionReason, Stage


@dataclass(frozen=True)
class ExportJob:
    """What every task of one export shares.

    Attributes:
        to: folder of the files.
        file_format: `dcm`, `png16` or `jpg`.
        root: of the archive that the manifest speaks of.
        config: section `decode` is used.
    """

    to: str
    file_format: FileFormat
    root: str
    config: Config


def export_files(files: pa.Table, job: ExportJob) -> pa.Table:
    """Write some files of a plan; the faults as rows of `schema.REJECTIONS`.

    Args:
        files: rows of `export_plan.FILES`.
        job: where to, and how.

    Raises:
        StorageError: storage failed; no image is blamed.
    """
    limits = job.config.decode
    sandbox = shared_sandbox(limits.memory_megabytes) if limits.sandbox else None
    faults = [_export_file(file, job, sandbox) for file in files.to_pylist()]
    return pa.Table.from_pylist([fault for fault in faults if fault], REJECTIONS)


def _export_file(file: File, job: ExportJob, sandbox: Sandbox | None) -> dict[str, object] | None:
    """Write one file; its rejection row where it cannot be made."""
    try:
        content = export_content(file, job.file_format, job.config, sandbox)
    except ImageRejected as fault:
        if fault.reason == RejectionReason.UNREADABLE_FILE:
            _require_mounted(file["uri"], job.root)
        which = f"mask {file['number']}: " if file["kind"] == Kind.MASK else ""
        return {
            **{column: file[column] for column in IDENTITY_COLUMNS},
            "image_id": file["image_id"],
            "uri": file["uri"],
            "stage": str(Stage.EXPORT),
            "reason": fault.reason,
            "detail": f"{which}{fault.detail}",
        }
    storage.write_bytes(storage.join(job.to, file["target"]), content)
    return None


def _require_mounted(uri: str, root: str) -> None:
    """One file may be missing, but where its folder or the archive is gone no image is blamed."""
    places = [root] if storage.is_s3(uri) else [root, storage.parent(uri)]
    if not all(storage.is_there(place) for place in places if place):
        raise StorageError(
            "files of the manifest are gone with the folder that held them: is the storage mounted?"
        )


def export_packed(batch: pa.Table, job: ExportJob) -> pa.Table:
    """The faults of some pieces, each packed as Arrow IPC in one row (a Ray Data task)."""
    faults = [pack(export_files(unpack(item), job)) for item in batch.column("files").to_pylist()]
    return pa.table({"faults": pa.array(faults, pa.binary())})


def pack(table: pa.Table) -> bytes:
    """A table as bytes of Arrow IPC."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def unpack(content: bytes) -> pa.Table:
    """The table in bytes of Arrow IPC."""
    return pa.ipc.open_stream(content).read_all()
