"""The manifest of a data set: one listing, every file examined once, and its three tables."""

import hashlib
import logging
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import run_record, storage
from mammo_ray.config import Config
from mammo_ray.datasets.examine import Examination
from mammo_ray.datasets.expected import read_expected, reconcile
from mammo_ray.datasets.layouts import looks_like, open_reader
from mammo_ray.datasets.listing import read_listing
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.outcomes import Labelled, Outcomes, apply_outcomes, read_outcomes
from mammo_ray.datasets.source import FileIndex, Reader, Source
from mammo_ray.distributed.examine_all import examine_all
from mammo_ray.distributed.list_files import list_data_set
from mammo_ray.distributed.origin import Origin
from mammo_ray.distributed.unpacked import unpacked
from mammo_ray.errors import InputError, LostWork, PlanMismatch, UsageError
from mammo_ray.identifiers import hash_key, is_keyed, keyed_id
from mammo_ray.run_record import RunRecord, judge_share
from mammo_ray.schema import Layout, RejectionReason
from mammo_ray.storage import StoredFile

_log = logging.getLogger(__name__)

# Layouts in which names and tables tell nothing of what an image or a mask holds.
_WITHOUT_TABLES = (Layout.ARCHIVE, Layout.PAIRS)
_ROWS_PER_GROUP = 5_000
_TABLES = ("rows", "exclusions", "rejections")


def build_manifest(
    origin: Origin, config: Config, out: str, address: str | None = None
) -> tuple[RunRecord, int]:
    """Read a data set, open every file at most once, and write the three tables.

    Args:
        origin: layout, root and tables.
        config: `data` names the data set, its rules and its patterns.
        out: folder of `manifest.parquet`, `exclusions.parquet`, `rejections.parquet`.
        address: of a Ray cluster; used where the files are many.

    Returns:
        The run record, and the exit code: 3 when more than the allowed share is rejected, 4 when
        an expected exam is missing.

    Raises:
        InputError: a missing root, an empty one, one of another layout, or a table that is not
            valid; nothing has been written then.
    """
    record = RunRecord("manifest", config)
    _require_sensible(origin, out)
    run_record.claim_folder(out, "manifest")
    labels = read_outcomes(origin.outcomes) if origin.outcomes else None
    expected = read_expected(origin.expected) if origin.expected else None
    with unpacked(origin, config, out) as data_set:
        source = open_source(data_set, config, address)
        reader = open_reader(origin.layout, source)
        manifest = _read(reader, source, origin, config, address)
        _require_all_accounted(manifest, source)
        labelled = _label(manifest, labels)
    manifest = Manifest(labelled.rows, manifest.exclusions, manifest.rejections).sorted()
    record.counts = {
        **_counts(manifest),
        "outcomes_unmatched": labelled.unmatched,
        "labels_withheld": labelled.withheld,
    }
    missing = reconcile(expected, manifest) if expected else None
    if missing is not None:
        record.counts["exams_missing"] = missing.num_rows
    record.details = {
        "ids": "keyed" if is_keyed(source.key) else "unkeyed",
        "layout": str(origin.layout),
        "tables_only": origin.tables_only,
        **_said_by(reader),
    }
    _warn_of_layout(origin.layout, source)
    record.inputs = {
        "outcomes_level": str(labels.level) if labels else "none",
        "source": _source_digest(source),
        "tables": _listing_digest(source.tables) if source.tables else "none",
        "outcomes": _file_digest(origin.outcomes),
        "expected": _file_digest(origin.expected),
    }
    code = judge_share(manifest.rejections.num_rows, _images(manifest), config.data)
    code = code or (run_record.EXIT_FINDINGS if missing is not None and missing.num_rows else 0)
    _write(manifest, missing, record, source.root, out, code)
    return record, code


def _require_sensible(origin: Origin, out: str) -> None:
    """Refuse options that cannot give what they promise.

    Raises:
        UsageError: the result would lie inside the data set, or no table can tell what images are.
    """
    if storage.is_below(out, origin.root):
        raise UsageError("--out lies inside the data set: its results would be taken for films")
    if origin.tables_only and origin.layout in _WITHOUT_TABLES:
        raise UsageError(
            f"--tables-only needs tables: in the layout {origin.layout} only the files themselves "
            "say what they are"
        )


def _warn_of_layout(layout: Layout, source: Source) -> None:
    """Say where an archive, as which any folder can be read, has the tables of another layout."""
    likely = looks_like(source.index) if layout == Layout.ARCHIVE else None
    if likely not in (None, Layout.ARCHIVE, Layout.PAIRS):
        _log.warning(
            "this looks like the layout %s: read as archive, its tables, labels, patients, crops "
            "and masks are not told apart", likely,
        )  # fmt: skip


def open_source(origin: Origin, config: Config, address: str | None = None) -> Source:
    """The listing of a data set and of its tables.

    Raises:
        InputError: the root is not there or holds no file.
    """
    if origin.listing:
        files = read_listing(origin.listing, origin.root, sizes_needed=not origin.tables_only)
    else:
        empty_allowed = origin.tables_only and bool(origin.tables)
        files = _list_root(origin.root, address, empty_allowed=empty_allowed)
    return Source(
        root=origin.root,
        index=FileIndex(tuple(files)),
        dataset=config.data.dataset or str(origin.layout),
        key=hash_key(),
        tables=_list_tables(origin.tables) if origin.tables else None,
        tables_only=origin.tables_only,
        settings=config.data,
    )


