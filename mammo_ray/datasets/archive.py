"""Layout `archive`: any tree of DICOM files, known by their headers alone.

`read_files` turns files into manifest rows, exclusions and rejections, each file opened once;
`finish_manifest` settles duplicates and labels over the whole archive.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from mammo_ray import storage
from mammo_ray.datasets.outcomes import Outcomes, apply_outcomes
from mammo_ray.dicom.header import HeaderFacts, read_header
from mammo_ray.errors import ImageRejected
from mammo_ray.identifiers import keyed_id
from mammo_ray.schema import (
    EXCLUSIONS,
    IDENTITY_COLUMNS,
    MANIFEST,
    REJECTIONS,
    ExclusionRule,
    ImageKind,
    RejectionReason,
    Stage,
)
from mammo_ray.storage import StoredFile

# Documents that lie beside images; only where the file has no DICM magic.
_DOCUMENTS = {".csv", ".txt", ".json", ".xml", ".md", ".html", ".pdf"}
# Modalities under which mammograms are stored; digitised films come as CR, RG, OT or SC.
_MODALITIES = {None, "MG", "CR", "DX", "RG", "OT", "SC"}
_BY_IMAGE = [("image_id", "ascending"), ("uri", "ascending")]
_SPOT = {"spot-compression", "magnification"}


@dataclass(frozen=True)
class Manifest:
    """What an archive holds: seen = rows + exclusions + rejections.

    Attributes:
        rows: `schema.MANIFEST`, one row an image.
        exclusions: `schema.EXCLUSIONS`, files left out by a rule.
        rejections: `schema.REJECTIONS`, files with a fault.
    """

    rows: pa.Table
    exclusions: pa.Table
    rejections: pa.Table

    @property
    def seen(self) -> int:
        """How many files were looked at."""
        tables = (self.rows, self.exclusions, self.rejections)
        return sum(int(table.num_rows) for table in tables)


@dataclass(frozen=True)
class LabelCounts:
    """How the outcomes met the images; see `outcomes.Labelled`."""

    unmatched: int = 0
    withheld: int = 0


def read_files(files: Iterable[StoredFile], dataset: str, key: str) -> Manifest:
    """Rows, exclusions and rejections of some files, from their headers.

    Args:
        files: from `storage.list_files`.
        dataset: name that goes into every `image_id`.
        key: from `identifiers.hash_key`.

    Raises:
        StorageError: storage failed; a file that cannot be read is a rejection instead.
    """
    rows: list[dict[str, object]] = []
    exclusions: list[dict[str, object]] = []
    rejections: list[dict[str, object]] = []
    for file in files:
        image_id = keyed_id("img", key, dataset, file.relative_path)
        try:
            facts = _read_facts(file)
            if facts is None:
                rule, detail = ExclusionRule.NOT_AN_IMAGE, "a document without DICM magic"
                exclusions.append(_left_out(image_id, file.uri, {}, rule=rule, detail=detail))
                continue
            row = facts.row
            if row.get("sop_uid"):
                image_id = keyed_id("img", key, dataset, str(row["sop_uid"]))
            excluded = _exclusion(facts)
            if excluded is not None:
                rule, detail = excluded
                exclusions.append(_left_out(image_id, file.uri, row, rule=rule, detail=detail))
            elif not facts.has_pixel_data:
                rejections.append(_rejection(image_id, file.uri, _no_pixels(), row))
            else:
                rows.append({**row, "image_id": image_id, "uri": file.uri, "bytes": file.bytes})
        except ImageRejected as fault:
            rejections.append(_rejection(image_id, file.uri, fault, {}))
    return Manifest(
        pa.Table.from_pylist(rows, MANIFEST),
        pa.Table.from_pylist(exclusions, EXCLUSIONS),
        pa.Table.from_pylist(rejections, REJECTIONS),
    )


def finish_manifest(
    chunks: list[Manifest], outcomes: Outcomes | None
) -> tuple[Manifest, LabelCounts]:
    """One manifest of all chunks: duplicates settled, labels filled, rows sorted by `image_id`."""
    rows = pa.concat_tables([c.rows for c in chunks] or [MANIFEST.empty_table()])
    exclusions = pa.concat_tables([c.exclusions for c in chunks] or [EXCLUSIONS.empty_table()])
    rejections = pa.concat_tables([c.rejections for c in chunks] or [REJECTIONS.empty_table()])
    rows, repeated, conflicting = _settle_duplicates(rows)
    counts = LabelCounts()
    if outcomes is not None:
        labelled = apply_outcomes(rows, outcomes)
        rows, counts = labelled.rows, LabelCounts(labelled.unmatched, labelled.withheld)
    manifest = Manifest(
        rows.sort_by("image_id").combine_chunks(),
        pa.concat_tables([exclusions, repeated]).sort_by(_BY_IMAGE),
        pa.concat_tables([rejections, conflicting]).sort_by(_BY_IMAGE),
    )
    return manifest, counts


def _read_facts(file: StoredFile) -> HeaderFacts | None:
    """Facts of one header; None for a document that was never meant to be an image."""
    suffix = PurePosixPath(file.relative_path).suffix.lower()
    try:
        if file.bytes == 0 and not storage.exists(file.uri):
            raise FileNotFoundError  # a dangling link, a pipe, or a name that is not UTF-8
        return read_header(partial(storage.read_bytes, file.uri), file.bytes)
    except (FileNotFoundError, PermissionError) as error:
        detail = f"the file could not be opened: {type(error).__name__}"
        raise ImageRejected(RejectionReason.UNREADABLE_FILE, detail) from error
    except ImageRejected as fault:
        no_magic = {RejectionReason.NOT_DICOM, RejectionReason.EMPTY_FILE}
        if suffix in _DOCUMENTS and fault.reason in no_magic:
            return None
        raise


def _exclusion(facts: HeaderFacts) -> tuple[ExclusionRule, str] | None:
    """The rule that leaves an object out on purpose, with what was found."""
    modifiers = facts.row.get("view_modifiers")
    spot = _SPOT & set(modifiers if isinstance(modifiers, list) else [])
    if not facts.is_image_object:
        return ExclusionRule.NOT_AN_IMAGE_OBJECT, f"SOPClassUID {facts.row.get('sop_class')}"
    if facts.modality not in _MODALITIES:
        return ExclusionRule.OTHER_MODALITY, f"Modality {facts.modality}"
    if facts.row.get("image_kind") == ImageKind.QUALITY_CONTROL:
        return ExclusionRule.QUALITY_CONTROL, "the header says quality control or phantom"
    if spot:
        return ExclusionRule.SPOT_OR_MAGNIFICATION, f"view modifier {', '.join(sorted(spot))}"
    return None


def _no_pixels() -> ImageRejected:
    return ImageRejected(
        RejectionReason.NO_PIXEL_DATA, "PixelData (7FE0,0010): absent, expected an image"
    )


def _left_out(
    image_id: object, uri: object, row: dict[str, object], **columns: object
) -> dict[str, object]:
    identity = {name: row.get(name) for name in IDENTITY_COLUMNS}
    return {**identity, "image_id": image_id, "uri": uri, **columns}


def _rejection(
    image_id: object, uri: object, fault: ImageRejected, row: dict[str, object]
) -> dict[str, object]:
    where = {"stage": str(Stage.MANIFEST), "reason": fault.reason, "detail": fault.detail}
    return _left_out(image_id, uri, row, **where)


def _settle_duplicates(rows: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Keep the first file (by uri) of every `image_id`; judge the others by their bytes.

    Returns:
        The rows that stay, exclusions (same bytes as the first), rejections (other bytes).
    """
    rows = rows.sort_by(_BY_IMAGE)
    ids = rows.column("image_id").combine_chunks()
    if len(ids) < 2 or pc.count_distinct(ids).as_py() == len(ids):
        return rows, EXCLUSIONS.empty_table(), REJECTIONS.empty_table()
    again = [False, *pc.equal(ids[1:], ids[:-1]).to_pylist()]
    first: dict[str, object] = {}
    exclusions, rejections = [], []
    for index in _indices_of_repeats(again):
        row = rows.slice(index, 1).to_pylist()[0]
        if not again[index]:
            first = row
            continue
        if _same_bytes(first, row):
            cause = {
                "rule": ExclusionRule.DUPLICATE_INSTANCE,
                "detail": "the same bytes as another file of this SOP Instance UID",
            }
            exclusions.append(_left_out(row["image_id"], row["uri"], row, **cause))
        else:
            fault = ImageRejected(
                RejectionReason.CONFLICTING_INSTANCE,
                "SOPInstanceUID (0008,0018): stands in two files with different bytes",
            )
            rejections.append(_rejection(row["image_id"], row["uri"], fault, row))
    kept = rows.filter(pa.array([not flag for flag in again]))
    return (
        kept,
        pa.Table.from_pylist(exclusions, EXCLUSIONS),
        pa.Table.from_pylist(rejections, REJECTIONS),
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
