"""Listings of object storage, page by page."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from mammo_ray.errors import InputError
from mammo_ray.object_storage.faults import attempt, split_uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

# Relative name, URI and size of an object.
Listed = tuple[str, str, int]


def list_objects(root: str) -> Iterator[Listed]:
    """Relative name, URI and size of every object under a prefix, as the pages come.

    Raises:
        InputError: no object has the prefix.
        StorageError: the listing failed.
    """
    bucket, prefix = _place(root)
    found = False
    for page in _pages(root, Bucket=bucket, Prefix=prefix):
        found = found or bool(page.get("Contents"))
        yield from _listed(page, bucket, prefix)
    if not found:
        raise InputError(f"root {root} does not exist: no object has this prefix")


def top_of_prefix(root: str) -> tuple[list[str], list[Listed]]:
    """Names of the folders right below a prefix, and its own objects as `list_objects` gives them.

    Raises:
        StorageError: the listing failed.
    """
    bucket, prefix = _place(root)
    folders: list[str] = []
    objects: list[Listed] = []
    for page in _pages(root, Bucket=bucket, Prefix=prefix, Delimiter="/"):
        below = (entry["Prefix"] for entry in page.get("CommonPrefixes", []))
        folders.extend(name.removeprefix(prefix).rstrip("/") for name in below)
        objects.extend(_listed(page, bucket, prefix))
    return folders, objects


def _place(root: str) -> tuple[str, str]:
    bucket, prefix = split_uri(root)
    return bucket, f"{prefix.rstrip('/')}/" if prefix else ""


def _pages(root: str, **request: str) -> Iterator["ListObjectsV2OutputTypeDef"]:
    while True:
        page = attempt(root, partial(_page, request=request))
        yield page
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _page(client: "S3Client", request: dict[str, Any]) -> "ListObjectsV2OutputTypeDef":
    return client.list_objects_v2(**request)


def _listed(page: "ListObjectsV2OutputTypeDef", bucket: str, prefix: str) -> Iterator[Listed]:
    for item in page.get("Contents", []):
        if not item["Key"].endswith("/"):  # the mark of an empty folder
            yield item["Key"].removeprefix(prefix), f"s3://{bucket}/{item['Key']}", item["Size"]
