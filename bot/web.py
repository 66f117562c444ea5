"""The bot's own HTTP server, for platforms that call it: their paths, and `/healthz`, which says only ok."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping

import structlog
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger("ashat.web")

_GRACE = 5
"""Seconds for requests that are under way when it stops."""
_NOT_FOUND: ASGIApp = PlainTextResponse("Not Found", 404)


class CannotListen(Exception):
    """The address is in use, or not this machine's. `str(error)` is one sentence."""


class Web:
    """`paths` are ASGI applications by their exact path."""

    def __init__(self, listen: str, paths: Mapping[str, ASGIApp]) -> None:
        """`listen` is host and port, the host of IPv6 in brackets; port 0 takes any."""
        self._listen = listen
        self._paths: dict[str, ASGIApp] = {"/healthz": PlainTextResponse("ok"), **paths}
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        """The port it has, once it has started."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the server serves. So few paths need no router, whose layers each acknowledgement would pass."""
        await self._paths.get(scope["path"], _NOT_FOUND)(scope, receive, send)

    async def start(self) -> None:
        """Raises CannotListen."""
        listening = self._bound()
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self.app, interface="asgi3", ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=_GRACE,
        )  # fmt: skip
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        log.info("listening", address=self._listen, port=self.port)

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._server = self._task = None

    async def close(self) -> None:
        """Nothing is sent from here."""

    def _bound(self) -> socket.socket:
        """A listening socket: connections that come before the server runs wait for it."""
        host, _, port = self._listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or asyncio leaves Nagle's delay on
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        try:
            listening.bind((host, int(port)))
            listening.listen(1024)
        except (OSError, OverflowError) as error:
            listening.close()
            raise CannotListen(f"Cannot listen on {self._listen}: {error}. Set [http] listen.") from error
        return listening


class _Server(uvicorn.Server):
    """Signals are the program's business: this is one part of it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
