"""Big objects in pieces: the object appears whole when the last request is done, or not at all."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mammo_ray.object_storage.connection import encryption
from mammo_ray.object_storage.faults import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PIECE_BYTES = 32 << 20
_AT_ONCE = 4
_TOKEN = "mammo-upload"  # noqa: S105 (the name of a metadata field)


def put_in_pieces(
    client: "S3Client", place: tuple[str, str], content: bytes, condition: dict[str, Any]
) -> None:
    """Put an object in pieces, and take the pieces back where anything goes wrong.

    Args:
        client: of this process.
        place: bucket and key.
        content: more than one piece.
        condition: of the last request, such as `IfNoneMatch`.

    Raises:
        botocore.exceptions.ClientError: the store refused.
        botocore.exceptions.BotoCoreError: the store could not be reached.
    """
    bucket, key = place
    token = uuid.uuid4().hex
    upload = client.create_multipart_upload(
        Bucket=bucket, Key=key, Metadata={_TOKEN: token}, **encryption()
    )["UploadId"]
    try:
        parts = _send(client, place, upload, content)
        _complete(client, place, upload, parts, condition, token)
    except BaseException:
        _abort(client, place, upload)
        raise


def _send(
    client: "S3Client", place: tuple[str, str], upload: str, content: bytes
) -> list["CompletedPartTypeDef"]:
    whole = memoryview(content)

    def _piece(number: int) -> "CompletedPartTypeDef":
        start = (number - 1) * PIECE_BYTES
        answer = client.upload_part(
            Bucket=place[0],
            Key=place[1],
            UploadId=upload,
            PartNumber=number,
            Body=bytes(whole[start : start + PIECE_BYTES]),
        )
        return {"ETag": answer["ETag"], "PartNumber": number}

    pieces = -(-len(content) // PIECE_BYTES)
    with ThreadPoolExecutor(_AT_ONCE) as senders:
        return list(senders.map(_piece, range(1, pieces + 1)))


def _complete(
    client: "S3Client",
    place: tuple[str, str],
    upload: str,
    parts: list["CompletedPartTypeDef"],
    condition: dict[str, Any],
    token: str,
) -> None:
    """Make the object of its pieces; a lost answer is told from a lost upload by our token."""
    from botocore.exceptions import ClientError

    try:
        client.complete_multipart_upload(
            Bucket=place[0],
            Key=place[1],
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            **condition,
        )
    except ClientError as error:
        if error_code(error) != "NoSuchUpload" or not _is_ours(client, place, token):
            raise


def _is_ours(client: "S3Client", place: tuple[str, str], token: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        head = client.head_object(Bucket=place[0], Key=place[1])
    except ClientError:
        return False
    return head["Metadata"].get(_TOKEN) == token


def _abort(client: "S3Client", place: tuple[str, str], upload: str) -> None:
    """Take the pieces back; where even that fails, the bucket's lifecycle rule has to."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    with suppress(BotoCoreError, ClientError, HTTPError):
        client.abort_multipart_upload(Bucket=place[0], Key=place[1], UploadId=upload)
