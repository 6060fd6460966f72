"""The store of prepared images: Parquet parts, one row an image.

`prepare_table` turns manifest rows into prepared rows as a plain function; the readers give labels
without pixels, and pixels of chosen images, from a finished folder of parts.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected, InputError, StorageError
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_file
from mammo_ray.run_record import require_rows, require_success
from mammo_ray.schema import (
    LABEL_COLUMNS,
    PREPARED,
    REJECTIONS,
    ImageStatus,
    RejectionReason,
    Stage,
)

# A prepared row on its way: what its part holds, and what a rejection row needs.
_FATE = [
    pa.field("uri", pa.string()),
    pa.field("status", pa.string()),
    pa.field("stage", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
]
TRANSIT = pa.schema([*PREPARED, *_FATE])


def prepare_table(rows: pa.Table, config: Config, sandbox: Sandbox | None) -> pa.Table:
    """Every manifest row prepared or rejected, in row order.

    Args:
        rows: some rows of `schema.MANIFEST`.
        config: its decode and preprocess sections decide the pixels.
        sandbox: where decoding runs; None decodes in this process.

    Returns:
        A table of `TRANSIT`: each row's status is `prepared` or `rejected`.

    Raises:
        StorageError: storage failed after its retries; no image is blamed for it.
    """
    digest = config.preprocess_digest()
    columns = ["image_id", "uri", "sop_uid", "bytes", *LABEL_COLUMNS]
    planned = rows.select(columns).to_pylist()
    done = [_prepare_row(row, config, sandbox, digest) for row in planned]
    for row in done:
        if row.get("reason") == RejectionReason.UNREADABLE_FILE:
            _require_mounted(row["uri"], rows)
    return pa.Table.from_pylist(done, TRANSIT)


def _require_mounted(uri: str, rows: pa.Table) -> None:
    """One file may be missing, but where its folder or the archive is gone no image is blamed."""
    root = (rows.schema.metadata or {}).get(b"root", b"").decode()
    places = [root] if storage.is_s3(uri) else [root, storage.parent(uri)]
    if not all(storage.is_there(place) for place in places if place):
        raise StorageError(
            "files of the manifest are gone with the folder that held them: is the storage mounted?"
        )


def _prepare_row(
    row: dict[str, Any], config: Config, sandbox: Sandbox | None, digest: str
) -> dict[str, Any]:
    row["preprocess_digest"] = digest
    try:
        image = prepare_file(row["uri"], row["laterality"], config, sandbox)
        _require_same_file(row, image)
    except ImageRejected as fault:
        return {
            **row,
            "status": str(ImageStatus.REJECTED),
            "stage": str(Stage.PREPARE),
            "reason": fault.reason,
            "detail": fault.detail,
        }
    return {**row, **_image_columns(image), "status": str(ImageStatus.PREPARED)}


def _require_same_file(row: dict[str, Any], image: PreparedImage) -> None:
    """The file must still be the one whose header made this row, or its pixels are another's."""
    for name, found in (("sop_uid", image.sop_uid), ("bytes", image.file_bytes)):
        if row[name] is not None and found != row[name]:
            shown = "another SOPInstanceUID (0008,0018)" if name == "sop_uid" else f"{found} bytes"
            raise ImageRejected(
                RejectionReason.FILE_CHANGED,
                f"the file has {shown} than when the manifest was made",
            )


def _image_columns(image: PreparedImage) -> dict[str, Any]:
    height, width = image.pixels.shape
    return {
        **asdict(image.geometry),
        "pixels": np.ascontiguousarray(image.pixels).tobytes(),
        "height": height,
        "width": width,
        "dtype": str(image.pixels.dtype),
        "decoder": image.decoder,
        "grayscale": image.grayscale,
        "breast_strategy": image.breast_strategy,
        "blank": image.blank,
        "notes": list(image.notes),
    }


def rejections_of(table: pa.Table) -> pa.Table:
    """The rejected rows of a table of `TRANSIT`'s columns, as `schema.REJECTIONS`."""
    rejected = table.filter(pc.equal(table.column("status"), str(ImageStatus.REJECTED)))
    return rejected.select(REJECTIONS.names).cast(REJECTIONS)


def pixels_of(table: pa.Table) -> np.ndarray:
    """Pixels of prepared rows as one array (N, H, W) of their own dtype.

    Raises:
        InputError: rows of different sizes, or bytes that do not fit their size.
    """
    shapes = table.select(["height", "width", "dtype"]).group_by(["height", "width", "dtype"])
    kinds = shapes.aggregate([]).to_pylist()
    if len(kinds) != 1:
        raise InputError(f"prepared images of one size were expected, found {kinds}")
    height, width, dtype = kinds[0]["height"], kinds[0]["width"], np.dtype(kinds[0]["dtype"])
    stack = np.empty((table.num_rows, height, width), dtype)
    for index, content in enumerate(table.column("pixels")):
        flat = np.frombuffer(content.as_buffer(), dtype)
        if flat.size != height * width:
            raise InputError(f"a prepared image has {flat.size} pixels, not {height} x {width}")
        stack[index] = flat.reshape(height, width)
    return stack


def read_labels(folder: str) -> pd.DataFrame:
    """Everything but pixels of a finished prepared folder, sorted by `image_id`.

    Raises:
        InputError: not a finished result of `mammo prepare`.
    """
    require_success(folder)
    columns = [name for name in PREPARED.names if name not in {"pixels", "mask"}]
    table = storage.open_parts(folder, PREPARED).to_table(columns=columns)
    require_rows(folder, table.num_rows, "done")
    frame: pd.DataFrame = table.to_pandas()
    return frame.sort_values("image_id", ignore_index=True)


def read_pixels(folder: str, image_ids: list[str]) -> np.ndarray:
    """Pixels (N, H, W) of the named images, in the order of their names.

    Raises:
        InputError: an image is not in the folder.
    """
    condition = pc.field("image_id").isin(image_ids)
    columns = ["image_id", "pixels", "height", "width", "dtype"]
    table = storage.open_parts(folder, PREPARED).to_table(columns=columns, filter=condition)
    found = table.column("image_id").to_pylist()
    places = {image_id: index for index, image_id in enumerate(found)}
    missing = [image_id for image_id in image_ids if image_id not in places]
    if missing:
        raise InputError(f"{len(missing)} images are not in {folder}, {missing[0]} among them")
    return pixels_of(table.take([places[image_id] for image_id in image_ids]))


def content_digest(table: pa.Table) -> str:
    """Digest of a set of rows, whatever their order, file layout, cut into parts, or place on disk.

    The SHA-256 of every row are added modulo 2**256, so that the digest of a run is the sum of its
    parts' (`add_digests`). Scores are taken to 1e-5, for the shape of a batch moves later digits;
    `uri` is left out.
    """
    plain = [n for n in table.column_names if n not in {"pixels", "mask", "uri"}]
    binary = [table.column(n) for n in ("pixels", "mask") if n in table.column_names]
    total = 0
    for index, row in enumerate(table.select(plain).to_pylist()):
        if row.get("score") is not None:
            row["score"] = f"{row['score']:.5f}"
        content = hashlib.sha256(json.dumps(row, sort_keys=True).encode())
        for column in binary:
            value = column[index]
            content.update(value.as_buffer() if value.is_valid else b"null")
        total += int.from_bytes(content.digest())
    return _digest_text(total)


def add_digests(digests: list[str]) -> str:
    """The content digest of all rows of some parts, from the parts' own."""
    return _digest_text(sum(int(digest, 16) for digest in digests))


def _digest_text(total: int) -> str:
    return f"{total % 2**256:064x}"
