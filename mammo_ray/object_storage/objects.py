"""Single objects: read whole or by range, put whole, looked for, removed."""

import functools
import uuid
from typing import TYPE_CHECKING, Any

from mammo_ray.errors import InputError
from mammo_ray.object_storage.connection import encryption
from mammo_ray.object_storage.faults import (
    BrokenBody,
    attempt,
    error_code,
    split_uri,
)
from mammo_ray.object_storage.listing import list_objects
from mammo_ray.object_storage.multipart import PIECE_BYTES, put_in_pieces

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

_TAKEN = frozenset({"PreconditionFailed", "412"})


def read_object(uri: str, start: int = 0, length: int | None = None) -> bytes:
    """Content of an object, or `length` bytes of it from `start`.

    Raises:
        FileNotFoundError: no such object.
        StorageError: reading failed in any other way.
    """
    from botocore.exceptions import ClientError

    if length == 0:
        return b""
    bucket, key = split_uri(uri)
    end = "" if length is None else str(start + length - 1)
    wanted: dict[str, Any] = (
        {} if start == 0 and length is None else {"Range": f"bytes={start}-{end}"}
    )

    def _read(client: "S3Client") -> bytes:
        try:
            return _body(client.get_object(Bucket=bucket, Key=key, **wanted))
        except ClientError as error:
            if error_code(error) == "InvalidRange":
                return b""  # as a local file answers past its end
            raise

    return attempt(uri, _read)


def _body(answer: "GetObjectOutputTypeDef") -> bytes:
    """The content of an answer, no byte short of what its head promised."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    try:
        content = answer["Body"].read()
    except (BotoCoreError, HTTPError, OSError) as error:
        raise BrokenBody from error
    promised = answer.get("ContentLength")
    if promised is not None and len(content) != promised:
        raise BrokenBody(f"{len(content)} of {promised} bytes came")
    return content


def object_exists(uri: str) -> bool:
    """Whether an object is there; a prefix is never one.

    Raises:
        StorageError: the bucket is missing, or could not be asked.
    """
    bucket, key = split_uri(uri)
    if not key or key.endswith("/"):
        return False
    try:
        attempt(uri, lambda client: client.head_object(Bucket=bucket, Key=key))
    except FileNotFoundError:
        # The answer to a HEAD has no words: 404 is also said where there is no bucket.
        _require_bucket(bucket)
        return False
    return True


@functools.lru_cache(maxsize=64)
def _require_bucket(bucket: str) -> None:
    """Ask once a process in a way that is answered in words; remembered only if it is there."""
    attempt(f"s3://{bucket}", lambda client: client.list_objects_v2(Bucket=bucket, MaxKeys=1))


def put_object(uri: str, content: bytes) -> None:
    """Put an object whole: in one request, or, when it is big, in pieces that appear at once.

    Raises:
        StorageError: it failed; what stood there before still stands.
    """
    _put(uri, content, {})


def put_new_object(uri: str, content: bytes) -> bool:
    """Put an object unless one is there, where the store can tell (see `first_writer_wins`).

    Returns:
        Whether the object was put; an attempt of ours whose answer got lost counts as another's.

    Raises:
        StorageError: it failed for another reason.
    """
    from botocore.exceptions import ClientError

    def _try(client: "S3Client") -> bool:
        try:
            _put_once(client, uri, content, {"IfNoneMatch": "*"})
        except ClientError as error:
            if error_code(error) in _TAKEN:
                return False
            raise
        return True

    return attempt(uri, _try)


def first_writer_wins(root: str) -> bool:
    """Whether the store holds to `If-None-Match: *`, tried with an object of a few bytes.

    Raises:
        StorageError: nothing could be written below the root.
    """
    probe = f"{root.rstrip('/')}/.probe-{uuid.uuid4().hex}"
    try:
        return put_new_object(probe, b"1") and not put_new_object(probe, b"2")
    finally:
        delete_object(probe)


def _put(uri: str, content: bytes, condition: dict[str, Any]) -> None:
    attempt(uri, lambda client: _put_once(client, uri, content, condition))


def _put_once(client: "S3Client", uri: str, content: bytes, condition: dict[str, Any]) -> None:
    bucket, key = split_uri(uri)
    if len(content) > PIECE_BYTES:
        put_in_pieces(client, (bucket, key), content, condition)
        return
    arguments = {**encryption(), **condition}
    client.put_object(Bucket=bucket, Key=key, Body=content, **arguments)


def delete_object(uri: str) -> None:
    """Remove an object; one that is not there is no error."""
    bucket, key = split_uri(uri)
    try:
        attempt(uri, lambda client: client.delete_object(Bucket=bucket, Key=key))
    except FileNotFoundError:
        return


def delete_prefix(root: str) -> None:
    """Remove every object below a prefix, one by one: not every store takes lists."""
    try:
        for _, uri, _ in list_objects(root):
            delete_object(uri)
    except InputError:
        return
