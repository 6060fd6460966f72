"""The store of prepared images: Parquet parts, one row an image.

`prepare_table` turns manifest rows into prepared rows as a plain function; the readers give labels
without pixels, and pixels of chosen images, from a finished folder of parts.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.config import Config
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected, InputError, StorageError
from mammo_ray.preprocess.masks import LEFT_OUT, Annotation
from mammo_ray.preprocess.pipeline import PreparedImage, prepare_file
from mammo_ray.run_record import require_rows, require_success
from mammo_ray.schema import (
    LABEL_COLUMNS,
    PREPARED,
    REJECTIONS,
    ImageStatus,
    Kind,
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


def of_kind(rows: pa.Table, kind: str) -> pa.Table:
    """The rows of a manifest that show whole films (`full`) or crops; null is a whole film."""
    return rows.filter(pc.equal(pc.fill_null(rows.column("kind"), str(Kind.FULL)), kind))


def prepare_table(
    rows: pa.Table,
    config: Config,
    sandbox: Sandbox | None,
    *,
    with_masks: bool = False,
    crashed: Mapping[str, str] = MappingProxyType({}),
) -> pa.Table:
    """Every manifest row prepared or rejected, in row order.

    Args:
        rows: some rows of `schema.MANIFEST`.
        config: its decode and preprocess sections decide the pixels.
        sandbox: where decoding runs; None decodes in this process.
        with_masks: carry masks and outlines along; scoring needs none.
        crashed: images that are known to end the process that prepares them, with what is known;
            they are rejected and not touched.

    Returns:
        A table of `TRANSIT`: each row's status is `prepared` or `rejected`.

    Raises:
        StorageError: storage failed after its retries; no image is blamed for it.
    """
    digest = config.preprocess_digest()
    columns = ["image_id", "uri", "sop_uid", "bytes", *LABEL_COLUMNS]
    planned = rows.select(columns).to_pylist()
    drawn = _annotations(rows) if with_masks else [None] * len(planned)
    done = [
        _rejected(row, digest, ImageRejected(RejectionReason.DECODER_CRASH, known))
        if (known := crashed.get(row["image_id"]))
        else _prepare_row(row, config, sandbox, digest, annotation)
        for row, annotation in zip(planned, drawn, strict=True)
    ]
    for row in done:
        if row.get("reason") == RejectionReason.UNREADABLE_FILE:
            _require_mounted(row["uri"], rows)
    return pa.Table.from_pylist(done, TRANSIT)


def _annotations(rows: pa.Table) -> list[Annotation | None]:
    """What is drawn on each image."""
    columns = ["mask_uris", "mask_values", "outlines"]
    return [Annotation.of_row(row) for row in rows.select(columns).to_pylist()]


def _require_mounted(uri: str, rows: pa.Table) -> None:
    """One file may be missing, but where its folder or the archive is gone no image is blamed."""
    root = (rows.schema.metadata or {}).get(b"root", b"").decode()
    places = [root] if storage.is_s3(uri) else [root, storage.parent(uri)]
    if not all(storage.is_there(place) for place in places if place):
        raise StorageError(
            "files of the manifest are gone with the folder that held them: is the storage mounted?"
        )


def _prepare_row(
    row: dict[str, Any],
    config: Config,
    sandbox: Sandbox | None,
    digest: str,
    annotation: Annotation | None,
) -> dict[str, Any]:
    try:
        image = prepare_file(row["uri"], row["laterality"], config, sandbox, annotation)
        _require_same_file(row, image)
    except ImageRejected as fault:
        return _rejected(row, digest, fault)
    columns = {**_image_columns(image), "status": str(ImageStatus.PREPARED)}
    return {**row, "preprocess_digest": digest, **columns}


def _rejected(row: dict[str, Any], digest: str, fault: ImageRejected) -> dict[str, Any]:
    return {
        **row,
        "preprocess_digest": digest,
        "status": str(ImageStatus.REJECTED),
        "stage": str(Stage.PREPARE),
        "reason": fault.reason,
        "detail": fault.detail,
    }


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
        "mask": None if image.mask is None else np.ascontiguousarray(image.mask).tobytes(),
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
    return _stack(table, "pixels")


def _stack(table: pa.Table, column: str) -> np.ndarray:
    """A binary column as one array (N, H, W); masks are uint8, pixels of their own type."""
    shapes = table.select(["height", "width", "dtype"]).group_by(["height", "width", "dtype"])
    kinds = shapes.aggregate([]).to_pylist()
    if len(kinds) != 1:
        raise InputError(f"prepared images of one size were expected, found {kinds}")
    height, width = kinds[0]["height"], kinds[0]["width"]
    dtype = np.dtype(np.uint8 if column == "mask" else kinds[0]["dtype"])
    stack = np.empty((table.num_rows, height, width), dtype)
    for index, content in enumerate(table.column(column)):
        flat = np.frombuffer(content.as_buffer(), dtype)
        if flat.size != height * width:
            raise InputError(f"{column} of an image: {flat.size} values, not {height} x {width}")
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
    return pixels_of(_read_images(folder, image_ids, "pixels"))


def _read_images(folder: str, image_ids: list[str], column: str) -> pa.Table:
    """The named images with one binary column, in the order of their names."""
    condition = pc.field("image_id").isin(image_ids)
    columns = ["image_id", column, "height", "width", "dtype"]
    table = storage.open_parts(folder, PREPARED).to_table(columns=columns, filter=condition)
    found = table.column("image_id").to_pylist()
    places = {image_id: index for index, image_id in enumerate(found)}
    missing = [image_id for image_id in image_ids if image_id not in places]
    if missing:
        raise InputError(f"{len(missing)} images are not in {folder}, {missing[0]} among them")
    return table.take([places[image_id] for image_id in image_ids])


def read_masks(folder: str, image_ids: list[str]) -> np.ndarray:
    """Masks (N, H, W) uint8 of the named images, 0 background and k class k, in their order.

    Raises:
        InputError: an image is not in the folder, or has no mask.
    """
    table = _read_images(folder, image_ids, "mask")
    without = table.column("mask").null_count
    if without:
        raise InputError(f"{without} of {len(image_ids)} images have no mask in {folder}")
    return _stack(table, "mask")


def masks_left_out(table: pa.Table) -> int:
    """How many prepared rows had a mask that could not be used; their notes say why."""
    notes = table.column("notes").to_pylist()
    return sum(any(note.startswith(LEFT_OUT) for note in found or ()) for found in notes)


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
