"""A data set about to be read: its listing, its tables, and what its reader asks for.

One listing answers every question about paths: no reader asks storage whether a file exists.
"""

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol

import pandas as pd

from mammo_ray import storage
from mammo_ray.config import DataConfig
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.errors import InputError
from mammo_ray.identifiers import keyed_id
from mammo_ray.storage import StoredFile

_DRIVE = re.compile(r"^[A-Za-z]:")


class Look(StrEnum):
    """How closely a file is to be looked at."""

    HEADER = "header"
    PIXELS = "pixels"


@dataclass(frozen=True)
class Request:
    """A file that is to be opened, once."""

    file: StoredFile
    look: Look = Look.HEADER


@dataclass(frozen=True)
class FileIndex:
    """The names of a listing, found by path, by folder name or by file name.

    Attributes:
        files: the listing, sorted by relative path.
    """

    files: tuple[StoredFile, ...]

    @cached_property
    def by_path(self) -> dict[str, StoredFile]:
        """Every file by its relative path."""
        return {file.relative_path: file for file in self.files}

    @cached_property
    def by_folder(self) -> dict[str, list[StoredFile]]:
        """The files of every folder, by the folder's own name (its last part)."""
        found: defaultdict[str, list[StoredFile]] = defaultdict(list)
        for file in self.files:
            found[file.relative_path.rpartition("/")[0].rpartition("/")[2]].append(file)
        return dict(found)

    @cached_property
    def by_name(self) -> dict[str, list[StoredFile]]:
        """The files of every file name, whatever their folder."""
        found: defaultdict[str, list[StoredFile]] = defaultdict(list)
        for file in self.files:
            found[file.relative_path.rpartition("/")[2]].append(file)
        return dict(found)

    def with_suffix(self, *suffixes: str) -> list[StoredFile]:
        """Files whose name ends in one of the suffixes, whatever their case."""
        return [file for file in self.files if file.relative_path.lower().endswith(suffixes)]


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes:
        root: folder or `s3://` prefix.
        index: what lies below the root.
        dataset: name that goes into every `image_id`.
        key: from `identifiers.hash_key`.
        tables: listing of another folder that holds the data set's tables; None: they lie below
            the root.
        tables_only: no file but the tables may be opened.
        settings: section `data` of the configuration.
    """

    root: str
    index: FileIndex
    dataset: str
    key: str
    tables: FileIndex | None = None
    tables_only: bool = False
    settings: DataConfig = field(default_factory=DataConfig)

    def image_id(self, relative_path: str) -> str:
        """The id of the image in a file."""
        return keyed_id("img", self.key, self.dataset, relative_path)

    def table_files(self) -> tuple[StoredFile, ...]:
        """Every file among which the data set's tables are looked for."""
        return (self.tables or self.index).files


class Reader(Protocol):
    """Reads one layout: made from a `Source`, whose tables it reads and checks at once.

    Making one raises `InputError` where the folder is not of the layout or a table is not what it
    should be; nothing has been written by then.
    """

    def requests(self) -> Iterable[Request]:
        """The files to open, each at most once; the others are known by their names."""
        ...

    def finish(self, examined: Manifest) -> Manifest:
        """The manifest.

        Args:
            examined: rows of `schema.EXAMINED`, one for every requested file that could be read,
                with everything its header says, `image_id`, `uri` and `bytes`; exclusions and
                rejections for the other requested files. Where `Source.tables_only` is set, rows
                hold nothing but `image_id`, `uri` and `bytes`.

        Returns:
            Every file of the listing exactly once, in rows, exclusions or rejections, and a
            rejection `missing-file` for every file that a table names and the listing lacks.
        """
        ...


def require_relative_path(text: str, where: str) -> str:
    """A path of a table as a relative path with `/` that cannot leave the root.

    White space around it and line breaks in it are dropped, as published tables hold them.

    Args:
        text: the path as the table has it.
        where: table, line and column, for the error message.

    Raises:
        InputError: empty, absolute, with `..`, a backslash or a drive letter.
    """
    path = re.sub(r"[\r\n]+", "", text).strip()
    parts = PurePosixPath(path).parts
    leaves = path.startswith("/") or "\\" in path or ".." in parts or _DRIVE.match(path)
    if leaves or not parts or "\x00" in path:
        raise InputError(f"{where}: {text[:80]!r} is not a relative path inside the data set")
    return "/".join(part for part in parts if part != ".")


def read_csv_table(file: StoredFile, required: Sequence[str], separator: str = ",") -> pd.DataFrame:
    """A table of strings, empty where a field is empty; names of columns are stripped.

    Raises:
        InputError: not text in UTF-8, not CSV, rows with more fields than the header, no rows, or a
            required column is not there; the message names the columns found.
    """
    name = PurePosixPath(file.relative_path).name
    try:
        text = storage.read_bytes(file.uri).decode("utf-8-sig")
        table = pd.read_csv(
            io.StringIO(text), sep=separator, dtype="str", keep_default_na=False, low_memory=False
        )
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"table {name} cannot be read: {type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"table {name} is not text in UTF-8: {error}") from error
    except ValueError as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"table {name} is not a CSV table: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much as row names
        raise InputError(f"table {name} has rows with more fields than its header")
    table.columns = table.columns.str.strip()
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise InputError(
            f"table {name} lacks the columns {missing}; it has {sorted(table.columns)}"
        )
    if table.empty:
        raise InputError(f"table {name} has no rows")
    return table


def find_table(source: Source, name: str) -> StoredFile:
    """The one table file of that name (any folder, any case).

    Raises:
        InputError: there is none, or more than one.
    """
    found = [
        file
        for file in source.table_files()
        if PurePosixPath(file.relative_path).name.lower() == name.lower()
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"{name} was expected and is not there; seen: {seen_names(source)}")
    raise InputError(f"{name} was expected once and is there {len(found)} times")


def seen_names(source: Source) -> str:
    """A short account of what lies in a folder, for an error message: tops and suffixes."""
    files = source.table_files()
    tops = sorted({file.relative_path.split("/")[0] for file in files})
    suffixes = pd.Series([PurePosixPath(f.relative_path).suffix.lower() for f in files])
    counts = ", ".join(f"{n} {s or 'without suffix'}" for s, n in suffixes.value_counts().items())
    shown = ", ".join(tops[:8]) + (" ..." if len(tops) > 8 else "")
    return f"{shown} ({counts})" if files else "nothing"
