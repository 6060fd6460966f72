"""Google Drive: from a link that people share to the address that gives the file.

A large file is not given at once: a page says that it was not scanned for viruses, and its form
leads to the file. Where the file is not shared, or was fetched too often, there is a page as well.
"""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from mammo_ray.datasets.fetching.download import (
    FetchOptions,
    get_response,
    http_session,
    is_page,
    page_title,
    persist,
    read_page,
    require_answer,
)
from mammo_ray.errors import InputError

_HOSTS = frozenset({"drive.google.com", "docs.google.com", "drive.usercontent.google.com"})
_FILE = re.compile(r"/file/(?:u/\d+/)?d/([\w-]+)")
_FORM = "download-form"


def drive_file_id(url: str) -> str | None:
    """The id of the file that a Google Drive link names; None for another address.

    Raises:
        InputError: a link to a folder or a document, which is no file.
    """
    parts = urlsplit(url)
    if parts.hostname not in _HOSTS:
        return None
    found = _FILE.match(parts.path)
    asked = parse_qs(parts.query).get("id", [""])[0]
    identifier = found[1] if found else asked
    if "/folders/" in parts.path or not re.fullmatch(r"[\w-]+", identifier):
        raise InputError(
            "this Google Drive link names no file: expected .../file/d/ID/view, .../open?id=ID or "
            ".../uc?id=ID (a folder cannot be fetched: share it as one zip)"
        )
    return identifier


def drive_address(identifier: str, options: FetchOptions) -> str:
    """The address that gives a file's bytes, found by following the page in between, if any.

    Raises:
        InputError: the page leads to no file: it is not shared, gone, or was fetched too often.
        StorageError: no answer.
    """
    asked = {"id": identifier, "export": "download", "confirm": "t"}
    url = f"{options.drive.rstrip('/')}/download?{urlencode(asked)}"
    return persist(lambda: _follow(url, options), url, options)


def _follow(url: str, options: FetchOptions) -> str:
    with http_session() as session, get_response(session, url, {}, options) as response:
        require_answer(response, url)
        if not is_page(response):
            return url
        page, place = read_page(response), response.url
    form = _Form()
    form.feed(page)
    if form.action is None:
        raise InputError(
            f"Google Drive gives a page ({page_title(page)!r}) instead of the file: it is not "
            "shared with everyone, is gone, or was fetched too often today"
        )
    target = urljoin(place, form.action)
    if urlsplit(target)[:2] != urlsplit(place)[:2]:
        raise InputError("the form on Google Drive's page leads to another server")
    return f"{target.partition('?')[0]}?{urlencode(form.values)}"


class _Form(HTMLParser):
    """The download form of the page: its action and its hidden values."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.values: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notice the form and the inputs in it."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and found.get("id") == _FORM:
            self.action, self._inside = found.get("action", ""), True
        elif tag == "input" and self._inside and found.get("name"):
            self.values[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Notice its end."""
        if tag == "form":
            self._inside = False
