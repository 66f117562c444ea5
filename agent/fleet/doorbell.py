"""Wakes one mainframe's open polls, and nobody else's. Who sleeps holds nothing here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Doorbell:
    """Futures of those who wait, by name."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self.closed = False

    def names(self) -> tuple[str, ...]:
        """Who waits."""
        return tuple(self._waiting)

    @contextmanager
    def listening(self, name: str) -> Iterator[asyncio.Future[None]]:
        """A future that `ring(name)` completes."""
        bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.closed:
            bell.set_result(None)
        bells = self._waiting.setdefault(name, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.discard(bell)
            if not bells:
                self._waiting.pop(name, None)
            bell.cancel()

    def ring(self, name: str) -> None:
        for bell in self._waiting.get(name, ()):
            if not bell.done():
                bell.set_result(None)

    def close(self) -> None:
        """Wake everyone, now and from now on: the server is stopping."""
        self.closed = True
        for name in self.names():
            self.ring(name)
