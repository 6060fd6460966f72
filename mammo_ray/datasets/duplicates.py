"""Files of an archive that carry the same SOP Instance UID."""

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.datasets.manifest import Manifest, excluded_row, rejected_row
from mammo_ray.errors import ImageRejected
from mammo_ray.schema import ExclusionRule, RejectionReason

_BY_IMAGE = [("image_id", "ascending"), ("uri", "ascending")]


def settle_duplicates(manifest: Manifest) -> Manifest:
    """Keep the first file (by uri) of every `image_id`; judge the others by their bytes.

    Returns:
        The manifest with the others among exclusions (same bytes as the first) and rejections
        (other bytes).
    """
    rows = manifest.rows.sort_by(_BY_IMAGE)
    ids = rows.column("image_id").combine_chunks()
    if len(ids) < 2 or pc.count_distinct(ids).as_py() == len(ids):
        return manifest
    again = [False, *pc.equal(ids[1:], ids[:-1]).to_pylist()]
    first: dict[str, object] = {}
    exclusions, rejections = [], []
    for index in _indices_of_repeats(again):
        row = rows.slice(index, 1).to_pylist()[0]
        if not again[index]:
            first = row
        elif _same_bytes(first, row):
            detail = "the same bytes as another file of this SOP Instance UID"
            rule = ExclusionRule.DUPLICATE_INSTANCE
            exclusions.append(excluded_row(row["image_id"], row["uri"], rule, detail, row))
        else:
            fault = ImageRejected(
                RejectionReason.CONFLICTING_INSTANCE,
                "SOPInstanceUID (0008,0018): stands in two files with different bytes",
            )
            rejections.append(rejected_row(row["image_id"], row["uri"], fault, row))
    kept = rows.filter(pa.array([not flag for flag in again]))
    settled = Manifest.of_rows((), exclusions, rejections, rows.schema)
    return Manifest.joined(
        [Manifest(kept, manifest.exclusions, manifest.rejections), settled], rows.schema
    )


def _indices_of_repeats(again: list[bool]) -> list[int]:
    """Rows that repeat the one before them, and the first row of each such group."""
    last = len(again) - 1
    return [i for i, flag in enumerate(again) if flag or (i < last and again[i + 1])]


def _same_bytes(first: dict[str, object], second: dict[str, object]) -> bool:
    """Whether two files hold the same bytes; only equal sizes are read."""
    if first["bytes"] != second["bytes"]:
        return False
    try:
        contents = [storage.read_bytes(str(row["uri"])) for row in (first, second)]
    except (FileNotFoundError, PermissionError):
        return False  # what cannot be compared is not called equal
    return len({hashlib.sha256(content).digest() for content in contents}) == 1
