"""Serves the page on loopback, in the bot's own process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Collection, Iterator

import structlog
import uvicorn

from adapters.playground.gate import Keys
from adapters.playground.refused import PlaygroundRefused
from adapters.playground.site import Parts, Site

log = structlog.get_logger("ashat.playground")

PORT = 8100
_NEXT = 100
"""How many ports are tried, one after another, where the first is in use."""
_GRACE = 2
"""Seconds for requests that are under way when it stops."""
_HARMLESS = frozenset({"terminal", "playground", "shell"})


class Playground:
    """One run of it: its address, its secrets, its server."""

    def __init__(
        self,
        parts: Parts,
        *,
        beside: Collection[str],
        host: str = "127.0.0.1",
        port: int = PORT,
        token: str | None = None,
    ) -> None:
        """`beside` are the platforms that are switched on. Raises PlaygroundRefused: it lets anybody be anybody."""
        real = sorted(set(beside) - _HARMLESS)
        if real:
            raise PlaygroundRefused(f"The playground never runs beside {', '.join(real)}: there, people are real.")
        if not ipaddress.ip_address(host).is_loopback:
            raise PlaygroundRefused(f"The playground listens on loopback only, and {host} is not; use 127.0.0.1.")
        self.parts = parts
        self._host = host
        self._wanted = port
        self._keys = Keys(token)
        self._site: Site | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        """The port it has, once it has started."""

    @property
    def url(self) -> str:
        """The address without the secret, for logs."""
        return f"http://{_named(self._host)}:{self.port}/"

    @property
    def link(self) -> str:
        """What a person opens. The token stands in the fragment, which browsers keep to themselves."""
        return f"{self.url}#{self._keys.token}"

    async def start(self) -> None:
        """Listen; a port in use is passed over. Started again, it is where it was. Raises PlaygroundRefused."""
        listening = self._bound()
        self.port = self._wanted = listening.getsockname()[1]
        addresses = [f"{name}:{self.port}" for name in (_named(self._host), "localhost")]
        self._site = Site(self.parts, addresses, self._keys, f"ashat_playground_{self.port}")
        config = uvicorn.Config(
            self._site.app, http="h11", ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=_GRACE,
        )  # fmt: skip
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        log.info("playground listens", url=self.url)

    async def stop(self) -> None:
        """End the streams, and let what is under way end."""
        if self._site is None or self._server is None or self._task is None:
            return
        self._site.close()
        self._server.should_exit = True
        await self._task
        self._site = self._server = self._task = None

    def _bound(self) -> socket.socket:
        """A listening socket: connections that come before the server runs wait for it.

        The wanted port also while old connections to it fade away; another one only where nobody keeps it for a server
        that is about to start.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        for port in range(self._wanted, self._wanted + _NEXT) if self._wanted else (0,):
            listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # or asyncio leaves Nagle on
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, port == self._wanted)
            try:
                listening.bind((self._host, port))
                listening.listen()
            except OSError as error:
                listening.close()
                if error.errno != errno.EADDRINUSE:
                    raise PlaygroundRefused(f"The playground cannot listen on {self._host}:{port}: {error}.") from error
            else:
                return listening
        last = self._wanted + _NEXT - 1
        raise PlaygroundRefused(f"The ports {self._wanted} to {last} are all in use; name another for the playground.")


def _named(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Server(uvicorn.Server):
    """Signals are the program's business: this is one part of it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
