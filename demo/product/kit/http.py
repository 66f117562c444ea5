"""A small threaded HTTP/1.1 server: keep-alive, one write per answer, and a clean end on SIGTERM."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_BODY = 64 * 1024
"""Bytes of a request's body; a note is short."""
IDLE_SECONDS = 120.0
"""How long a kept-alive connection may stay silent."""
DRAIN_SECONDS = 10.0
"""How long SIGTERM waits for requests in flight."""


class RequestError(Exception):
    """A request that cannot be served as it stands. `str(error)` is one sentence for the person who sent it."""

    def __init__(self, status: HTTPStatus, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True)
class Request:
    """One request. `parts` are the values of a route's `{…}` segments."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    parts: Mapping[str, str] = field(default_factory=dict)

    def form(self) -> dict[str, str]:
        """The fields of a submitted form. Raises RequestError where the body is not UTF-8."""
        return dict(parse_qsl(self._text(), keep_blank_values=True))

    def json(self) -> dict[str, Any]:
        """The body's JSON object. Raises RequestError where it is none."""
        try:
            data = json.loads(self._text())
        except json.JSONDecodeError as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.") from error
        if not isinstance(data, dict):
            raise RequestError(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
        return data

    def _text(self) -> str:
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, "The body is not UTF-8.") from error


@dataclass(frozen=True)
class Response:
    """One answer. With `chunks` it is streamed, and `body` is not looked at."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    chunks: Iterable[bytes] | None = None


def json_response(data: object, status: int = HTTPStatus.OK) -> Response:
    """`data` as JSON; UTF-8, readable as it is."""
    return Response(json.dumps(data, ensure_ascii=False).encode() + b"\n", "application/json", status)


def see_other(path: str, *headers: tuple[str, str]) -> Response:
    """Sends the browser on to `path` after a form."""
    return Response(status=HTTPStatus.SEE_OTHER, headers=(("Location", path), *headers))


Application = Callable[[Request], Response]


class Server(ThreadingTCPServer):
    """Serves `application` on loopback, one thread per connection; it knows what is in flight."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        self.draining = False
        self._busy = 0
        self._idle = threading.Condition()
        super().__init__(("127.0.0.1", port), _Connection)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Counts one request from here to the end of its answer."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def drain(self, seconds: float) -> bool:
        """Take no new connections and wait for requests in flight. False where some outlast `seconds`."""
        self.draining = True
        self.server_close()
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, seconds)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news; everything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            traceback.print_exc()


def serve(port: int, application: Application) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is in flight. Raises OSError where the port is taken."""
    server = Server(port, application)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever(poll_interval=60)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not server.drain(DRAIN_SECONDS):
            sys.stderr.write("Stopped with requests in flight.\n")


class _Connection(BaseHTTPRequestHandler):
    """One connection: reads a request, hands it to the application, writes the answer in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server_version = "RaOS"
    sys_version = ""

    def _serve(self) -> None:
        server = cast("Server", self.server)
        with server.in_flight():
            started = time.monotonic()
            try:
                response = server.application(self._request())
            except RequestError as refusal:
                self.close_connection = True
                response = json_response({"error": str(refusal)}, refusal.status)
            self._write(response, server.draining)
            if (seconds := time.monotonic() - started) > 1:
                sys.stderr.write(f"{self.command} {urlsplit(self.path).path} took {seconds:.2f} s\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class names them so

    def _request(self) -> Request:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        return Request(self.command, unquote(url.path), query, cast("Mapping[str, str]", self.headers), self._body())

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunked_body()
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise RequestError(HTTPStatus.BAD_REQUEST, "Content-Length must be a number.")
        return self._read(int(length), MAX_BODY)

    def _chunked_body(self) -> bytes:
        body = b""
        while size := self._chunk_size():
            body += self._read(size, MAX_BODY - len(body))
            self.rfile.readline(8)
        while self.rfile.readline(1024).strip():
            """Trailers end with an empty line; none is of use here."""
        return body

    def _chunk_size(self) -> int:
        try:
            return int(self.rfile.readline(1024).split(b";")[0], 16)
        except ValueError as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, "A chunk's size must be a hexadecimal number.") from error

    def _read(self, size: int, limit: int) -> bytes:
        if size > limit:
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request may have {MAX_BODY} bytes.")
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionResetError("the client went away in the middle of a request")
        return data

    def _write(self, response: Response, last: bool) -> None:
        self.close_connection = self.close_connection or last
        head = self._head(response)
        if self.command == "HEAD":
            self.wfile.write(head)
        elif response.chunks is None:
            self.wfile.write(head + response.body)
        else:
            self._stream(head, response.chunks)

    def _head(self, response: Response) -> bytes:
        streamed = response.chunks is not None
        size = ("Transfer-Encoding", "chunked") if streamed else ("Content-Length", str(len(response.body)))
        lines = [f"HTTP/1.1 {int(response.status)} {HTTPStatus(response.status).phrase}"]
        fields = (("Date", self.date_time_string()), ("Content-Type", response.content_type), size, *response.headers)
        lines += [f"{name}: {value}" for name, value in fields]
        lines += ["Connection: close"] if self.close_connection else []
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _stream(self, head: bytes, chunks: Iterable[bytes]) -> None:
        self.wfile.write(head)
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """No line per request: health checks alone would fill the log."""

    def finish(self) -> None:
        """A client that is gone by the end of its connection is no error."""
        with suppress(ConnectionError, socket.timeout):
            super().finish()
