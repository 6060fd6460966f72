"""Reads a small data set as the command does, in this process."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mammo_ray import storage
from mammo_ray.config import Config, DataConfig
from mammo_ray.datasets.examine import Examination, examine_files
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import FileIndex, Reader, Source
from mammo_ray.schema import EXCLUSIONS, MANIFEST, REJECTIONS, RejectionReason

NAME, KEY = "small", "key"


def source_of(
    root: Path, settings: DataConfig | None = None, *, tables_only: bool = False
) -> Source:
    """The data set below a folder."""
    index = FileIndex(tuple(storage.list_files(str(root))))
    settings = settings or DataConfig()
    return Source(str(root), index, NAME, KEY, tables_only=tables_only, settings=settings)


def read(
    make: Callable[[Source], Reader],
    root: Path,
    settings: DataConfig | None = None,
    *,
    tables_only: bool = False,
) -> Manifest:
    """The manifest of a folder; every file is in it exactly once, and its tables are valid."""
    source = source_of(root, settings, tables_only=tables_only)
    reader = make(source)
    how = Examination(NAME, KEY, Config(recipe="test"), opened=not tables_only)
    manifest = reader.finish(examine_files(reader.requests(), how))
    tables = (manifest.rows, manifest.exclusions, manifest.rejections)
    for table, schema in zip(tables, (MANIFEST, EXCLUSIONS, REJECTIONS), strict=True):
        assert table.schema.equals(schema)
    uris = [uri for table in tables for uri in column(table, "uri")]
    assert len(set(uris)) == len(uris)
    assert set(uris) >= {file.uri for file in source.index.files}
    missing = set(uris) - {file.uri for file in source.index.files}
    reasons = zip(*(column(manifest.rejections, name) for name in ("uri", "reason")), strict=True)
    assert missing == {uri for uri, reason in reasons if reason == RejectionReason.MISSING_FILE}
    return manifest


def column(table: pa.Table, name: str) -> list[object]:
    """Values of a column."""
    values: list[object] = table.column(name).to_pylist()
    return values


def by_path(table: pa.Table, root: Path) -> dict[str, dict[str, object]]:
    """Rows by path below the root."""
    return {Path(row["uri"]).relative_to(root).as_posix(): row for row in table.to_pylist()}


def write_image(
    path: Path, pixels: npt.NDArray[np.integer] | None = None, shape: tuple[int, int] = (12, 10)
) -> Path:
    """An image file in the format of its suffix; by default a gradient."""
    if pixels is None:
        pixels = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    written, content = cv2.imencode(path.suffix, pixels)
    assert written
    path.write_bytes(bytes(content))
    return path
