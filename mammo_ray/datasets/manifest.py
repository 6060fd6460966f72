"""The three tables that account for everything a reader has seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from mammo_ray.errors import ImageRejected
from mammo_ray.schema import (
    EXCLUSIONS,
    IDENTITY_COLUMNS,
    MANIFEST,
    REJECTIONS,
    ExclusionRule,
    Stage,
)

_BY_IMAGE = [("image_id", "ascending"), ("uri", "ascending")]

Row = dict[str, object]


@dataclass(frozen=True)
class Manifest:
    """What a data set holds: seen = rows + exclusions + rejections.

    Attributes:
        rows: `schema.MANIFEST`, one row an image; `schema.EXAMINED` before a reader has finished.
        exclusions: `schema.EXCLUSIONS`, files left out by a rule.
        rejections: `schema.REJECTIONS`, files with a fault, and files that a table names and that
            are not there (`missing-file`).
    """

    rows: pa.Table
    exclusions: pa.Table
    rejections: pa.Table

    @property
    def seen(self) -> int:
        """How many files were looked at, and looked for in vain."""
        tables = (self.rows, self.exclusions, self.rejections)
        return sum(int(table.num_rows) for table in tables)

    @classmethod
    def of_rows(
        cls,
        rows: Iterable[Row] = (),
        exclusions: Iterable[Row] = (),
        rejections: Iterable[Row] = (),
        schema: pa.Schema = MANIFEST,
    ) -> Self:
        """The tables of rows made by a reader, `excluded_row` and `rejected_row`."""
        return cls(
            pa.Table.from_pylist(list(rows), schema),
            pa.Table.from_pylist(list(exclusions), EXCLUSIONS),
            pa.Table.from_pylist(list(rejections), REJECTIONS),
        )

    @classmethod
    def joined(cls, chunks: Iterable[Self], schema: pa.Schema = MANIFEST) -> Self:
        """All chunks as one; none gives three empty tables."""
        parts = list(chunks)
        return cls(
            pa.concat_tables([schema.empty_table(), *(part.rows for part in parts)]),
            pa.concat_tables([EXCLUSIONS.empty_table(), *(part.exclusions for part in parts)]),
            pa.concat_tables([REJECTIONS.empty_table(), *(part.rejections for part in parts)]),
        )

    def sorted(self) -> Self:
        """The same tables, each sorted by `image_id`, the rows cut to `schema.MANIFEST`."""
        return type(self)(
            self.rows.select(MANIFEST.names).cast(MANIFEST).sort_by("image_id").combine_chunks(),
            self.exclusions.sort_by(_BY_IMAGE),
            self.rejections.sort_by(_BY_IMAGE),
        )


def excluded_row(
    image_id: str, uri: str, rule: ExclusionRule, detail: str, row: Mapping[str, object]
) -> Row:
    """A row of `schema.EXCLUSIONS`; `row` gives what is known of whose image it is."""
    return _left_out(image_id, uri, row, rule=str(rule), detail=detail)


def rejected_row(image_id: str, uri: str, fault: ImageRejected, row: Mapping[str, object]) -> Row:
    """A row of `schema.REJECTIONS`; `row` gives what is known of whose image it is."""
    where = {"stage": str(Stage.MANIFEST), "reason": fault.reason, "detail": fault.detail}
    return _left_out(image_id, uri, row, **where)


def _left_out(image_id: str, uri: str, row: Mapping[str, object], **columns: object) -> Row:
    identity = {name: row.get(name) for name in IDENTITY_COLUMNS}
    return {**identity, "image_id": image_id, "uri": uri, **columns}
