"""Work that goes on after the acknowledgement, kept in view so that a stop can wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger("ashat.discord")

_GRACE = 5.0
"""Seconds that answers under way get; a command cut off then is carried out by the next start."""


class Tasks:
    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._running

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        until = asyncio.get_running_loop().time() + _GRACE
        while self._running and (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self._running), timeout=left)  # what these begin has its time too
        await asyncio.gather(*self.abandon(), return_exceptions=True)

    def abandon(self) -> list[asyncio.Task[Any]]:
        """Break off what is under way, which is given back."""
        late = [*self._running]
        for task in late:
            task.cancel()
        return late

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("answer failed", exc_info=error)
