"""`mammo check`: what is wrong with a data set, from its manifest and, on Ray Data, its pixels."""

import json
import logging
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Any

import pandas as pd
import pyarrow as pa

from mammo_ray import storage
from mammo_ray.config import Config, DecodeConfig
from mammo_ray.datasets.checks.all_checks import check_rows
from mammo_ray.datasets.checks.certificate import (
    certificate_words,
    make_certificate,
    write_certificate,
)
from mammo_ray.datasets.checks.finding import Finding, is_finding, table_of
from mammo_ray.datasets.checks.looks import LOOKS, look_at_image
from mammo_ray.datasets.checks.rows import CHECKED_COLUMNS, checked_rows, women_of
from mammo_ray.dicom.sandbox import Sandbox, shared_sandbox
from mammo_ray.distributed.manifest import locate_manifest, manifest_digest
from mammo_ray.distributed.progress import follow
from mammo_ray.distributed.session import cluster_cpus, ray_session
from mammo_ray.errors import ImageRejected, InputError, MammoError, StorageError
from mammo_ray.image_files.decode import decode_file
from mammo_ray.preprocess.mask_classes import MaskUnusable, classes_of
from mammo_ray.run_record import EXIT_FINDINGS, RunRecord
from mammo_ray.schema import RejectionReason

_log = logging.getLogger(__name__)

_MOST_IMAGES, _TASKS_PER_CPU = 256, 8  # of a task; where there are that many images
_NO_SUCH_CLASS = "gray values of no class"
_LOOKED_AT = ["image_id", "uri", "mask_uris", "mask_values"]


def check_manifest(
    manifest: str,
    config: Config,
    *,
    pixels: bool = False,
    address: str | None = None,
    out: str | None = None,
) -> tuple[RunRecord, int]:
    """Check a data set, write `check.json`, and put a certificate into the manifest's metadata.

    Args:
        manifest: the file or its folder.
        config: limits of decoding; what it names is checked too.
        pixels: decode every image and mask once.
        address: of a Ray cluster, for the pixels; None: a local Ray.
        out: folder of `check.json`; None: that of the manifest.

    Returns:
        The run record, whose details hold `table` (text for people) and `findings`, and the exit
        code: 4 where there are findings.

    Raises:
        InputError: no manifest, or an empty one.
        StorageError: storage failed.
    """
    record = RunRecord("check", config)
    uri, folder = locate_manifest(manifest)
    digest = manifest_digest(uri)
    frame = checked_rows(storage.read_table(uri, columns=CHECKED_COLUMNS))
    if frame.empty:
        raise InputError(f"{uri} has no rows: there is nothing to check")
    looks = _look(uri, config.decode, address) if pixels else None
    answers = check_rows(frame, config.model_dump(mode="json"), looks)
    certificate = make_certificate(digest, answers, pixels=pixels)
    record.counts = _counts(frame, looks, answers)
    record.inputs = {"manifest": digest}
    record.outputs = {"certificate": certificate["digest"]}
    trees = [answer.to_tree() for answer in answers]
    code = EXIT_FINDINGS if record.counts["findings"] else 0
    record.details = {"certificate_written": _certify(uri, certificate), "findings": trees}
    result = storage.join(out or folder, "check.json")
    tree = {"certificate": certificate, "counts": record.counts, "findings": trees}
    storage.write_text(result, json.dumps(tree, indent=1, allow_nan=False) + "\n")
    storage.write_text(f"{result}.run.json", record.to_json(code))
    record.details["table"] = (
        f"{table_of(answers, record.counts)}\ncertificate {certificate_words(certificate)}"
    )
    return record, code


def _certify(uri: str, certificate: dict[str, Any]) -> bool:
    """Whether the manifest could take its certificate; one that may not be written cannot."""
    try:
        write_certificate(uri, certificate)
    except StorageError as error:
        _log.warning("the manifest stays without its certificate: %s", error)
        return False
    return True


def _counts(
    frame: pd.DataFrame, looks: pd.DataFrame | None, answers: list[Finding]
) -> dict[str, int]:
    readable = looks[looks["reason"].isna()] if looks is not None else None
    return {
        "images": len(frame),
        "women": women_of(frame),
        "decoded": 0 if readable is None else int((readable["place"] < 0).sum()),
        "masks_decoded": 0 if readable is None else int((readable["place"] >= 0).sum()),
        "findings": sum(map(is_finding, answers)),
        "notes": sum(not is_finding(answer) for answer in answers),
    }


