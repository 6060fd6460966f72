"""The manifest of an archive: one listing, headers read here or by Ray Data where they are many."""

import hashlib
from functools import partial

import pyarrow as pa

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.datasets.archive import Manifest, finish_manifest, read_files
from mammo_ray.datasets.outcomes import read_outcomes
from mammo_ray.distributed.progress import follow
from mammo_ray.distributed.session import ray_session
from mammo_ray.errors import InputError, PlanMismatch, UsageError
from mammo_ray.identifiers import hash_key, is_keyed, keyed_id
from mammo_ray.run_record import RunRecord, judge_share
from mammo_ray.storage import StoredFile

# Below this many files one process is quicker than a start of Ray.
_FILES_FOR_RAY = 5_000
_FILES_PER_TASK = 500
_ROWS_PER_GROUP = 5_000
_TABLES = ("rows", "exclusions", "rejections")


def build_manifest(
    root: str, outcomes: str | None, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """List an archive, read every header once, and write the three tables.

    Args:
        root: folder or `s3://` prefix.
        outcomes: CSV of labels, or None: labels stay null.
        config: `data.dataset` names the data set in every `image_id`.
        out: folder of `manifest.parquet`, `exclusions.parquet`, `rejections.parquet`.
        address: of a Ray cluster; used where the files are many.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected.

    Raises:
        InputError: a missing root, an empty one, or an outcomes table that is not valid.
    """
    record = RunRecord("manifest", config)
    run_record.claim_folder(out, "manifest")
    if storage.is_below(out, root):
        raise UsageError("--out lies inside the archive: its results would be taken for films")
    labels = read_outcomes(outcomes) if outcomes else None
    files = storage.list_files(root)
    if not files:
        raise InputError(f"root {root} holds no file")
    key = hash_key()
    read = partial(read_files, dataset=config.data.dataset, key=key)
    starts = range(0, len(files), _FILES_PER_TASK)
    pieces = [files[k : k + _FILES_PER_TASK] for k in starts]
    many = len(files) > _FILES_FOR_RAY
    chunks = _read_on_ray(pieces, read, address) if many else _read_here(pieces, read)
    manifest, label_counts = finish_manifest(chunks, labels)
    if manifest.seen != len(files):
        raise AssertionError(f"{len(files)} files were listed, {manifest.seen} accounted for")
    record.counts = {
        **_counts(manifest),
        "outcomes_unmatched": label_counts.unmatched,
        "labels_withheld": label_counts.withheld,
    }
    record.details = {"ids": "keyed" if is_keyed(key) else "unkeyed"}
    if labels and manifest.rows.num_rows and label_counts.unmatched == len(labels.frame):
        raise InputError(
            f"none of the {len(labels.frame)} outcomes speaks of an image of this archive"
        )
    record.inputs = {
        "outcomes_level": str(labels.level) if labels else "none",
        "source": _source_digest(root, files, config, key),
    }
    code = judge_share(manifest.rejections.num_rows, _images(manifest), config.data)
    _write(manifest, record, root, out, code)
    return record, code


def locate_manifest(source: str) -> tuple[str, str]:
    """The manifest file and its folder, from either of them.

    Raises:
        InputError: there is no manifest.
        IncompleteResult: its run has not ended.
    """
    folder = storage.parent(source) if source.endswith(".parquet") else source
    uri = source if source.endswith(".parquet") else storage.join(source, "manifest.parquet")
    if not storage.exists(uri):
        raise InputError(f"there is no manifest at {uri}; `mammo manifest` makes one")
    run_record.require_success(folder)
    return uri, folder


def count_rows(uri: str) -> int:
    """How many images a manifest has."""
    return int(storage.read_table(uri, columns=["image_id"]).num_rows)


def manifest_digest(uri: str) -> str:
    """Digest that names exactly these manifest rows."""
    metadata = storage.read_schema(uri).metadata or {}
    try:
        return str(metadata[b"manifest_digest"], "ascii")
    except KeyError as error:
        raise InputError(f"{uri} is not a manifest of mammo-ray") from error


def require_same_source(folder: str, root: str, config: Config) -> None:
    """Refuse a manifest that was made of another archive, or of this one when it held other files.

    Raises:
        PlanMismatch: with the number of files now.
    """
    files = storage.list_files(root)
    standing = run_record.read_run(folder)["inputs"].get("source")
    if standing != _source_digest(root, files, config, hash_key()):
        raise PlanMismatch(
            f"{folder} was made of other files than the {len(files)} that the archive holds now, "
            "of another root, or with another data.dataset or MAMMO_HASH_KEY: give another --out, "
            "or remove the folder"
        )


def _source_digest(root: str, files: list[StoredFile], config: Config, key: str) -> str:
    """Digest of where an archive lies, what it is called, and of every name and size in it."""
    listing = hashlib.sha256()
    for file in files:
        listing.update(f"{file.relative_path}\x1f{file.bytes}\x1e".encode())
    parts = (root, config.data.dataset, str(len(files)), listing.hexdigest())
    return keyed_id("source", key, *parts)


def _counts(manifest: Manifest) -> dict[str, int]:
    patients = manifest.rows.column("patient_id").unique().drop_null()
    positive = pa.compute.sum(manifest.rows.column("cancer")).as_py() or 0
    return {
        "seen": manifest.seen,
        "rows": manifest.rows.num_rows,
        "excluded": manifest.exclusions.num_rows,
        "rejected": manifest.rejections.num_rows,
        "women": len(patients),
        "positive": int(positive),
    }


def _images(manifest: Manifest) -> int:
    return int(manifest.rows.num_rows + manifest.rejections.num_rows)


def _write(manifest: Manifest, record: RunRecord, root: str, out: str, code: int) -> None:
    """Put the three tables, the record and the mark, the mark last."""
    storage.delete(storage.join(out, "_SUCCESS"))
    digest = storage.table_digest(manifest.rows)
    rows = manifest.rows.replace_schema_metadata(
        {
            **(manifest.rows.schema.metadata or {}),
            b"manifest_digest": digest.encode(),
            b"root": root.encode(),
        }
    )
    storage.write_table(storage.join(out, "manifest.parquet"), rows, row_group_size=_ROWS_PER_GROUP)
    storage.write_table(storage.join(out, "exclusions.parquet"), manifest.exclusions)
    storage.write_table(storage.join(out, "rejections.parquet"), manifest.rejections)
    record.outputs = {"manifest_digest": digest}
    record.write(out, code)
    run_record.mark_success(out, record.counts)


def _read_here(pieces: list[list[StoredFile]], read: "partial[Manifest]") -> list[Manifest]:
    return [read(piece) for piece in follow(pieces, len(pieces), "manifest", "chunk")]


def _read_on_ray(
    pieces: list[list[StoredFile]], read: "partial[Manifest]", address: str | None
) -> list[Manifest]:
    """Headers by Ray Data, a chunk of files a task."""
    with ray_session(address):
        import ray

        from mammo_ray.distributed.pipeline import MAX_RETRIES, finite_retries

        items = [{"files": [vars(file) for file in piece]} for piece in pieces]
        with finite_retries():
            packed = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
                partial(_read_chunk, read=read),
                batch_size=None,
                batch_format="pyarrow",
                max_retries=MAX_RETRIES,
            )
        rows = follow(packed.iter_rows(), len(items), "manifest", "chunk")
        return [_unpack(row) for row in rows]


def _read_chunk(batch: pa.Table, read: "partial[Manifest]") -> pa.Table:
    """Manifest of one chunk of files, its three tables packed as Arrow IPC in one row."""
    manifests = [read([StoredFile(**file) for file in item["files"]]) for item in batch.to_pylist()]
    packed = [{name: _pack(getattr(m, name)) for name in _TABLES} for m in manifests]
    return pa.Table.from_pylist(packed, pa.schema([(name, pa.binary()) for name in _TABLES]))


def _unpack(row: dict[str, bytes]) -> Manifest:
    return Manifest(**{name: pa.ipc.open_stream(row[name]).read_all() for name in _TABLES})


def _pack(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
