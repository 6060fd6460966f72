"""Images that a table names: their files in the listing, their labels, and the account of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.datasets.manifest import Manifest, Row, excluded_row, rejected_row
from mammo_ray.datasets.source import FileIndex, Request, Source, seen_names
from mammo_ray.errors import ImageRejected, InputError
from mammo_ray.schema import (
    IDENTITY_COLUMNS,
    MANIFEST,
    REJECTIONS,
    ExclusionRule,
    RejectionReason,
    Stage,
)
from mammo_ray.storage import StoredFile

# Tables and documents that come with data sets.
_DOCUMENTS = {
    ".csv", ".tsv", ".txt", ".json", ".md", ".html", ".pdf", ".xls", ".xlsx", ".doc", ".docx",
    ".rtf", ".yaml", ".yml",
}  # fmt: skip

# What shows that a file and its row of the table do not belong together.
_COMPARED = {
    "laterality": "ImageLaterality (0020,0062)",
    "rows": "Rows (0028,0010)",
    "columns": "Columns (0028,0011)",
}


@dataclass(frozen=True)
class FileMatch:
    """Which file each row of a table speaks of.

    Attributes:
        paths: relative path of every row's file, or where it was looked for.
        files: every row's file; None where none is there, or several are.
        ambiguous: files of which several answer to one row, with that row's number.
        unknown: files of which no row speaks.
        copies: files that repeat one found where it was expected.
    """

    paths: list[str]
    files: list[StoredFile | None]
    ambiguous: list[tuple[StoredFile, int]]
    unknown: list[StoredFile]
    copies: list[StoredFile]

    def requests(self) -> list[Request]:
        """The files to open: those that the table knows, one a row."""
        return [Request(file) for file in self.files if file is not None]


def match_files(
    keys: Sequence[str], expected: Sequence[str], candidates: Iterable[tuple[str, StoredFile]]
) -> FileMatch:
    """The file of every row, by a key that rows and files share.

    A file at its expected path is the row's, whatever else carries the key; elsewhere it must be
    the only one.

    Args:
        keys: of the rows; each at most once.
        expected: relative path where each row's file belongs.
        candidates: files of the listing that are images of the layout, with their keys.
    """
    by_key: dict[str, list[StoredFile]] = {}
    for key, file in candidates:
        by_key.setdefault(key, []).append(file)
    match = FileMatch(list(expected), [None] * len(keys), [], [], [])
    for row, key in enumerate(keys):
        found = by_key.pop(key, None)
        if found is None:
            continue
        at_place = [file for file in found if file.relative_path == match.paths[row]]
        chosen = at_place or found
        if len(chosen) > 1:
            match.ambiguous.extend((file, row) for file in found)
            continue
        match.files[row], match.paths[row] = chosen[0], chosen[0].relative_path
        match.copies.extend(file for file in found if file is not chosen[0])
    match.unknown.extend(file for found in by_key.values() for file in found)
    return match


def require_found(source: Source, match: FileMatch, expected: str) -> None:
    """Refuse a folder in which not one row of the table has its file.

    Args:
        source: the data set.
        match: files of the rows.
        expected: where images lie in this layout, in words.

    Raises:
        InputError: with what was expected and what is there.
    """
    if source.index.files and not match.ambiguous and not any(match.files):
        seen = seen_names(replace(source, tables=None))
        raise InputError(f"no image of the table is there; expected {expected}, seen: {seen}")


def files_by_tail(index: FileIndex, *suffixes: str) -> Iterable[tuple[str, StoredFile]]:
    """Files of the given suffixes, by folder and name without suffix: `10006/462822612`."""
    for file in index.with_suffix(*suffixes):
        yield "/".join(file.relative_path.rpartition(".")[0].split("/")[-2:]), file


def settle(
    source: Source, labels: pa.Table, match: FileMatch, examined: Manifest, left_out: Iterable[Row]
) -> Manifest:
    """The manifest of tabled images.

    Labels of the table go before what headers say. A header that names the other side, or another
    size where the table has one, shows that table and file do not belong together: a rejection.

    Args:
        source: the data set.
        labels: manifest columns that the table fills, a row an image, in the order of the match.
        match: files of the rows.
        examined: what the files of the match say of themselves.
        left_out: exclusions of all listed files but those of the match.

    Returns:
        Every listed file once, and `missing-file` for every row whose file is not there. A table
        alone (nothing listed, `Source.tables_only`) gives a row for each of its rows, under the
        path where its file belongs.
    """
    if source.tables_only and not source.index.files:
        return Manifest(_rows_alone(source, labels, match.paths), *_nothing())
    with_file = [row for row, file in enumerate(match.files) if file is not None]
    uris = pa.array([file.uri for file in match.files if file is not None], pa.string())
    known = labels.take(pa.array(with_file, pa.int64()))
    rows, contradicting = _filled(examined.rows, known, uris)
    copies = [_not_in_layout(source, file, "a second file of a tabled image")
              for file in match.copies]  # fmt: skip
    exclusions = Manifest.of_rows((), [*left_out, *copies]).exclusions
    return Manifest(
        rows,
        pa.concat_tables([_identified(examined.exclusions, known, uris), exclusions]),
        pa.concat_tables([
            _identified(examined.rejections, known, uris),
            contradicting,
            _unplaced(source, labels, match),
            _missing(source, labels, match),
        ]),
    )  # fmt: skip


def other_files(source: Source, match: FileMatch, skipped: Iterable[str] = ()) -> list[Row]:
    """Exclusions of all listed files that are no image of the layout.

    Args:
        source: the data set.
        match: the images.
        skipped: URIs of files that are accounted for elsewhere.
    """
    taken = {file.uri for file in match.files if file is not None}
    taken |= {file.uri for file, _ in match.ambiguous} | set(skipped)
    taken |= {file.uri for file in (*match.unknown, *match.copies)}
    rows = []
    for file in source.index.files:
        if file.uri in taken:
            continue
        if PurePosixPath(file.relative_path).suffix.lower() in _DOCUMENTS:
            image_id, rule = source.image_id(file.relative_path), ExclusionRule.NOT_AN_IMAGE
            rows.append(excluded_row(image_id, file.uri, rule, "a table or document", {}))
        else:
            rows.append(_not_in_layout(source, file, "the layout has no place for it"))
    return rows


def _not_in_layout(source: Source, file: StoredFile, detail: str) -> Row:
    image_id = source.image_id(file.relative_path)
    return excluded_row(image_id, file.uri, ExclusionRule.NOT_IN_LAYOUT, detail, {})


def _nothing() -> tuple[pa.Table, pa.Table]:
    empty = Manifest.of_rows()
    return empty.exclusions, empty.rejections


def _filled(rows: pa.Table, known: pa.Table, uris: pa.Array) -> tuple[pa.Table, pa.Table]:
    """Rows with the table's labels, and rejections of those whose header contradicts them."""
    said = known.take(pc.index_in(rows.column("uri").combine_chunks(), value_set=uris))
    compared = [name for name in _COMPARED if name in said.column_names]
    wrong = pa.array(np.zeros(rows.num_rows, bool))
    for name in compared:
        differ = pc.not_equal(rows.column(name), said.column(name)).combine_chunks()
        wrong = pc.or_(wrong, pc.fill_null(differ, False))
    labelled = _with_labels(rows, said)
    faults = [
        rejected_row(row["image_id"], row["uri"], _contradiction(header, row), row)
        for header, row in zip(
            rows.select(compared).filter(wrong).to_pylist(),
            labelled.filter(wrong).to_pylist(),
            strict=True,
        )
    ]
    kept = labelled.filter(pc.invert(wrong)).select(MANIFEST.names).cast(MANIFEST)
    return kept, Manifest.of_rows((), (), faults).rejections


