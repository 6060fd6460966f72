"""A proxy on loopback that makes an HTTP server fail at a given rate, by a seed."""

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
_SLOW_SECONDS = 0.3
# They are about one connection, not about what is answered.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(StrEnum):
    """What can happen to a request."""

    BUSY = "busy"  # 503 SlowDown; the server never sees the request
    SLOW = "slow"  # the right answer, late
    LOST_REQUEST = "lost-request"  # connection reset; the server never sees the request
    LOST_ANSWER = "lost-answer"  # connection reset after the server has done what was asked
    TRUNCATED = "truncated"  # the head and half of the body, then a reset


class FaultProxy:
    """Forwards to a server; a given share of requests meets a fault.

    Args:
        upstream: `http://host:port` of the server.
        seed: decides the order of faults.

    Attributes:
        rate: share of requests that meet a fault, 0 to 1; may be changed at any time.
        kinds: the faults to choose from; may be changed at any time.
        met: how many requests met which fault.
        requests: how many requests came.
    """

    def __init__(self, upstream: str, seed: int = 0) -> None:
        self.upstream = upstream
        self.rate = 0.0
        self.kinds: tuple[Fault, ...] = tuple(Fault)
        self.met: Counter[Fault] = Counter()
        self.requests = 0
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def draw(self) -> Fault | None:
        """The fate of the next request."""
        with self._lock:
            self.requests += 1
            if self._random.random() >= self.rate:
                return None
            fault = self._random.choice(self.kinds)
            self.met[fault] += 1
            return fault

    @contextmanager
    def running(self) -> Iterator["FaultProxy"]:
        """Serve for the time of the context."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    @contextmanager
    def failing(self, rate: float, *kinds: Fault) -> Iterator["FaultProxy"]:
        """Faults at a rate, of these kinds or of all, for the time of the context."""
        self.met.clear()
        self.rate, self.kinds = rate, kinds or tuple(Fault)
        try:
            yield self
        finally:
            self.rate = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # clients keep their connections open
    request_queue_size = 128
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's word)
        """Requests are counted, not told."""

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.proxy.draw()
        if fault == Fault.LOST_REQUEST:
            self._reset()
        elif fault == Fault.BUSY:
            self._answer(503, [("Content-Type", "application/xml")], _SLOW_DOWN)
        else:
            if fault == Fault.SLOW:
                time.sleep(_SLOW_SECONDS)
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        upstream = http.client.HTTPConnection(
            urlsplit(self.server.proxy.upstream).netloc, timeout=60
        )
        try:
            # Host stays the proxy's: it is part of what the client has signed.
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            headers |= {"Content-Length": str(len(body))} if self.command != "GET" else {}
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        length = answer.getheader("Content-Length")
        if fault == Fault.LOST_ANSWER or (fault == Fault.TRUNCATED and not content):
            self._reset()
            return
        said = int(length) if self.command == "HEAD" and length else len(content)
        if fault == Fault.TRUNCATED:
            content = content[: len(content) // 2]
        self._answer(answer.status, answer.getheaders(), content, said)
        if fault == Fault.TRUNCATED:
            self._reset()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, said: int | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body) if said is None else said))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def _reset(self) -> None:
        """Close so that the other side sees a reset, not an end."""
        self.close_connection = True
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.connection.close()
