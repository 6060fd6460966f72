"""Which files an export writes, under which names, and what of them is still to do.

The plan and the faults lie in `DIR.export`, beside the exported files, so that `DIR` holds nothing
but them. `files.parquet` there says which image every file shows.
"""

import json
import re

import pandas as pd
import pyarrow as pa

from mammo_ray import storage
from mammo_ray.config import Config, digest_of
from mammo_ray.datasets.export_names import export_names
from mammo_ray.distributed.export_images import FileFormat, suffix_of
from mammo_ray.distributed.manifest import manifest_digest
from mammo_ray.errors import InputError, PlanMismatch, UsageError
from mammo_ray.schema import IDENTITY_COLUMNS, MANIFEST, Kind

# What rendering and a rejection row need beside the columns that names are made of.
_CARRIED = [*IDENTITY_COLUMNS, "series_uid", "image_kind", "transfer_syntax"]
FILES = pa.schema(
    [
        pa.field("target", pa.string()),
        pa.field("image_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("number", pa.int32()),
        pa.field("uri", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("mask_values", pa.list_(pa.int32())),
        *[MANIFEST.field(name) for name in _CARRIED],
    ]
)
# What a killed `storage.write_bytes` leaves behind.
_LEFTOVER = re.compile(r"(?:.*/)?\.[^/]+\.[0-9a-f]{32}\.tmp")


def plan_files(manifest: pa.Table, template: str, file_format: FileFormat) -> pa.Table:
    """Every file that an export writes: the image of each row, then its masks.

    Args:
        manifest: rows of `schema.MANIFEST`.
        template: of the names, see `datasets.export_names`.
        file_format: gives the suffix.

    Returns:
        Rows of `FILES`, sorted by `image_id`; `number` counts the files of one image and kind.

    Raises:
        UsageError: not a template.
    """
    rows = manifest.to_pandas().sort_values("image_id", ignore_index=True)
    rows["kind"] = rows["kind"].fillna(str(Kind.FULL))
    masks = rows[rows["mask_uris"].notna()].explode("mask_uris")
    masks = masks[masks["mask_uris"].notna()]
    masks = masks.assign(
        uri=masks["mask_uris"], kind=str(Kind.MASK), bytes=None, transfer_syntax=None
    )
    rows["mask_values"] = None
    # A stable sort keeps an image before its masks, and these in their lesions' order.
    files = pd.concat([rows, masks]).sort_values("image_id", kind="stable", ignore_index=True)
    files["number"] = files.groupby(["image_id", "kind"]).cumcount() + 1
    stems = export_names(files, template)
    files["target"] = [
        stem + suffix_of(file_format, kind) for stem, kind in zip(stems, files["kind"], strict=True)
    ]
    return pa.Table.from_pandas(files[FILES.names], FILES, preserve_index=False)


def open_export(book: str, to: str, digests: dict[str, str], files: pa.Table) -> pa.Table:
    """Put the plan, or hold on to the same one, and give the files that are not there yet.

    Args:
        book: folder of the plan.
        to: folder of the files.
        digests: of everything that decides names and content.
        files: the whole plan.

    Raises:
        UsageError: `to` holds files of no export.
        PlanMismatch: an export of something else was begun there; the differences are named.
    """
    there = _listing(to)
    plan = storage.join(book, "plan.json")
    try:
        standing = json.loads(storage.read_bytes(plan))["digests"]
    except FileNotFoundError:
        if there:
            raise UsageError(f"{to} holds files already: give a folder that is empty") from None
        storage.write_table(storage.join(book, "files.parquet"), files)
        storage.write_text(plan, json.dumps({"stage": "export", "digests": digests}, indent=2))
        return files
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{plan} is not a plan of mammo-ray: {error}") from error
    different = [name for name in digests if standing.get(name) != digests[name]]
    if different:
        raise PlanMismatch(
            f"{to} holds an export that differs in {', '.join(different)}: give another --to, or "
            f"remove it and {book}"
        )
    done = pa.array(sorted(there), pa.string())
    return files.filter(pa.compute.invert(pa.compute.is_in(files.column("target"), done)))


def export_digests(
    manifest: str, template: str, file_format: FileFormat, config: Config
) -> dict[str, str]:
    """What decides names and content: an export that goes on must agree in all of it."""
    return {
        "manifest": manifest_digest(manifest),
        "name": template,
        "format": file_format,
        "decode": digest_of(config.decode.model_dump(include={"reduced", "voi", "inversion"})),
    }


def remove_leftovers(to: str) -> None:
    """Remove what a killed run has left half-written."""
    for name in _listing(to):
        if _LEFTOVER.fullmatch(name):
            storage.delete(storage.join(to, name))


def _listing(to: str) -> set[str]:
    """Relative names of what lies in a folder; none where there is no such folder."""
    if not storage.is_there(to):
        return set()
    return {file.relative_path for file in storage.list_files(to)}
