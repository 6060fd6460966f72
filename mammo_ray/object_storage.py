"""Objects under `s3://bucket/key` addresses, by boto3 and pyarrow.fs on the same settings.

Credentials come from the standard AWS chain, the endpoint from `AWS_ENDPOINT_URL`. `storage` puts
local files and these behind one interface; nothing else calls this module.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow.fs as pafs

from mammo_ray.errors import InputError, StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A missing bucket is no missing file: the store itself is not what was expected.
_NOT_FOUND = {"404", "NoSuchKey", "NotFound"}


def list_objects(root: str) -> Iterator[tuple[str, str, int]]:
    """Relative name, URI and size of every object under a prefix.

    Raises:
        InputError: no object has the prefix.
        StorageError: the listing failed.
    """
    bucket, prefix = _split(root)
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    found = False
    with _s3_errors(root):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                found = True
                if not item["Key"].endswith("/"):
                    relative = item["Key"].removeprefix(prefix)
                    yield relative, f"s3://{bucket}/{item['Key']}", item["Size"]
    if not found:
        raise InputError(f"root {root} does not exist: no object has this prefix")


def read_object(uri: str, start: int, length: int | None) -> bytes:
    """Content of an object, or `length` bytes of it from `start`.

    Raises:
        FileNotFoundError: no such object.
        StorageError: reading failed in any other way.
    """
    if length == 0:
        return b""
    bucket, key = _split(uri)
    end = "" if length is None else str(start + length - 1)
    with _s3_errors(uri):
        try:
            if start == 0 and length is None:
                return client().get_object(Bucket=bucket, Key=key)["Body"].read()
            answer = client().get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end}")
            return answer["Body"].read()
        except client().exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRange":
                return b""  # as a local file answers past its end
            raise


def object_exists(uri: str) -> bool:
    """Whether an object is there; a prefix is never one."""
    bucket, key = _split(uri)
    if not key or key.endswith("/"):
        return False
    with _s3_errors(uri):
        try:
            client().head_object(Bucket=bucket, Key=key)
        except client().exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _NOT_FOUND:
                return False
            raise
    return True


def put_object(uri: str, content: bytes) -> None:
    """Put an object whole, in one request."""
    bucket, key = _split(uri)
    with _s3_errors(uri):
        client().put_object(Bucket=bucket, Key=key, Body=content)


def delete_object(uri: str) -> None:
    """Remove an object; one that is not there is no error."""
    bucket, key = _split(uri)
    with _s3_errors(uri):
        client().delete_object(Bucket=bucket, Key=key)


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise InputError(f"{uri!r} names no bucket; expected s3://bucket/key")
    return bucket, key


@functools.cache
def client_of_process(_process_id: int) -> "S3Client":
    """One client a process: boto3 clients do not survive a fork."""
    import boto3
    from botocore.config import Config

    settings = Config(
        retries={"mode": "standard", "max_attempts": 6},
        connect_timeout=5,
        read_timeout=30,
        s3={"addressing_style": "path"} if os.environ.get("AWS_ENDPOINT_URL") else None,
    )
    return boto3.client("s3", config=settings)


def client() -> "S3Client":
    """The client of this process."""
    return client_of_process(os.getpid())


@functools.cache
def arrow_filesystem() -> pafs.FileSystem:
    """Arrow's file system on the same endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return pafs.S3FileSystem(**({"endpoint_override": endpoint} if endpoint else {}))


@contextmanager
def _s3_errors(uri: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "unknown")
        if code in _NOT_FOUND:
            raise FileNotFoundError(f"no object under this address ({code})") from error
        raise StorageError(f"object storage refused {_split(uri)[0]}: {code}") from error
    except BotoCoreError as error:
        raise StorageError(f"object storage failed: {type(error).__name__}") from error
