"""A web server on loopback that answers as its script says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Answer = Callable[["Request"], None]


@dataclass(frozen=True)
class Seen:
    """What one request asked for."""

    path: str
    headers: Message


class Request(BaseHTTPRequestHandler):
    """One request; `send` answers it."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[Answer]]
    seen: ClassVar[list[Seen]]

    def do_GET(self) -> None:
        """Answer by the next entry of the script; the last one stays."""
        self.seen.append(Seen(self.path, self.headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(self)

    def do_POST(self) -> None:
        """Answer as to a GET, the body read and dropped."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def send(
        self, status: int, body: bytes = b"", declared: int | None = None, **headers: str
    ) -> None:
        """A whole answer; `declared` bytes more than the body break the line after it."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if declared is None else declared))
        self.end_headers()
        self.wfile.write(body)
        if declared is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401
        """Say nothing."""


@dataclass
class Loopback:
    """A running server: its address and the requests that it has seen."""

    url: str
    seen: list[Seen] = field(default_factory=list)


@contextmanager
def serving(*answers: Answer, port: int = 0) -> Iterator[Loopback]:
    """A server whose nth request gets the nth answer; port 0 is any that is free.

    Raises:
        PermissionError: another server has the port.
    """
    seen: list[Seen] = []
    handler = type("Handler", (Request,), {"answers": list(answers), "seen": seen})
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise PermissionError(f"port {port}: {error}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Loopback(f"http://127.0.0.1:{server.server_port}", seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(content: bytes, **headers: str) -> Answer:
    """The content at once."""
    return lambda request: request.send(200, content, **headers)


def broken_after(content: bytes, size: int, **headers: str) -> Answer:
    """Some bytes of the content, then nothing."""
    return lambda request: request.send(200, content[:size], len(content), **headers)


def status(code: int, **headers: str) -> Answer:
    """An answer without a body."""
    return lambda request: request.send(code, **headers)


def page(text: str) -> Answer:
    """A web page."""
    return whole(text.encode(), Content_Type="text/html; charset=utf-8")


def ranged(content: bytes, tag: str) -> Answer:
    """The rest of the content where the request's Range and If-Range allow it."""

    def answer(request: Request) -> None:
        asked = request.headers.get("Range", "")
        if not asked or request.headers.get("If-Range") != tag:
            request.send(200, content, ETag=tag)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        where = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.send(206, content[start:], ETag=tag, Content_Range=where)

    return answer