def _look(uri: str, config: DecodeConfig, address: str | None) -> pd.DataFrame:
    """One look at every image and mask of a manifest, by Ray Data, a range of image ids a task."""
    ids = sorted(set(storage.read_table(uri, columns=["image_id"]).column("image_id").to_pylist()))
    import ray.data  # before the session, which quiets its log
    from ray.exceptions import RayError

    from mammo_ray.distributed.pipeline import MAX_RETRIES, cause_of, finite_retries

    with ray_session(address):
        tasks = max(ceil(len(ids) / _MOST_IMAGES), min(len(ids), _TASKS_PER_CPU * cluster_cpus()))
        edges = [round(k * len(ids) / tasks) for k in range(tasks + 1)]
        items = [{"first": ids[a], "last": ids[b - 1]} for a, b in pairwise(edges)]
        with finite_retries():
            looked = ray.data.from_items(items, override_num_blocks=tasks).map_batches(
                partial(look_at_range, manifest_uri=uri, config=config),
                batch_size=None,
                batch_format="pyarrow",
                max_retries=MAX_RETRIES,
            )
        try:
            batches = looked.iter_batches(batch_size=None, batch_format="pyarrow")
            tables = list(follow(batches, tasks, "check", "chunk"))
        except (RayError, MammoError) as error:
            raise cause_of(error) from error
    frame: pd.DataFrame = pa.concat_tables(tables).cast(LOOKS).to_pandas()
    return frame


def look_at_range(batch: pa.Table, manifest_uri: str, config: DecodeConfig) -> pa.Table:
    """What the images and masks of some rows of a manifest say (a Ray Data task).

    Args:
        batch: one row: the `first` and `last` image id.
        manifest_uri: the manifest.
        config: limits of decoding.

    Returns:
        A table of `LOOKS`; what cannot be decoded has its reason.
    """
    [item] = batch.to_pylist()
    ids = (item["first"], item["last"])
    rows = storage.read_table(manifest_uri, columns=_LOOKED_AT, ids=ids)
    sandbox = shared_sandbox(config.memory_megabytes) if config.sandbox else None
    return pa.Table.from_pylist(
        [look for row in rows.to_pylist() for look in _looks_of(row, config, sandbox)], LOOKS
    )


def look_at_mask(
    content: bytes, config: DecodeConfig, mask_values: tuple[int, ...] | None
) -> dict[str, Any]:
    """Size of a mask, and whether no pixel of it belongs to a class, in columns of `LOOKS`.

    Args:
        content: the file.
        config: limits of decoding.
        mask_values: gray values of the classes; None: see `classes_of`.

    Raises:
        ImageRejected: the file does not give every pixel it promises.
    """
    image = decode_file(content, config)
    rows, columns = image.stored.shape
    try:
        empty = not bool(classes_of(image, mask_values).any())
    except MaskUnusable:
        return {"rows": rows, "columns": columns, "reason": _NO_SUCH_CLASS}
    return {"rows": rows, "columns": columns, "empty": empty}


def _looks_of(
    row: dict[str, Any], config: DecodeConfig, sandbox: Sandbox | None
) -> Iterator[dict[str, Any]]:
    """One look at an image, and one at each of its masks."""
    image = partial(look_at_image, config=config)
    values = row["mask_values"]
    mask = partial(look_at_mask, config=config, mask_values=tuple(values) if values else None)
    files = [(-1, row["uri"]), *enumerate(row["mask_uris"] or ())]
    for place, uri in files:
        if uri is None:
            continue
        work = image if place < 0 else mask
        try:
            if sandbox is None:
                look = work(storage.read_bytes(uri))
            else:
                look = sandbox.run(uri, work, config.timeout_seconds)
        except ImageRejected as fault:
            look = {"reason": fault.reason}
        except (FileNotFoundError, PermissionError):
            look = {"reason": str(RejectionReason.UNREADABLE_FILE)}
        yield {"image_id": row["image_id"], "place": place, **look}
