"""Where statements run: threads that write and threads that read; the event loop only waits for them.

A closure is one transaction. Putting several queued closures into one (each in a savepoint, one fsync for all) would be
a change of `Threads.run` alone: no closure knows whether it shares its transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
Work = Callable[[Connection], T]


class Threads:
    """So many threads on one engine. With one, closures run in the order in which they came."""

    def __init__(self, engine: Engine, name: str, count: int) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Work[T]) -> T:
        """`work` in one transaction: committed when this returns, rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._transaction, work)

    def _transaction(self, work: Work[T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    async def close(self) -> None:
        """Let what is queued finish, then close the connections."""
        await asyncio.to_thread(self._pool.shutdown)
        self._engine.dispose()
