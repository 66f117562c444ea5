"""Connections to releases: how many requests are in flight on each, and those that wait for the next request."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

import h11

from agent.door.wire import Wire

_CONNECT = 5.0
"""Seconds for a release on this host to accept a connection."""
_IDLE = 4.0
"""Seconds that a connection waits for another request: less than servers do (5 s and more), so that seldom both the
release closes it and a request is sent on it."""
_MOST_IDLE = 64
"""Connections to one release that wait."""


class Upstreams:
    """All connections to releases, by address (`host:port`)."""

    def __init__(self) -> None:
        self.in_flight: Counter[str] = Counter()
        """Requests that have been sent to a release, or are about to be, and are not answered to the end."""
        self.quiet = asyncio.Event()
        self.quiet.set()
        self._idle: dict[str, dict[Wire, asyncio.TimerHandle]] = {}
        """The longest unused first; each with the moment at which it has waited long enough."""

    @contextlib.contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """A request to `address` is in flight. Entered before anything is awaited: a switch must see this request."""
        self.in_flight[address] += 1
        self.quiet.clear()
        try:
            yield
        finally:
            self.in_flight[address] -= 1
            if not self.in_flight[address]:
                del self.in_flight[address]
            if not self.in_flight:
                self.quiet.set()

    async def connect(self, address: str) -> Wire:
        """A new connection. Raises OSError (a TimeoutError is one)."""
        host, _, port = address.rpartition(":")
        async with asyncio.timeout(_CONNECT):
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: Wire(h11.CLIENT), host.strip("[]"), int(port)
            )
        return wire

    def waiting(self, address: str) -> Wire | None:
        """A connection over which a request was answered before, if one is left that nobody has closed."""
        idle = self._idle.get(address, {})
        while idle:
            wire, retiring = idle.popitem()
            retiring.cancel()
            if wire.is_clean:
                return wire
            wire.cut()
        return None

    def give_back(self, address: str, wire: Wire) -> None:
        """Keep the connection for another request, if its exchange has ended to the byte; else cut it."""
        idle = self._idle.setdefault(address, {})
        if wire.exchange_is_over and wire.is_clean and len(idle) < _MOST_IDLE:
            wire.start_next_cycle()
            idle[wire] = asyncio.get_running_loop().call_later(_IDLE, self._retire, address, wire)
        else:
            wire.cut()

    def close(self) -> None:
        """Cut what waits."""
        for idle in self._idle.values():
            for wire, retiring in idle.items():
                retiring.cancel()
                wire.cut()
        self._idle.clear()

    def _retire(self, address: str, wire: Wire) -> None:
        self._idle[address].pop(wire)
        wire.cut()
        if not self._idle[address]:
            del self._idle[address]
