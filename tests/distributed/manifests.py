"""Manifest folders for tests, written without reading an archive."""

from pathlib import Path

import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.schema import MANIFEST


def write_manifest(folder: Path, root: Path, rows: list[dict[str, object]]) -> str:
    """A finished manifest of these rows, sorted by `image_id`."""
    table = pa.Table.from_pylist(rows, MANIFEST).sort_by("image_id")
    digest = storage.table_digest(table)
    metadata = {
        **MANIFEST.metadata, b"manifest_digest": digest.encode(), b"root": str(root).encode(),
    }  # fmt: skip
    storage.write_table(
        str(folder / "manifest.parquet"), table.replace_schema_metadata(metadata), 5_000
    )
    counts = {"seen": len(rows), "rows": len(rows), "excluded": 0, "rejected": 0}
    run_record.mark_success(str(folder), counts)
    return str(folder)
