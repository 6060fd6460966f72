"""What the requested files say of themselves, each opened once."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from mammo_ray import storage
from mammo_ray.config import Config, ExcludeConfig
from mammo_ray.datasets.exclusion_rules import exclusion_of
from mammo_ray.datasets.manifest import Manifest, Row, excluded_row, rejected_row
from mammo_ray.datasets.source import Look, Request
from mammo_ray.dicom.header import HeaderFacts, read_header
from mammo_ray.dicom.sandbox import Sandbox
from mammo_ray.errors import ImageRejected
from mammo_ray.identifiers import keyed_id
from mammo_ray.image_files.decode import pixel_facts
from mammo_ray.image_files.header import is_image_file, read_image_header
from mammo_ray.schema import EXAMINED, ExclusionRule, RejectionReason
from mammo_ray.storage import StoredFile

# Documents that lie beside images; only where the file has no DICM magic.
_PREFIX = 132  # bytes that tell a DICOM file, whatever its preamble holds
_DOCUMENTS = {".csv", ".txt", ".json", ".xml", ".md", ".html", ".pdf"}


@dataclass(frozen=True)
class Examination:
    """How files are examined.

    Attributes:
        dataset: name that goes into every `image_id`.
        key: from `identifiers.hash_key`.
        config: limits of decoding.
        rules: leave out what these rules name; None keeps every image.
        dicom_only: image files such as PNG are no images of this layout, and ids rest on the SOP
            Instance UID where there is one, else on the relative path.
        opened: False gives rows of names and sizes alone.
    """

    dataset: str
    key: str
    config: Config
    rules: ExcludeConfig | None = None
    dicom_only: bool = False
    opened: bool = True


def examine_files(
    requests: Iterable[Request], how: Examination, sandbox: Sandbox | None = None
) -> Manifest:
    """Rows (`schema.EXAMINED`), exclusions and rejections of the requested files.

    Args:
        requests: files, and how closely to look.
        how: ids, rules and limits.
        sandbox: where pixels are decoded; None decodes in this process.

    Raises:
        StorageError: storage failed; a file that cannot be read is a rejection instead.
    """
    rows: list[Row] = []
    exclusions: list[Row] = []
    rejections: list[Row] = []
    for request in requests:
        file = request.file
        image_id = keyed_id("img", how.key, how.dataset, file.relative_path)
        known: Row = {}
        try:
            facts = _read_facts(file, how) if how.opened else HeaderFacts({}, None, True, True)
            if facts is None:
                rule, detail = ExclusionRule.NOT_AN_IMAGE, "a document without DICM magic"
                exclusions.append(excluded_row(image_id, file.uri, rule, detail, {}))
                continue
            known = facts.row
            if how.dicom_only and known.get("sop_uid"):
                image_id = keyed_id("img", how.key, how.dataset, str(known["sop_uid"]))
            excluded = exclusion_of(facts, how.rules) if how.rules else None
            if excluded is not None:
                exclusions.append(excluded_row(image_id, file.uri, *excluded, known))
                continue
            _require_pixels(facts)
            seen = _look_at_pixels(request, how, sandbox)
            place = {"image_id": image_id, "uri": file.uri, "bytes": file.bytes}
            rows.append({**known, **facts.acquisition, **seen, **place})
        except ImageRejected as fault:
            rejections.append(rejected_row(image_id, file.uri, fault, known))
    return Manifest.of_rows(rows, exclusions, rejections, EXAMINED)


def _look_at_pixels(request: Request, how: Examination, sandbox: Sandbox | None) -> Row:
    if request.look != Look.PIXELS or not how.opened:
        return {}
    work = partial(pixel_facts, config=how.config.decode)
    if sandbox is not None:
        return sandbox.run(request.file.uri, work, how.config.decode.timeout_seconds)
    return work(storage.read_bytes(request.file.uri))


def _read_facts(file: StoredFile, how: Examination) -> HeaderFacts | None:
    """Facts of one header; None for a document that was never meant to be an image."""
    suffix = PurePosixPath(file.relative_path).suffix.lower()
    fetch = partial(storage.read_bytes, file.uri)
    try:
        if file.bytes == 0 and not storage.exists(file.uri):
            raise FileNotFoundError  # a dangling link, a pipe, or a name that is not UTF-8
        if not how.dicom_only and is_image_file(fetch(0, _PREFIX)):
            return HeaderFacts(read_image_header(fetch, file.bytes), None, True, True)
        return read_header(fetch, file.bytes)
    except (FileNotFoundError, PermissionError) as error:
        detail = f"the file could not be opened: {type(error).__name__}"
        raise ImageRejected(RejectionReason.UNREADABLE_FILE, detail) from error
    except ImageRejected as fault:
        no_magic = {RejectionReason.NOT_DICOM, RejectionReason.EMPTY_FILE}
        if suffix in _DOCUMENTS and fault.reason in no_magic:
            return None
        raise


def _require_pixels(facts: HeaderFacts) -> None:
    if not facts.has_pixel_data:
        raise ImageRejected(
            RejectionReason.NO_PIXEL_DATA, "PixelData (7FE0,0010): absent, expected an image"
        )
