"""What was told a while ago; never what could not be found out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from core.ports import Clock

Told = TypeVar("Told")

_FRESH = 600.0
"""Seconds that what a platform said about a person or a channel holds."""
_KEPT = 10_000


class Cache(Generic[Told]):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Told]] = {}

    async def get(self, key: str, ask: Callable[[str], Awaitable[Told]]) -> Told:
        now = self._clock.now().timestamp()
        found = self._known.get(key)
        if found is not None and 0 <= now - found[0] < _FRESH:  # what lies ahead is from before the clock was put back
            return found[1]
        told = await ask(key)
        self._known.pop(key, None)
        self._known[key] = (now, told)
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return told
