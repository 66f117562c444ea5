"""Where statements run: threads that write and threads that read; the event loop only waits for them.

A closure is one transaction to whoever asks for it. Those that wait while a thread is busy share the next one where the
database has a single writer: each in a savepoint of its own, one fsync for all, and nobody is answered before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread, local
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from adapters.store.statement import driver_of

T = TypeVar("T")
Work = Callable[[Connection], T]


@dataclass(slots=True, eq=False)
class _Job:
    """A closure, and where its outcome is waited for."""

    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():  # whoever asked was cancelled
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _TransactionLostError(Exception):
    """The database has rolled back more than the closure that failed, such as where the disk is full."""


class Threads:
    """So many threads on one engine. With one, closures run in the order in which they came."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        count: int,
        together: int = 1,
        *,
        steady: bool = False,
        undone: Callable[[], None] = lambda: None,
    ) -> None:
        """At most `together` closures share a transaction. `steady`: a connection does not go stale. `undone` is
        called, in the thread, where a transaction was rolled back after one of them had ended well."""
        self._engine = engine
        self._limit = together
        self._steady = steady
        self._kept = local()
        self._undone = undone
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Work[T]) -> T:
        """`work` in one transaction: committed when this returns, rolled back when it raises.

        It may be called again where the database lost the transaction, so it must do nothing but use its connection.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future())
        self._queue.put(job)
        result: T = await job.future
        return result

    async def close(self) -> None:
        """Let what is queued finish, then close the connections."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._engine.dispose()

    # -- in a thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        last = False
        while not last:
            jobs, last = self._waiting()
            if jobs:
                self._together(jobs)
            for loop, mine in groupby(jobs, key=lambda job: job.loop):
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_settle, tuple(mine))
        if (connection := self._kept.__dict__.get("connection")) is not None:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """The pool is asked for a connection each time where it may have gone stale, and after a failure; to ask takes
        longer than to write a row."""
        connection: Connection = self._kept.__dict__.pop("connection", None) or self._engine.connect()
        keep = False
        try:
            with connection.begin():
                yield connection
            keep = self._steady
        finally:
            if keep:
                self._kept.connection = connection
            else:
                connection.close()

    def _waiting(self) -> tuple[list[_Job], bool]:
        """What waits now, at least one; and whether it is the last."""
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            if not job.future.cancelled():
                jobs.append(job)
            if len(jobs) >= self._limit:
                return jobs, False
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs, False
        return jobs, True

    def _together(self, jobs: Sequence[_Job]) -> None:
        if len(jobs) == 1:
            self._alone(jobs[0])
            return
        try:
            with self._transaction() as connection:
                for job in jobs:
                    _in_savepoint(connection, job)
        except _TransactionLostError:
            self._undone()
            for job in jobs:
                job.result = job.error = None
                self._alone(job)
        except BaseException as error:  # noqa: BLE001 - of the transaction as a whole: it is everybody's
            self._undone()
            for job in jobs:
                job.error = job.error or error

    def _alone(self, job: _Job) -> None:
        done = False
        try:
            with self._transaction() as connection:
                job.result = job.work(connection)
                done = True
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            job.error = error
            if done:
                self._undone()


def _in_savepoint(connection: Connection, job: _Job) -> None:
    """Raises _TransactionLostError where there is no transaction any more in which the others could go on."""
    driver = driver_of(connection)  # SQLAlchemy's own way takes ten times as long
    driver.execute("SAVEPOINT one")
    try:
        job.result = job.work(connection)
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        job.error = error
    try:
        if job.error is not None:
            driver.execute("ROLLBACK TO one")
        driver.execute("RELEASE one")
    except driver.Error as error:
        raise _TransactionLostError from error


def _settle(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.settle()