def _list_root(root: str, address: str | None, *, empty_allowed: bool) -> list[StoredFile]:
    if empty_allowed and not storage.is_there(root):
        return []
    files = list_data_set(root, address)
    if not files and not empty_allowed:
        raise InputError(f"root {root} holds no file")
    return files


def _list_tables(folder: str) -> FileIndex:
    try:
        return FileIndex(tuple(storage.list_files(folder)))
    except InputError as error:
        raise InputError(f"--tables: {error}") from error


def _read(
    reader: Reader, source: Source, origin: Origin, config: Config, address: str | None
) -> Manifest:
    """Every requested file examined, and the layout's own account of them all."""
    how = Examination(
        dataset=source.dataset,
        key=source.key,
        config=config,
        rules=config.data.exclude if origin.layout == Layout.ARCHIVE else None,
        dicom_only=origin.layout == Layout.ARCHIVE,
        opened=not origin.tables_only,
    )
    return reader.finish(examine_all(list(reader.requests()), how, address))


def _require_all_accounted(manifest: Manifest, source: Source) -> None:
    """Every listed file stands in exactly one table, beside files that tables name in vain.

    Raises:
        LostWork: a file is lost or stands twice: the reader is wrong, and nothing is written.
    """
    if source.tables_only and not source.index.files:  # a table alone: its rows stand for files
        return
    reasons = manifest.rejections.column("reason")
    absent = pc.sum(pc.equal(reasons, str(RejectionReason.MISSING_FILE))).as_py() or 0
    named = pa.chunked_array(
        [getattr(manifest, table).column("uri").combine_chunks() for table in _TABLES]
    )
    listed = pa.array([file.uri for file in source.index.files])
    lost = len(listed) - (pc.sum(pc.is_in(listed, value_set=named)).as_py() or 0)
    if lost or len(named) != len(listed) + absent:
        raise LostWork(
            f"{len(listed)} files were listed and {absent} named in vain, but {lost} are lost and "
            f"{len(named)} accounted for"
        )


def _label(manifest: Manifest, labels: Outcomes | None) -> Labelled:
    if labels is None:
        return Labelled(manifest.rows, 0, 0)
    own = manifest.rows.num_rows - manifest.rows.column("cancer").null_count
    if own:
        raise InputError(f"--outcomes is for images without labels: {own} here have their own")
    labelled = apply_outcomes(manifest.rows, labels)
    if manifest.rows.num_rows and labelled.unmatched == len(labels.frame):
        raise InputError(
            f"none of the {len(labels.frame)} outcomes speaks of an image of this data set"
        )
    return labelled


def _said_by(reader: Reader) -> dict[str, Any]:
    """What a reader has to say of how it resolved paths and labels, for the run record."""
    statement = getattr(reader, "statement", None)
    return cast("dict[str, Any]", statement()) if statement else {}


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


def require_same_source(
    folder: str, origin: Origin, config: Config, address: str | None = None
) -> None:
    """Refuse a manifest that was made of another archive, or of this one when it held other files.

    Raises:
        PlanMismatch: with the number of files now, or with the other list of expected exams.
    """
    source = open_source(origin, config, address)
    standing = run_record.read_run(folder)["inputs"]
    if standing.get("source") != _source_digest(source):
        raise PlanMismatch(
            f"{folder} was made of other files than the {len(source.index.files)} that the archive "
            "holds now, of another root, or with another data.dataset or MAMMO_HASH_KEY: give "
            "another --out, or remove the folder"
        )
    if standing.get("expected") != _file_digest(origin.expected):
        raise PlanMismatch(
            f"{folder} was made with another list of expected exams: give another --out, or "
            "remove the folder"
        )


def _file_digest(uri: str | None) -> str:
    """Digest of a file beside the data set, `none` where there is none."""
    return hashlib.sha256(storage.read_bytes(uri)).hexdigest()[:32] if uri else "none"


def _source_digest(source: Source) -> str:
    """Digest of where a data set lies, what it is called, and of every name and size in it."""
    count = str(len(source.index.files))
    listing = _listing_digest(source.index)
    return keyed_id("source", source.key, source.root, source.dataset, count, listing)


def _listing_digest(index: FileIndex) -> str:
    listing = hashlib.sha256()
    for file in index.files:
        listing.update(f"{file.relative_path}\x1f{file.bytes}\x1e".encode())
    return listing.hexdigest()


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


def _write(
    manifest: Manifest, missing: pa.Table | None, record: RunRecord, root: str, out: str, code: int
) -> None:
    """Put the tables, the record and the mark, the mark last."""
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
    missing_uri = storage.join(out, "missing_exams.parquet")
    if missing is None:
        storage.delete(missing_uri)
    else:
        storage.write_table(missing_uri, missing)
    record.outputs = {"manifest_digest": digest}
    record.write(out, code)
    run_record.mark_success(out, record.counts)
