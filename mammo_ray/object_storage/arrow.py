"""Arrow's file system for `s3://`: the same endpoint, region, timeouts and credentials as boto3's.

Arrow's own S3 file system keeps the credentials that it was made with, and pickles them. This one
asks boto3's session at every file that is opened, so that it works through a night of expiring
credentials, and carries none when Ray sends it to a worker.
"""

import functools
import io
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from mammo_ray.object_storage.connection import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Connection,
    connection,
)
from mammo_ray.object_storage.faults import attempt_arrow
from mammo_ray.object_storage.objects import delete_object, delete_prefix, put_object

_Found = TypeVar("_Found")


def arrow_filesystem() -> pafs.FileSystem:
    """Arrow's view of all buckets; paths are `bucket/key`."""
    return pafs.PyFileSystem(_Buckets())


class _Buckets(pafs.FileSystemHandler):
    """Reads by Arrow's S3 file system on fresh credentials, writes and removes by ours."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Buckets)

    def __hash__(self) -> int:
        return hash(_Buckets)

    def get_type_name(self) -> str:
        return "s3"

    def normalize_path(self, path: str) -> str:
        return path.rstrip("/")

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return _on_arrow(paths[0] if paths else "", lambda s3: s3.get_file_info(paths))

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        return _on_arrow(selector.base_dir, lambda s3: s3.get_file_info(selector))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return _on_arrow(path, lambda s3: s3.open_input_stream(path))

    def open_input_file(self, path: str) -> pa.NativeFile:
        return _on_arrow(path, lambda s3: s3.open_input_file(path))

    def open_output_stream(self, path: str, _metadata: dict[str, str] | None) -> pa.NativeFile:
        return pa.PythonFile(_WholeObject(path), mode="w")

    def open_append_stream(self, _path: str, _metadata: dict[str, str] | None) -> pa.NativeFile:
        raise OSError("objects are put whole; nothing can be added to one")

    def create_dir(self, path: str, recursive: bool) -> None:
        _on_arrow(path, lambda s3: s3.create_dir(path, recursive=recursive))

    def delete_dir(self, path: str) -> None:
        self.delete_dir_contents(path)

    def delete_dir_contents(self, path: str, _missing_dir_ok: bool = True) -> None:
        delete_prefix(_uri(path))

    def delete_root_dir_contents(self) -> None:
        raise OSError("buckets are not emptied from here")

    def delete_file(self, path: str) -> None:
        delete_object(_uri(path))

    def move(self, src: str, dest: str) -> None:
        self.copy_file(src, dest)
        self.delete_file(src)

    def copy_file(self, src: str, dest: str) -> None:
        _on_arrow(src, lambda s3: s3.copy_file(src, dest))


class _WholeObject(io.BytesIO):
    """Collects what is written, and puts it as one object when it is closed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._uri = _uri(path)

    def __del__(self) -> None:
        """A stream that nobody closed puts nothing: the base class would close it."""
        super().close()

    def close(self) -> None:
        """Put what was written; called again, nothing."""
        if not self.closed:
            content = self.getvalue()
            super().close()
            put_object(self._uri, content)


def _on_arrow(path: str, action: Callable[[Any], _Found]) -> _Found:
    return attempt_arrow(_uri(path), lambda: action(_arrow_of_this_moment()))


def _arrow_of_this_moment() -> pafs.FileSystem:
    used = connection()
    keys = used.credentials()
    return _arrow_of(used, (keys.access_key, keys.secret_key, keys.token) if keys else None)


@functools.lru_cache(maxsize=4)
def _arrow_of(used: Connection, keys: tuple[str, str, str | None] | None) -> pafs.FileSystem:
    settings: dict[str, Any] = {
        "region": used.region,
        "connect_timeout": CONNECT_SECONDS,
        "request_timeout": READ_SECONDS,
        "retry_strategy": pafs.AwsStandardS3RetryStrategy(max_attempts=used.attempts),
        "force_virtual_addressing": used.virtual_hosts,
    }
    if used.endpoint:
        settings["endpoint_override"] = used.endpoint
    if used.ca_bundle:
        settings["tls_ca_file_path"] = used.ca_bundle
    if keys:
        settings |= {"access_key": keys[0], "secret_key": keys[1], "session_token": keys[2]}
    return pafs.S3FileSystem(**settings)


def _uri(path: str) -> str:
    return f"s3://{path}"
