"""A counter that rises with every change on this host, and a way to wait for the next one (the long poll)."""

from __future__ import annotations

import asyncio


class Changes:
    """Level-triggered: a waiter learns that something changed after `after`, then looks for itself."""

    def __init__(self) -> None:
        self._version = 0
        self._changed = asyncio.Event()

    @property
    def version(self) -> int:
        return self._version

    def mark(self) -> None:
        """Something changed: everyone who waits wakes up."""
        self._version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, after: int, timeout: float) -> int:  # noqa: ASYNC109 - it answers at the time-out, it does not raise
        """The version, as soon as it differs from `after` (a restart begins anew at 0), or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self._version == after:
                    await self._changed.wait()
        except TimeoutError:
            return self._version
        return self._version
