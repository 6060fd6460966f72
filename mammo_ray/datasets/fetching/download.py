"""One file over HTTP: resumed where the server can, tried again where the line breaks.

What has arrived lies in a part file, so that a second start goes on where the first one ended.
Addresses may carry credentials: no message or log line shows more of one than its host and path.
"""

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import requests

from mammo_ray import __version__
from mammo_ray.config import FetchConfig
from mammo_ray.datasets.fetching.unpack_rules import UnpackLimits
from mammo_ray.errors import InputError, StorageError

_log = logging.getLogger(__name__)

_PIECE = 2**20
_PAGE_BYTES = 2**20
_LOG_SECONDS = 15.0
_LONGEST_PAUSE = 60.0
# Answers that may be another one a little later (RFC 9110 15.5.9, 15.6; RFC 6585 4).
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_FILE_NAME = re.compile(r'filename="?([^";]+)"?')


@dataclass(frozen=True)
class FetchOptions:
    """How a data set is fetched.

    Attributes:
        checksum: `sha256:` and 64 hex digits of the file that is fetched.
        limits: what an archive may hold.
        most_bytes: of the file that is fetched.
        timeout_seconds: for the server to say something.
        attempts: failures in a row, without a byte between them, before it is given up.
        pause_seconds: before the second attempt; doubled before each further one.
        drive: where Google Drive gives out files.
    """

    checksum: str | None = None
    limits: UnpackLimits = field(default_factory=UnpackLimits)
    most_bytes: int = 2 * 2**40
    timeout_seconds: float = 60.0
    attempts: int = 6
    pause_seconds: float = 1.0
    drive: str = "https://drive.usercontent.google.com"

    @classmethod
    def of(cls, config: FetchConfig, checksum: str | None = None) -> Self:
        """The options that a configuration gives."""
        most_bytes = int(config.max_gigabytes * 10**9)
        limits = UnpackLimits(
            members=config.max_files,
            member_bytes=int(config.max_file_gigabytes * 10**9),
            total_bytes=most_bytes,
            ratio=config.max_ratio,
        )
        return cls(checksum, limits, most_bytes, config.timeout_seconds, attempts=config.attempts)


@dataclass(frozen=True)
class Download:
    """A file that has arrived: where, its size and SHA-256, and the name the server gives it."""

    path: Path
    bytes: int
    sha256: str
    name: str
    resumed: bool


class _Interrupted(Exception):
    """An attempt that ended early; `pause` is what the server asks for, in seconds."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause


@dataclass
class _Part:
    """The bytes that have arrived, and what the server said of the file that they belong to."""

    path: Path
    source: str
    validator: str = ""
    total: int | None = None

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _facts(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def recall(self) -> None:
        """Take up what an earlier start left, if it was of this source; else begin anew."""
        try:
            facts = json.loads(self._facts.read_text())
            known = facts["source"] == self.source
            self.validator, self.total = str(facts["validator"]), facts["total"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            self.discard()

    def begin(self, validator: str, total: int | None) -> None:
        """An empty part of a file that the server has just described."""
        self.validator, self.total = validator, total
        facts = {"source": self.source, "validator": validator, "total": total}
        self._facts.write_text(json.dumps(facts))
        self.path.write_bytes(b"")

    def discard(self) -> None:
        self.validator, self.total = "", None
        self.path.unlink(missing_ok=True)
        self._facts.unlink(missing_ok=True)


def download(url: str, source: str, part: Path, options: FetchOptions) -> Download:
    """Fetch one file into `part`; `discard_part` removes it and what is kept beside it.

    Args:
        url: `http://` or `https://`.
        source: what names the file for good, where the address does not; only its hash is kept.
        part: where the bytes go, and where an earlier start may have left some.
        options: limits and patience.

    Raises:
        InputError: the server has no such file, gives a web page instead, or more than allowed.
        StorageError: the line broke too often, or the disk is full; what arrived stays.
    """
    arriving = _Part(part, hashlib.sha256(source.encode()).hexdigest())
    with _disk_errors(part), http_session() as session:
        arriving.recall()
        resumed = arriving.size > 0
        name = _persist(lambda: _attempt(session, url, arriving, options), arriving, url, options)
        digest = sha256_of(part)
    return Download(part, arriving.size, digest, name, resumed)


def discard_part(part: Path) -> None:
    """Remove a part file and what is kept beside it."""
    _Part(part, "").discard()


def http_session() -> requests.Session:
    """A session that speaks HTTP and HTTPS only, and takes bytes as they are stored."""
    session = requests.Session()
    session.headers.update(
        {"User-Agent": f"mammo-ray/{__version__}", "Accept-Encoding": "identity"}
    )
    return session


def shown_url(url: str) -> str:
    """An address without user, password, query and fragment."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


@contextmanager
def get_response(
    session: requests.Session, url: str, headers: dict[str, str], options: FetchOptions
) -> Iterator[requests.Response]:
    """The answer to a GET, its body still to be read.

    Raises:
        InputError: no such address, a redirect to something that is not HTTP, or back from HTTPS.
        StorageError: no answer.
    """
    broken = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    refused = (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL)
    try:
        with session.get(
            url, headers=headers, stream=True, timeout=(options.timeout_seconds,) * 2
        ) as response:
            _require_kept_secure(response)
            yield response
    except refused as error:
        raise InputError(f"{shown_url(url)} leads to an address that is not http(s)") from error
    except requests.TooManyRedirects as error:
        raise InputError(f"{shown_url(url)} redirects without end") from error
    except broken as error:
        raise _Interrupted(type(error).__name__) from error
    except requests.RequestException as error:
        raise InputError(f"{shown_url(url)}: {type(error).__name__}") from error


