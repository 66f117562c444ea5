"""Looks at the servers for the page, at a bounded rate, and only while somebody has the page before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from core.completion import CompletionContext
from core.views.picture import Picture

log = structlog.get_logger("ashat.playground")

GAP = 1.0
"""Seconds between two looks, however many look."""


class View(Protocol):
    """What the page can ask of the bot, besides what people say to it."""

    async def picture(self) -> Picture:
        """ALPHA and all servers as they are now; what does not answer in time is shown so."""

    async def completion(self) -> CompletionContext:
        """What can be typed next."""


class Lookout:
    """The newest picture. `looked` is called whenever it is another one than before."""

    def __init__(self, view: View, looked: Callable[[], None], gap: float = GAP) -> None:
        self._view = view
        self._looked = looked
        self._gap = gap
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None
        self.newest: Picture | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Somebody looks until the block ends."""
        self._watchers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers:
                await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _look(self) -> None:
        while True:
            try:
                newest = await self._view.picture()
            except Exception:
                log.exception("cannot look at the servers")
            else:
                if newest != self.newest:
                    self.newest = newest
                    self._looked()
            await asyncio.sleep(self._gap)
