"""A data set from where it is published into a folder: fetched, checked, unpacked.

`kaggle:OWNER/NAME`, an `http(s)://` address, a Google Drive link, or a local archive.
"""

import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mammo_ray.datasets.fetching.download import (
    Download,
    FetchOptions,
    discard_part,
    download,
    page_title,
    sha256_of,
    shown_url,
)
from mammo_ray.datasets.fetching.google_drive import drive_address, drive_file_id
from mammo_ray.datasets.fetching.kaggle import fetch_kaggle
from mammo_ray.datasets.fetching.unpack import (
    is_archive,
    require_vacant,
    staged_folder,
    unpack_archive,
)
from mammo_ray.datasets.fetching.unpack_rules import UnpackSummary
from mammo_ray.errors import InputError

__all__ = ["FetchOptions", "FetchSummary", "fetch_data_set"]

_log = logging.getLogger(__name__)

_CHECKSUM = re.compile(r"sha256:([0-9a-fA-F]{64})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_HEAD_BYTES = 4096
# Archives that are unpacked, and those that are kept as they came.
_UNPACKED = (".zip", ".tar", ".tgz", ".tar.gz")
_KEPT = (".7z", ".rar", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


@dataclass(frozen=True)
class FetchSummary:
    """What was fetched.

    Attributes:
        source: where from, without credentials and query.
        sha256: of the file that was fetched; None where there was not one (Kaggle).
        bytes: of that file; of all files together for Kaggle.
        files: files in the folder.
        file_bytes: their bytes in all.
        resumed: whether an earlier start had left a part of it.
    """

    source: str
    sha256: str | None
    bytes: int
    files: int
    file_bytes: int
    resumed: bool = False


def fetch_data_set(source: str, out: Path, options: FetchOptions | None = None) -> FetchSummary:
    """Put a data set into a folder, which appears whole or not at all.

    Args:
        source: `kaggle:OWNER/NAME`, an `http(s)://` address, a Google Drive link, or the path of
            a zip, tar or gzipped tar.
        out: the folder to be; it does not exist or is empty.
        options: None: the defaults.

    Raises:
        InputError: nothing there, a web page instead of a file, a wrong checksum, a refused
            archive, or `out` holds something; nothing is left.
        StorageError: the line broke too often, or the disk is full; a second start goes on.
        MammoError: kagglehub is needed and not installed.
    """
    options = options or FetchOptions()
    checksum = _parse_checksum(options.checksum)
    require_vacant(out)
    if source.startswith("kaggle:"):
        if checksum:
            raise InputError("a checksum is of one file; kaggle: gives a folder")
        done = fetch_kaggle(source.removeprefix("kaggle:"), out, options.limits)
        return FetchSummary(source, None, done.bytes, done.members, done.bytes)
    if source.lower().startswith(("http://", "https://")):
        return _fetch_remote(source, out, options, checksum)
    if _SCHEME.match(source):
        raise InputError(f"{source.partition('://')[0]}:// is not fetched: expected http(s)://")
    return _fetch_local(Path(source).expanduser(), out, options, checksum)


def _fetch_remote(
    source: str, out: Path, options: FetchOptions, checksum: str | None
) -> FetchSummary:
    identifier = drive_file_id(source)
    url = drive_address(identifier, options) if identifier else source
    part = out.parent / f".{out.name}.part"
    try:
        got = download(url, identifier or source, part, options)
        _require_checksum(got.sha256, checksum)
        done = _put(got, out, options)
    except InputError:
        discard_part(part)
        raise
    discard_part(part)
    shown = shown_url(source)
    return FetchSummary(shown, got.sha256, got.bytes, done.members, done.bytes, got.resumed)


def _fetch_local(
    path: Path, out: Path, options: FetchOptions, checksum: str | None
) -> FetchSummary:
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    digest = sha256_of(path)
    _require_checksum(digest, checksum)
    done = unpack_archive(path, out, options.limits)
    return FetchSummary(str(path), digest, path.stat().st_size, done.members, done.bytes)


def _put(got: Download, out: Path, options: FetchOptions) -> UnpackSummary:
    """The file unpacked, or itself where it is no archive.

    Raises:
        InputError: it is a web page, whatever the server called it, or damaged.
    """
    if is_archive(got.path):
        return unpack_archive(got.path, out, options.limits)
    name = _safe_file_name(got.name)
    with got.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _PAGE.match(head):
        title = page_title(head.decode("utf-8", "replace"))
        raise InputError(f"a web page ({title!r}) came instead of a file")
    if not head:
        raise InputError("an empty file came")
    if name.lower().endswith(_UNPACKED):
        raise InputError(f"{name} is no archive, or a damaged one, although its name says so")
    if name.lower().endswith(_KEPT):
        _log.warning("%s stays packed: a zip, tar or gzipped tar is unpacked, no other", name)
    with staged_folder(out) as folder:
        shutil.move(got.path, folder / name)
    return UnpackSummary(1, got.bytes)


def _safe_file_name(name: str) -> str:
    return _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).lstrip(".")[:200] or "file"


def _parse_checksum(text: str | None) -> str | None:
    """The hex digits of a checksum.

    Raises:
        InputError: it does not look like `sha256:...`.
    """
    if text is None:
        return None
    found = _CHECKSUM.fullmatch(text.strip())
    if not found:
        raise InputError(f"checksum {text[:80]!r} must look like sha256: and 64 hex digits")
    return found[1].lower()


def _require_checksum(found: str, expected: str | None) -> None:
    if expected is not None and found != expected:
        raise InputError(f"the file has the checksum sha256:{found}, expected sha256:{expected}")
