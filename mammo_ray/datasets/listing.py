"""A listing made elsewhere: a CSV or Parquet table of names instead of asking storage."""

import io
from itertools import pairwise

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mammo_ray import storage
from mammo_ray.datasets.source import require_relative_path
from mammo_ray.errors import InputError
from mammo_ray.storage import StoredFile

# Columns that make up a path, in the order in which they are looked for.
_PATHS = (("path",), ("key",), ("series_instance_uid", "file"))
_SIZES = ("bytes", "size")


def read_listing(uri: str, root: str, *, sizes_needed: bool) -> list[StoredFile]:
    """The files that a listing names, sorted by relative path; sizes that it lacks are 0.

    Args:
        uri: CSV or Parquet with a column `path` (or `key`, or `series_instance_uid` and `file`)
            relative to the root, and optionally `bytes` (or `size`).
        root: folder or prefix below which the files lie.
        sizes_needed: the files are going to be opened, which takes their sizes.

    Raises:
        InputError: not such a table, no sizes where they are needed, a path that leaves the root,
            or a path that stands twice.
    """
    table = _read(uri)
    columns = next((names for names in _PATHS if set(names) <= set(table.columns)), None)
    if columns is None:
        raise InputError(
            f"listing {uri} has the columns {sorted(table.columns)}; expected 'path', 'key', or "
            "'series_instance_uid' and 'file'"
        )
    paths = ("/".join(parts) for parts in zip(*(table[name] for name in columns), strict=True))
    size = next((name for name in _SIZES if name in table.columns), None)
    if size is None and sizes_needed:
        raise InputError(f"listing {uri} has no column 'bytes' or 'size'; opening files needs it")
    sizes = pd.to_numeric(table[size], errors="coerce").fillna(-1) if size else [0] * len(table)
    files = []
    for line, (text, count) in enumerate(zip(paths, sizes, strict=True), start=2):
        path = require_relative_path(text, f"listing line {line}")
        if count < 0:
            raise InputError(f"listing line {line}: {size} is not a number of bytes")
        files.append(StoredFile(path, storage.join(root, path), int(count)))
    files.sort()
    for before, after in pairwise(files):
        if before.relative_path == after.relative_path:
            raise InputError(f"listing {uri} names a path twice: {len(files)} lines")
    return files


def _read(uri: str) -> pd.DataFrame:
    """The table, every value a string, empty where it is null."""
    try:
        content = storage.read_bytes(uri)
        if uri.lower().endswith(".parquet"):
            frame: pd.DataFrame = pq.read_table(pa.BufferReader(content)).to_pandas()
        else:
            frame = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"listing {uri} cannot be read: {type(error).__name__}") from error
    except ValueError as error:  # pandas', Arrow's and Unicode's errors are ValueErrors
        raise InputError(f"listing {uri} is not a table: {error}") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame.astype("str").fillna("")
