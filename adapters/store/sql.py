"""The store on a database: each method of the port is one transaction, in a thread that writes or in one that reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError

from adapters.store import duties, journal, post, postgres, reads, sqlite, work
from adapters.store.commit import in_turn, save, send
from adapters.store.database import Database, parsed
from adapters.store.known import Known
from adapters.store.lately import Lately
from adapters.store.migrate import migrate
from adapters.store.threads import Threads
from adapters.store.working import Kept, Looked, Working
from core.journal import Entry, Head
from core.ports import (
    CardRow,
    Change,
    Clock,
    Conflict,
    Incoming,
    Lease,
    Outbound,
    Page,
    Queued,
    Reply,
    Surroundings,
    Waiting,
)
from core.state import Block, Deployment, Lane, Server

T = TypeVar("T")
Written = tuple[Change | None, Deployment | None]
"""What was committed, and the deployment as it is stored since."""


class SqlStore:
    """See core.ports.Store. Make it with `open`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._kept = Kept() if database.writers == 1 else None
        """One thread writes all there is, so it knows what is there."""
        self._readers = Threads(database.reader, "store-reader", database.readers, steady=database.steady)
        self._writer = Threads(
            database.writer, "store-writer", database.writers, database.together, steady=database.steady,
            undone=self._kept.forget if self._kept else lambda: None,
        )  # fmt: skip
        self._clock = clock
        self._known = Known()
        self._lately = Lately(database.version)

    @classmethod
    async def open(cls, url: str, clock: Clock) -> SqlStore:
        """Open the database at `url` and migrate it: `sqlite:///<file>`, made with mode 0600 where it is new, or
        `postgresql://…`, which must exist.

        Raises StoreUnusable where the URL, the database or the version of its schema does not allow it.
        """
        database = await asyncio.to_thread(_database, parsed(url))
        store = cls(database, clock)
        try:
            await store._writer.run(lambda c: migrate(c, database.guard))
        except BaseException as error:
            await store.close()
            if isinstance(error, DatabaseError):
                raise _unusable(error, database) from error
            raise
        return store

    async def close(self) -> None:
        self._lately.close()
        await self._readers.close()
        await self._writer.close()

    # -- inbox ---------------------------------------------------------------------------------------------------------

    async def accept(self, message: Incoming, at: datetime) -> bool:
        return await self._writer.run(lambda c: post.accept(c, message, at))

    async def settled(self, platform: str, delivery: str) -> Reply | None:
        return await self._readers.run(lambda c: post.reply_to(c, platform, delivery))

    async def unsettled(self, before: datetime, limit: int) -> Sequence[Waiting]:
        return await self._readers.run(lambda c: post.unsettled(c, before, limit))

    # -- decisions -----------------------------------------------------------------------------------------------------

    async def commit(self, change: Change) -> None:
        await self._written(lambda c: (change, save(c, change, self._working(c), self._clock.now())))

    async def decide(
        self,
        id: str,  # noqa: A002 - the port's word
        attempt: int | None,
        decision: Callable[[Surroundings], Change | None],
        component: str | None = None,
    ) -> Change | None:
        def work(c: Connection) -> Written:
            if component or not id:
                in_turn(c)
            working = self._working(c)
            change = decision(working.surroundings(c, id, attempt, component))
            return change, None if change is None else save(c, change, working, self._clock.now())

        return await self._written(work)

    async def _written(self, work: Callable[[Connection], Written]) -> Change | None:
        try:
            change, stored = await self._writer.run(work)
        except DBAPIError as error:
            if postgres.lost_race(error):
                raise Conflict("somebody else committed first") from error
            raise
        if stored:
            self._known.put(stored)
        return change

    def _working(self, c: Connection) -> Working:
        return self._kept.checked(c) if self._kept else Looked(self._known)

    async def _look(self, question: Hashable, ask: Callable[[Working, Connection], T]) -> T:
        """Where one thread writes, it is the one that knows without a look; and what it told holds until a commit."""
        thread = self._writer if self._kept else self._readers
        return await self._lately.get(question, lambda: thread.run(lambda c: ask(self._working(c), c)))

    async def _look_up(self, question: Hashable, ask: Callable[[Connection], T]) -> T:
        """What nobody knows without a look: what has ended is among it."""
        return await self._lately.get(question, lambda: self._readers.run(ask))

    async def surroundings(self, id: str, attempt: int | None = None) -> Surroundings:  # noqa: A002 - the port's word
        return await self._look(("surroundings", id, attempt), lambda w, c: w.surroundings(c, id, attempt, None))

    async def deployment(self, id: str, attempt: int | None = None) -> Deployment | None:  # noqa: A002 - the port's word
        return await self._look_up(
            ("deployment", id, attempt), lambda c: reads.one_deployment(c, id, attempt, self._known)
        )

    async def active(self, component: str | None = None) -> Sequence[Deployment]:
        return await self._look(("active", component), lambda w, c: w.active(c, component))

    async def history(self, limit: int, before: str | None = None, component: str | None = None) -> Page:
        if before is not None:
            return await self._readers.run(lambda c: reads.history(c, limit, before, component, self._known))
        newest = ("history", limit, component)
        return await self._look_up(newest, lambda c: reads.history(c, limit, None, component, self._known))

    async def lane(self, component: str) -> Lane:
        return next((lane for lane in await self.lanes() if lane.component == component), Lane(component))

    async def lanes(self) -> Sequence[Lane]:
        return await self._look("lanes", lambda w, c: w.lanes(c))

    async def servers(self) -> Sequence[Server]:
        return await self._look("servers", lambda w, c: w.servers(c))

    async def blocks(self) -> Sequence[Block]:
        return await self._look("blocks", lambda w, c: w.blocks(c))

    async def durations(self, component: str, limit: int = 20) -> dict[str, list[float]]:
        return await self._readers.run(lambda c: reads.durations(c, component, limit))

    async def tested(self, id: str) -> Sequence[str]:  # noqa: A002 - the port's word
        return await self._readers.run(lambda c: reads.tested(c, id))

    # -- journal -------------------------------------------------------------------------------------------------------

    async def journal(self, chain: str, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        return await self._readers.run(lambda c: journal.entries(c, chain, after, limit))

    async def noted(self, chains: Sequence[str]) -> dict[str, list[str]]:
        return await self._readers.run(lambda c: journal.noted(c, chains))

    async def heads(self) -> Sequence[Head]:
        return await self._readers.run(journal.heads)

    async def add_checkpoint(
        self, envelope: dict[str, Any], at: datetime, number: int, outbox: Sequence[Outbound] = ()
    ) -> None:
        def work(c: Connection) -> None:
            journal.add_checkpoint(c, envelope, at, number)
            send(c, outbox)

        await self._writer.run(work)

    async def checkpoints(self, after: int = 0) -> Sequence[dict[str, Any]]:
        return await self._readers.run(lambda c: journal.checkpoints(c, after))

    # -- work ----------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, now: datetime, lease: float, limit: int) -> Sequence[Lease]:
        return await self._writer.run(lambda c: work.claim(c, owner, now, lease, limit))

    async def extend(self, leases: Sequence[Lease], now: datetime, lease: float) -> Sequence[Lease]:
        return await self._writer.run(lambda c: work.extend(c, leases, now, lease))

    async def release(self, lease: Lease, due_at: datetime | None) -> None:
        await self._writer.run(lambda c: work.release(c, lease, due_at))

    async def next_due(self) -> datetime | None:
        return await self._readers.run(lambda c: work.next_due(c, self._clock.now()))

    async def hold(self, duty: str, owner: str, now: datetime, lease: float) -> bool:
        return await self._writer.run(lambda c: duties.hold(c, duty, owner, now, lease))

    async def let_go(self, owner: str) -> None:
        await self._writer.run(lambda c: duties.let_go(c, owner))

    async def free_all(self, now: datetime) -> None:
        def free(c: Connection) -> None:
            work.end_all(c, now)
            duties.let_all_go(c)

        await self._writer.run(free)

    # -- channels ------------------------------------------------------------------------------------------------------

    async def outbox(self, channel: str, limit: int) -> Sequence[Queued]:
        return await self._readers.run(lambda c: post.unsent(c, channel, limit))

    async def channels_waiting(self) -> Sequence[str]:
        return await self._readers.run(lambda c: post.channels_waiting(c, self._clock.now()))

    async def sent(self, numbers: Sequence[int], at: datetime) -> None:
        await self._writer.run(lambda c: post.sent(c, numbers, at))

    async def stale_cards(self, channel: str, limit: int) -> Sequence[CardRow]:
        return await self._readers.run(lambda c: post.stale_cards(c, channel, limit))

    async def card(self, channel: str, deployment: str) -> CardRow | None:
        return await self._readers.run(lambda c: post.card(c, channel, deployment))

    async def shown(self, channel: str, deployment: str, reference: str, version: int) -> None:
        await self._writer.run(lambda c: post.shown(c, channel, deployment, reference, version))

    async def park(self, channel: str, why: str, until: datetime | None) -> None:
        await self._writer.run(lambda c: post.park(c, channel, why, until))

    async def unpark(self, channel: str) -> None:
        await self._writer.run(lambda c: post.unpark(c, channel))


def _database(url: URL) -> Database:
    return sqlite.database(url) if url.get_backend_name() == "sqlite" else postgres.database(url)


def _unusable(error: DatabaseError, database: Database) -> Exception:
    """The sentence for what a first transaction meets; the error itself where it is not about the database."""
    if database.writer.dialect.name == "postgresql":
        return postgres.unusable(error, database.name)
    return sqlite.unusable(error, database.name) or error