def _with_labels(rows: pa.Table, said: pa.Table) -> pa.Table:
    """The rows, what the table says before what the header says."""
    for name in said.column_names:
        field = rows.schema.field(name)
        value = said.column(name)
        if not pa.types.is_nested(field.type):  # no header has lesions
            value = pc.coalesce(value, rows.column(name))
        rows = rows.set_column(rows.schema.get_field_index(name), field, value)
    return rows


def _contradiction(header: Row, labelled: Row) -> ImageRejected:
    """What a header says otherwise than the table, which went before it in `labelled`."""
    name = next(n for n, value in header.items() if value not in (None, labelled[n]))
    return ImageRejected(
        RejectionReason.TABLE_ROW_INVALID,
        f"{_COMPARED[name]} is {header[name]!r}, the table says {labelled[name]!r}",
    )


def _identified(left_out: pa.Table, known: pa.Table, uris: pa.Array) -> pa.Table:
    """Files left out, with what the table knows of whose image they are."""
    said = known.take(pc.index_in(left_out.column("uri").combine_chunks(), value_set=uris))
    return _with_labels(left_out, said.select(_identity_of(said)))


def _identity_of(labels: pa.Table) -> list[str]:
    return [name for name in labels.column_names if name in IDENTITY_COLUMNS]


