"""Local paths and `s3://` addresses behind one small interface.

A URI is a local path or `s3://bucket/key`. Objects are put whole: a reader sees the old content,
the new content or nothing. Objects travel by boto3, Parquet by pyarrow.fs, on the same endpoint,
region and credentials (the standard AWS chain).
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from mammo_ray import object_storage
from mammo_ray.errors import InputError, StorageError


@dataclass(frozen=True, order=True)
class StoredFile:
    """One file of a listing; `relative_path` is under the listed root, with `/`."""

    relative_path: str
    uri: str
    bytes: int


def is_s3(uri: str) -> bool:
    """Whether a URI names object storage."""
    return uri.startswith("s3://")


def absolute(uri: str) -> str:
    """The URI as workers in any folder understand it: local paths become absolute."""
    return uri if is_s3(uri) else str(Path(uri).expanduser().absolute())


def join(uri: str, *parts: str) -> str:
    """The URI of something below a folder or prefix."""
    if is_s3(uri):
        return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])
    return str(Path(uri, *parts))


def parent(uri: str) -> str:
    """The folder or prefix that holds a file."""
    return uri.rstrip("/").rpartition("/")[0] if is_s3(uri) else str(Path(uri).parent)


def is_below(uri: str, root: str) -> bool:
    """Whether a URI is a folder or lies in it."""
    if is_s3(uri) != is_s3(root):
        return False
    if is_s3(uri):
        return f"{uri.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")
    return Path(uri).resolve().is_relative_to(Path(root).resolve())


def list_files(root: str) -> list[StoredFile]:
    """Every file below a folder or prefix, sorted by relative path; links are followed.

    Raises:
        InputError: the root does not exist or is not a folder.
        StorageError: the listing failed.
    """
    if is_s3(root):
        return sorted(StoredFile(*found) for found in object_storage.list_objects(root))
    return sorted(_list_local(Path(root)))


def list_top(root: str) -> tuple[list[str], list[StoredFile]]:
    """Names of the folders right below a root, and the files that lie in none of them.

    With `list_folder` for each of the folders this is `list_files`, cut so that many can list.

    Raises:
        InputError: the root does not exist or is not a folder.
        StorageError: the listing failed.
    """
    if is_s3(root):
        folders, objects = object_storage.top_of_prefix(root)
        return sorted(folders), sorted(StoredFile(*found) for found in objects)
    top = Path(root)
    _require_folder(top)
    names: list[str] = []
    files: list[StoredFile] = []
    for entry in _entries(top):
        if _is_folder(entry):
            names.append(entry.name)
        else:
            files.extend(_stored(top, entry))
    return names, sorted(files)


def list_folder(root: str, folder: str) -> list[StoredFile]:
    """Every file below one folder of a root, with paths relative to the root.

    Raises:
        StorageError: the listing failed.
    """
    if is_s3(root):
        found = object_storage.list_objects(f"{root.rstrip('/')}/{folder}")
        return sorted(StoredFile(f"{folder}/{path}", uri, size) for path, uri, size in found)
    top = Path(root)
    return sorted(_walk(top, top / folder, frozenset({_identity(top)})))


def read_bytes(uri: str, start: int = 0, length: int | None = None) -> bytes:
    """Content of a file, or `length` bytes of it from `start` (fewer at its end).

    Raises:
        FileNotFoundError: no such file.
        PermissionError: a local file that may not be read.
        StorageError: reading failed in any other way.
    """
    if is_s3(uri):
        return object_storage.read_object(uri, start, length)
    try:
        with Path(uri).open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        raise StorageError(f"a file could not be read: {error.strerror}") from error


def is_there(root: str) -> bool:
    """Whether a folder or prefix exists and holds anything; an unmounted share holds nothing."""
    if is_s3(root):
        try:
            return next(object_storage.list_objects(root), None) is not None
        except InputError:
            return False
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def exists(uri: str) -> bool:
    """Whether a file (not a folder) is there."""
    if not is_s3(uri):
        return _is_file(Path(uri))
    return object_storage.object_exists(uri)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # closed to us, or a link to itself
        return False


def write_bytes(uri: str, content: bytes) -> None:
    """Put a whole file atomically: temp and rename on disk, one PUT on S3.

    Raises:
        StorageError: writing failed; nothing is left under the name.
    """
    if is_s3(uri):
        object_storage.put_object(uri, content)
        return
    with _temporary_beside(Path(uri), content) as temporary:
        temporary.replace(uri)


def write_new(uri: str, content: bytes) -> bool:
    """Put a whole file atomically unless one stands there: of many writers, one is told True.

    On S3 this holds where the store enforces `If-None-Match: *` (`has_first_writer`); elsewhere
    the last writer wins and all are told True.

    Returns:
        Whether the file was put. An attempt whose answer got lost on the way back and was made
        again is told False: read the file to learn whose it is.

    Raises:
        StorageError: writing failed for another reason.
    """
    if is_s3(uri):
        return object_storage.put_new_object(uri, content)
    with _temporary_beside(Path(uri), content) as temporary:
        try:
            os.link(temporary, uri)
        except FileExistsError:
            return False
        return True


def has_first_writer(root: str) -> bool:
    """Whether `write_new` keeps its word below a root; on S3 tried with a few bytes.

    Raises:
        StorageError: nothing can be written there.
    """
    return object_storage.first_writer_wins(root) if is_s3(root) else True


@contextmanager
def _temporary_beside(target: Path, content: bytes) -> Iterator[Path]:
    """The content in a file beside the target, safely on disk, and gone at the end."""
    # The leading dot keeps a leftover of a crash out of every dataset reader.
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except OSError as error:
        raise StorageError(f"{target.name} could not be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(uri: str, text: str) -> None:
    """Put a whole UTF-8 text file atomically."""
    write_bytes(uri, text.encode())


def delete(uri: str) -> None:
    """Remove a file; one that is not there is no error."""
    if is_s3(uri):
        object_storage.delete_object(uri)
        return
    try:
        Path(uri).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"a file could not be removed: {error.strerror}") from error


def delete_folder(uri: str) -> None:
    """Remove a folder or prefix with all that is in it; one that is not there is no error."""
    if is_s3(uri):
        object_storage.delete_prefix(uri)
        return
    filesystem, path = filesystem_of(uri)
    if filesystem.get_file_info(path).type == pafs.FileType.Directory:
        filesystem.delete_dir(path)


def write_table(uri: str, table: pa.Table, row_group_size: int | None = None) -> None:
    """Put a table as one Parquet file atomically.

    Compressed by zstd level 1; binary columns (pixels) get no dictionary and no statistics.
    """
    sink = pa.BufferOutputStream()
    plain = [field.name for field in table.schema if not pa.types.is_binary(field.type)]
    pq.write_table(
        table,
        sink,
        row_group_size=row_group_size,
        compression="zstd",
        compression_level=1,
        use_dictionary=plain,
        write_statistics=plain,
    )
    write_bytes(uri, sink.getvalue().to_pybytes())


def read_table(
    uri: str, columns: list[str] | None = None, ids: tuple[str, str] | None = None
) -> pa.Table:
    """A Parquet file, or a folder of parts in the order of their names.

    Args:
        uri: a file or a folder.
        columns: only these columns.
        ids: only rows whose `image_id` lies in this closed range; fast where rows are sorted.

    Raises:
        InputError: nothing there, or not Parquet.
        StorageError: object storage failed.
    """
    filesystem, path = filesystem_of(uri)
    condition = [("image_id", ">=", ids[0]), ("image_id", "<=", ids[1])] if ids else None
    try:
        return pq.read_table(path, columns=columns, filesystem=filesystem, filters=condition)
    except (OSError, pa.ArrowInvalid) as error:
        raise parquet_fault(uri, error) from error


def read_schema(uri: str) -> pa.Schema:
    """Schema of a Parquet file, with its metadata.

    Raises:
        InputError: nothing there, or not Parquet.
        StorageError: object storage failed.
    """
    filesystem, path = filesystem_of(uri)
    try:
        return pq.read_schema(path, filesystem=filesystem)
    except (OSError, pa.ArrowInvalid) as error:
        raise parquet_fault(uri, error) from error


def parquet_fault(uri: str, error: Exception) -> InputError | StorageError:
    """What to raise where Parquet could not be read: storage is blamed only if it failed."""
    if is_s3(uri) and isinstance(error, OSError) and object_storage.is_failure(error):
        return object_storage.arrow_failure(uri, error)
    return InputError(f"{uri} cannot be read as Parquet: {error}")


def table_digest(table: pa.Table) -> str:
    """SHA-256 (first 32 hex digits) of a table's rows in their order."""
    sink = pa.BufferOutputStream()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_table(plain)
    return hashlib.sha256(sink.getvalue()).hexdigest()[:32]


