"""Joins what a layout knows of its files to what their examination found, table by table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray.datasets.file_names import NamedImage
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Source
from mammo_ray.schema import (
    EXCLUSIONS,
    MANIFEST,
    REJECTIONS,
    ExclusionRule,
    RejectionReason,
    Stage,
)
from mammo_ray.storage import StoredFile


@dataclass
class LeftOut:
    """Files that a reader leaves out by itself, gathered while it sorts a listing.

    Attributes:
        source: gives the ids.
    """

    source: Source
    _excluded: list[tuple[StoredFile, str, str]] = field(default_factory=list)
    _rejected: list[tuple[StoredFile, str, str]] = field(default_factory=list)

    def exclude(self, file: StoredFile, rule: ExclusionRule, detail: str) -> None:
        """Note a file that a rule leaves out."""
        self._excluded.append((file, str(rule), detail))

    def reject(self, file: StoredFile, reason: RejectionReason, detail: str) -> None:
        """Note a file with a fault."""
        self._rejected.append((file, str(reason), detail))

    def exclusions(self) -> pa.Table:
        """The files left out by a rule, `schema.EXCLUSIONS`."""
        return self._table(self._excluded, "rule", EXCLUSIONS)

    def rejections(self) -> pa.Table:
        """The files with a fault, `schema.REJECTIONS`."""
        return self._table(self._rejected, "reason", REJECTIONS)

    def _table(
        self, rows: list[tuple[StoredFile, str, str]], why: str, schema: pa.Schema
    ) -> pa.Table:
        columns: dict[str, Sequence[object]] = {
            "image_id": [self.source.image_id(file.relative_path) for file, _, _ in rows],
            "uri": [file.uri for file, _, _ in rows],
            why: [reason for _, reason, _ in rows],
            "detail": [detail for _, _, detail in rows],
            "stage": [str(Stage.MANIFEST)] * len(rows),
        }
        return table_of(columns, schema)


def table_of(columns: dict[str, Sequence[object]], schema: pa.Schema) -> pa.Table:
    """A table of the schema; columns that are not given are null, others are not taken."""
    count = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[item.name], item.type)
        if item.name in columns
        else pa.nulls(count, item.type)
        for item in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def known_table(columns: dict[str, Sequence[object]]) -> pa.Table:
    """What is known of files: `uri`, and columns of `schema.MANIFEST` with their types.

    Args:
        columns: by name, all of the same length; null where nothing is known.
    """
    names = [name for name in MANIFEST.names if name in columns]
    chosen = pa.schema([MANIFEST.field(name) for name in names])
    return table_of({name: columns[name] for name in names}, chosen)


def keep_named(named: Sequence[NamedImage], left_out: LeftOut, setting: str) -> list[NamedImage]:
    """The images whose names tell whose they are; the others become rejections.

    Args:
        named: from `file_names.name_images`.
        left_out: takes the rejections.
        setting: the setting that holds the pattern.
    """
    detail = f"{setting} does not tell a patient, or a side or view that is known, from its name"
    for image in named:
        if image.patient_id is None:
            left_out.reject(image.file, RejectionReason.AMBIGUOUS_FILE, detail)
    return [image for image in named if image.patient_id is not None]


def named_columns(named: Sequence[NamedImage]) -> dict[str, Sequence[object]]:
    """What names tell, as columns for `known_table`."""
    return {
        "uri": [image.file.uri for image in named],
        "patient_id": [image.patient_id for image in named],
        "laterality": [image.laterality for image in named],
        "view_position": [image.view_position for image in named],
    }


def fill(table: pa.Table, known: pa.Table, header_first: Sequence[str] = ()) -> pa.Table:
    """The table with what is known of its files; where nothing is known, values stay.

    Args:
        table: rows, exclusions or rejections.
        known: from `known_table`, a `uri` at most once.
        header_first: columns in which a value that is there is not replaced.
    """
    place = pc.index_in(table["uri"].combine_chunks(), value_set=known["uri"].combine_chunks())
    for name in known.column_names:
        if name == "uri" or name not in table.column_names:
            continue
        item = table.schema.field(name)
        both = [known[name].take(place).cast(item.type), table[name]]
        value = pc.coalesce(*(both[::-1] if name in header_first else both))
        table = table.set_column(table.schema.get_field_index(name), item, value)
    return table


def filled_manifest(
    examined: Manifest, known: pa.Table, left_out: LeftOut, header_first: Sequence[str] = ()
) -> Manifest:
    """The manifest of examined files and of those that the reader left out by itself.

    Args:
        examined: what was found in the requested files.
        known: from `known_table`.
        left_out: the other files of the listing.
        header_first: columns in which the header goes before what the layout knows.
    """
    rows = fill(examined.rows.select(MANIFEST.names).cast(MANIFEST), known, header_first)
    exclusions = [examined.exclusions, left_out.exclusions()]
    rejections = [examined.rejections, left_out.rejections()]
    return Manifest(
        rows,
        fill(pa.concat_tables(exclusions), known, header_first),
        fill(pa.concat_tables(rejections), known, header_first),
    )


def reject_rows(
    examined: Manifest, wrong: pa.ChunkedArray, reason: RejectionReason, detail: str
) -> Manifest:
    """The same manifest with some of its rows turned into rejections.

    Args:
        examined: rows, exclusions and rejections.
        wrong: one boolean a row, without nulls.
        reason: why they cannot be used.
        detail: what was found and expected.
    """
    bad, kept = examined.rows.filter(wrong), examined.rows.filter(pc.invert(wrong))
    why = {"stage": str(Stage.MANIFEST), "reason": str(reason), "detail": detail}
    rejected = pa.concat_tables([examined.rejections, _moved(bad, REJECTIONS, why)])
    return Manifest(kept, examined.exclusions, rejected)


def exclude_rows(
    examined: Manifest, chosen: pa.ChunkedArray, rule: ExclusionRule, detail: str
) -> Manifest:
    """The same manifest with some of its rows turned into exclusions; as `reject_rows`."""
    taken, kept = examined.rows.filter(chosen), examined.rows.filter(pc.invert(chosen))
    why = {"rule": str(rule), "detail": detail}
    excluded = pa.concat_tables([examined.exclusions, _moved(taken, EXCLUSIONS, why)])
    return Manifest(kept, excluded, examined.rejections)


def _moved(rows: pa.Table, schema: pa.Schema, why: dict[str, str]) -> pa.Table:
    """Rows as rows of another schema: their columns by name, and the same words for all."""
    columns = [
        pa.repeat(pa.scalar(why[item.name], item.type), rows.num_rows)
        if item.name in why
        else rows[item.name].cast(item.type)
        for item in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
