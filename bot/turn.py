"""Which of several replicas does what only one at a time may do: a duty that the store gives."""

from __future__ import annotations

import uuid

from core.ports import Clock, Store

LEASE = 15.0
"""Seconds that the duty stays with its owner without a word from it."""


class Turn:
    """`mine` is to be asked every few seconds; whoever stops asking loses it to another."""

    def __init__(self, store: Store, clock: Clock, duty: str) -> None:
        self._store = store
        self._clock = clock
        self._duty = duty
        self._owner = uuid.uuid4().hex

    async def mine(self) -> bool:
        """Take it, or keep it."""
        return await self._store.hold(self._duty, self._owner, self._clock.now(), LEASE)

    async def over(self) -> None:
        """Another may begin at once."""
        await self._store.let_go(self._owner)