def open_parts(folder: str, schema: pa.Schema) -> pads.Dataset:
    """The parts of a result folder as one dataset.

    Raises:
        InputError: there are none.
    """
    filesystem, path = filesystem_of(join(folder, "images"))
    try:
        return pads.dataset(path, format="parquet", filesystem=filesystem, schema=schema)
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no parts") from error


def filesystem_of(uri: str) -> tuple[pafs.FileSystem, str]:
    """The Arrow file system of a URI and the path in it."""
    if not is_s3(uri):
        return pafs.LocalFileSystem(), str(Path(uri).absolute())
    return object_storage.arrow_filesystem(), uri.removeprefix("s3://")


def _list_local(root: Path) -> Iterator[StoredFile]:
    _require_folder(root)
    return _walk(root, root, frozenset())


def _require_folder(root: Path) -> None:
    if not root.exists():
        raise InputError(f"root {root} does not exist")
    if not root.is_dir():
        raise InputError(f"root {root} is not a folder")


def _walk(root: Path, folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[StoredFile]:
    """Files below a folder; links to folders are followed, but never back up."""
    here = _identity(folder)
    if here in above:
        return
    for entry in _entries(folder):
        if _is_folder(entry):
            yield from _walk(root, Path(entry.path), above | {here})
        else:
            yield from _stored(root, entry)


def _identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from every other, whatever links lead to it."""
    try:
        status = folder.stat()
    except OSError as error:
        raise StorageError(f"a folder could not be listed: {error.strerror}") from error
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise StorageError(f"a folder could not be listed: {error.strerror}") from error


def _stored(root: Path, entry: "os.DirEntry[str]") -> Iterator[StoredFile]:
    """The file of an entry, or nothing where it was removed while its folder was read."""
    if os.path.lexists(entry.path):
        path = Path(entry.path)
        relative = _as_text(path.relative_to(root).as_posix())
        yield StoredFile(relative, _as_text(str(path)), _size_of(path))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a closed folder
        return False


def _size_of(path: Path) -> int:
    """Size of a file; 0 for what cannot be opened, so that it becomes a rejection, not a loss."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _as_text(name: str) -> str:
    """A name as UTF-8 text; bytes that are none are percent-encoded, and name no file then."""
    return name if _is_utf8(name) else quote(os.fsencode(name), safe="/")


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
