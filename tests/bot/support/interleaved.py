"""A store whose calls let others go first, as a real one's do; in memory alone nothing would ever interleave."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

from core.ports import Store


class _Interleaved:
    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._random = random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            for _ in range(self._random.randrange(3)):
                await asyncio.sleep(0)
            return await method(*args, **kwargs)

        return call


def interleaved(store: Store, seed: int) -> Store:
    """`store`, with a few turns of the event loop before each call; which ones, `seed` decides."""
    return cast(Store, _Interleaved(store, seed))
