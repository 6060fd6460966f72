"""Objects under `s3://bucket/key` addresses, by boto3 and pyarrow.fs on the same settings.

`storage` puts local files and these behind one interface; nothing else calls this package.
"""

from mammo_ray.object_storage.arrow import arrow_filesystem
from mammo_ray.object_storage.connection import client, reconnect
from mammo_ray.object_storage.faults import arrow_failure, is_failure
from mammo_ray.object_storage.listing import list_objects, top_of_prefix
from mammo_ray.object_storage.objects import (
    delete_object,
    delete_prefix,
    first_writer_wins,
    object_exists,
    put_new_object,
    put_object,
    read_object,
)

__all__ = [
    "arrow_failure",
    "arrow_filesystem",
    "client",
    "delete_object",
    "delete_prefix",
    "first_writer_wins",
    "is_failure",
    "list_objects",
    "object_exists",
    "put_new_object",
    "put_object",
    "read_object",
    "reconnect",
    "top_of_prefix",
]
