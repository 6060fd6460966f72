"""Every requested file examined once, in this process or by Ray Data."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from mammo_ray.datasets.examine import Examination, examine_files
from mammo_ray.datasets.manifest import Manifest
from mammo_ray.datasets.source import Look, Request
from mammo_ray.dicom.sandbox import shared_sandbox
from mammo_ray.distributed.progress import follow
from mammo_ray.distributed.session import ray_session
from mammo_ray.schema import EXAMINED
from mammo_ray.storage import StoredFile

# Below so much work one process is quicker than a start of Ray: in files, one with pixels as ten.
_FILES_FOR_RAY = 5_000
_COST_OF_PIXELS = 10
_FILES_PER_TASK = 500
_TABLES = ("rows", "exclusions", "rejections")


def examine_all(requests: list[Request], how: Examination, address: str | None) -> Manifest:
    """What all requested files say of themselves, `schema.EXAMINED`.

    Args:
        requests: files, each once.
        how: ids, rules and limits.
        address: of a Ray cluster; used where the files are many.
    """
    cost = sum(_COST_OF_PIXELS if r.look == Look.PIXELS else 1 for r in requests)
    many = cost > _FILES_FOR_RAY and how.opened
    pieces = [requests[k : k + _FILES_PER_TASK] for k in range(0, len(requests), _FILES_PER_TASK)]
    chunks = _examine_on_ray(pieces, how, address) if many else _examine_here(pieces, how)
    return Manifest.joined(chunks, EXAMINED)


def _examine_here(pieces: list[list[Request]], how: Examination) -> list[Manifest]:
    chunks = follow(pieces, len(pieces), "manifest", "chunk")
    return [_examine(piece, how) for piece in chunks]


def _examine(requests: list[Request], how: Examination) -> Manifest:
    looks = any(request.look == Look.PIXELS for request in requests) and how.opened
    decode = how.config.decode
    sandbox = shared_sandbox(decode.memory_megabytes) if looks and decode.sandbox else None
    return examine_files(requests, how, sandbox)


def _examine_on_ray(
    pieces: list[list[Request]], how: Examination, address: str | None
) -> list[Manifest]:
    """Files examined by Ray Data, a piece of the listing a task."""
    # Imported before the session: so its loggers are there to be quieted.
    import ray.data

    from mammo_ray.distributed.pipeline import MAX_RETRIES, finite_retries

    with ray_session(address):
        items = [
            {"requests": [{**vars(r.file), "look": str(r.look)} for r in piece]} for piece in pieces
        ]
        with finite_retries():
            packed = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
                partial(_examine_chunk, how=how),
                batch_size=None,
                batch_format="pyarrow",
                max_retries=MAX_RETRIES,
            )
        rows = follow(packed.iter_rows(), len(items), "manifest", "chunk")
        return [_unpack(row) for row in rows]


def _examine_chunk(batch: pa.Table, how: Examination) -> pa.Table:
    """One piece of the listing, its three tables packed as Arrow IPC in one row."""
    found = [_examine(list(_requests(item["requests"])), how) for item in batch.to_pylist()]
    packed = [{name: _pack(getattr(m, name)) for name in _TABLES} for m in found]
    return pa.Table.from_pylist(packed, pa.schema([(name, pa.binary()) for name in _TABLES]))


def _requests(items: list[dict[str, Any]]) -> Iterator[Request]:
    for item in items:
        look = Look(item.pop("look"))
        yield Request(StoredFile(**item), look)


def _unpack(row: dict[str, bytes]) -> Manifest:
    return Manifest(**{name: pa.ipc.open_stream(row[name]).read_all() for name in _TABLES})


def _pack(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
