"""Where a data set comes from: one value for every command that reads one."""

from dataclasses import dataclass

from mammo_ray.schema import Layout


@dataclass(frozen=True)
class Origin:
    """A data set on disk or in object storage.

    Attributes:
        layout: how it lies there.
        root: folder or `s3://` prefix.
        tables: folder or prefix of the tables, where they do not lie below the root.
        listing: CSV or Parquet of the names below the root, instead of listing it.
        outcomes: CSV of labels for a layout that has none of its own.
        expected: CSV of the exams that should have come.
        tables_only: no file but the tables is opened; what needs a look is rejected.
    """

    layout: Layout
    root: str
    tables: str | None = None
    listing: str | None = None
    outcomes: str | None = None
    expected: str | None = None
    tables_only: bool = False