def is_page(response: requests.Response) -> bool:
    """Whether an answer is a web page."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def read_page(response: requests.Response) -> str:
    """The first part of a web page as text."""
    content = next(response.iter_content(_PAGE_BYTES), b"")
    return content.decode("utf-8", "replace")


def page_title(page: str) -> str:
    """The title of a web page, to say what came instead of a file."""
    found = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    return " ".join(found[1].split())[:100] if found else "no title"


def require_answer(response: requests.Response, url: str) -> None:
    """Refuse an answer that is an error.

    Raises:
        InputError: the server has no such file, or does not give it to us.
    """
    status = response.status_code
    if status in _LATER:
        after = response.headers.get("Retry-After", "")
        raise _Interrupted(f"status {status}", float(after) if after.isdigit() else 0.0)
    if status in (401, 403):
        raise InputError(f"{shown_url(url)} is not given to us: status {status}; it asks for leave")
    if status not in (200, 206, 416):
        raise InputError(f"{shown_url(url)} cannot be fetched: status {status}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def persist(work: Callable[[], str], url: str, options: FetchOptions) -> str:
    """The result of some work, tried again where the line breaks.

    Raises:
        StorageError: it broke too often.
    """
    return _persist(work, None, url, options)


def _persist(work: Callable[[], str], part: _Part | None, url: str, options: FetchOptions) -> str:
    failures, pause = 0, options.pause_seconds
    while True:
        before = part.size if part else 0
        try:
            return work()
        except _Interrupted as error:
            if part and part.validator and part.size > before:
                failures, pause = 0, options.pause_seconds
            failures += 1
            if failures >= options.attempts:
                kept = "; start the command again to go on" if part and part.size else ""
                raise StorageError(
                    f"{shown_url(url)} was given up after {failures} attempts: {error}{kept}"
                ) from error
            _log.info("the line broke (%s); trying again", error)
            time.sleep(min(max(pause, error.pause), _LONGEST_PAUSE))
            pause *= 2


def _attempt(session: requests.Session, url: str, part: _Part, options: FetchOptions) -> str:
    """Go on with a part until it is whole; the server's name of the file."""
    start = part.size if part.validator else 0
    if start and start == part.total:
        return _name_of(url, "")
    asked = {"Range": f"bytes={start}-", "If-Range": part.validator} if start else {}
    with get_response(session, url, asked, options) as response:
        require_answer(response, url)
        if is_page(response):
            raise InputError(
                f"{shown_url(url)} gives a web page ({page_title(read_page(response))!r}), no file"
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise InputError(f"{shown_url(url)} gives an encoded file although none was asked for")
        if not _goes_on(response, part, start):
            part.begin(_validator_of(response), _length_of(response))
        if part.total is not None:
            _require_size(part.total, options)
        _receive(response, part, options)
        return _name_of(response.url, response.headers.get("Content-Disposition", ""))


def _goes_on(response: requests.Response, part: _Part, start: int) -> bool:
    """Whether the body continues the part; an answer that fits nothing begins anew."""
    if response.status_code == 200:
        return False
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = int(found[2]) if found and found[2] != "*" else None
    fits = found is not None and found[1] == str(start) and total == part.total
    if not fits or response.status_code == 416:
        part.discard()
        raise _Interrupted("the server has another file than before")
    return True


def _receive(response: requests.Response, part: _Part, options: FetchOptions) -> None:
    """Write the body behind what is there."""
    size, said = part.size, time.monotonic()
    with part.path.open("ab") as file:
        for piece in response.iter_content(_PIECE):
            size += len(piece)
            _require_size(size, options)
            file.write(piece)
            if time.monotonic() - said >= _LOG_SECONDS:
                said = time.monotonic()
                of = f" of {part.total / 1e6:,.0f}" if part.total else ""
                _log.info("fetch: %s%s MB", f"{size / 1e6:,.0f}", of)
    if part.total is not None and size < part.total:
        raise _Interrupted(f"{size:,} of {part.total:,} bytes came")


def _require_size(size: int, options: FetchOptions) -> None:
    if size > options.most_bytes:
        raise InputError(f"the file has {size:,} bytes or more, at most {options.most_bytes:,}")


def _require_kept_secure(response: requests.Response) -> None:
    """A redirect must not lead from HTTPS back to HTTP."""
    steps = [urlsplit(step.url).scheme for step in (*response.history, response)]
    if "https" in steps and steps[-1] == "http":
        raise InputError(f"{shown_url(response.history[0].url)} redirects from https to http")


def _validator_of(response: requests.Response) -> str:
    """What a Range may rest on (RFC 9110 13.1.5): a strong ETag, else the date."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _length_of(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _name_of(url: str, disposition: str) -> str:
    """The server's own name of a file; callers make it safe."""
    found = _FILE_NAME.search(disposition)
    return found[1] if found else unquote(urlsplit(url).path.rpartition("/")[2])


@contextmanager
def _disk_errors(part: Path) -> Iterator[None]:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StorageError(f"{part.name} could not be written: {error.strerror}") from error