def _unplaced(source: Source, labels: pa.Table, match: FileMatch) -> pa.Table:
    """Rejections of files that no row, or only several together, could claim."""
    unknown = ImageRejected(RejectionReason.NOT_IN_TABLE, "no row of the table names this image")
    several = ImageRejected(
        RejectionReason.AMBIGUOUS_FILE, "several files answer to one row of the table"
    )
    rows = [
        rejected_row(source.image_id(file.relative_path), file.uri, unknown, {})
        for file in match.unknown
    ]
    identity = labels.select(_identity_of(labels))
    for file, row in match.ambiguous:
        known = identity.slice(row, 1).to_pylist()[0]
        rows.append(rejected_row(source.image_id(file.relative_path), file.uri, several, known))
    return Manifest.of_rows((), (), rows).rejections


def _missing(source: Source, labels: pa.Table, match: FileMatch) -> pa.Table:
    """Rejections of rows whose file is not there."""
    several = {row for _, row in match.ambiguous}
    gone = [row for row, file in enumerate(match.files) if file is None and row not in several]
    known = labels.take(pa.array(gone, pa.int64()))
    columns = _places(source, [match.paths[row] for row in gone])
    columns |= {name: known.column(name) for name in _identity_of(known)}
    columns |= {
        "stage": _repeated(Stage.MANIFEST, len(gone)),
        "reason": _repeated(RejectionReason.MISSING_FILE, len(gone)),
        "detail": _repeated("the table names this image and its file is not there", len(gone)),
    }
    return _table_of(columns, REJECTIONS, len(gone))


def _rows_alone(source: Source, labels: pa.Table, paths: list[str]) -> pa.Table:
    """Rows of a table without files, under the paths where their files belong."""
    columns = {name: labels.column(name) for name in labels.column_names}
    return _table_of({**columns, **_places(source, paths)}, MANIFEST, len(paths))


def _places(source: Source, paths: list[str]) -> dict[str, pa.Array]:
    """Ids and URIs of relative paths below the root."""
    below = storage.join(source.root, "x")[:-1]
    return {
        "image_id": pa.array([source.image_id(path) for path in paths], pa.string()),
        "uri": pa.array([below + path for path in paths], pa.string()),
    }


def _repeated(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(str(text), pa.string()), count)


def _table_of(columns: dict[str, pa.Array], schema: pa.Schema, count: int) -> pa.Table:
    """A table of the schema, null where there is no column."""
    values = [columns.get(field.name, pa.nulls(count, field.type)) for field in schema]
    return pa.table(values, schema=schema)
