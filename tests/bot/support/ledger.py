"""A real journal in a SQLite file, two deployments long, with signed checkpoints; and a hand that edits it.

The hand knows what a thief of the database knows: how hashes are made. It does not have the bot's key.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.store.sql import SqlStore
from bot.checkpoints import Checkpoints
from bot.export import Export
from bot.keys import KnownKey
from core.journal import GENESIS, Entry, digest
from core.people import Person
from core.ports import Store
from core.release.signing import Signs, digest_of, public_text
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World, running

MALLORY = Person("mallory", "Mallory", frozenset())


@dataclass(frozen=True)
class Ledger:
    """`v1` was approved by Bo, completed and noted on; `v2` waits for votes, of which it has one of two."""

    folder: Path
    key: str
    signer: Signs
    last: tuple[int, str]
    """Number and hash of the last checkpoint, as an anchor outside would have them."""

    @property
    def file(self) -> Path:
        return self.folder / "data" / "ashat.db"

    def copy(self, folder: Path) -> Ledger:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return replace(self, folder=folder)

    def edit(self, act: Callable[[Hand], object]) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            act(Hand(connection))
            connection.commit()


def made(folder: Path) -> Ledger:
    """By a bot that ran through a journey on twins."""
    return asyncio.run(_made(folder))


async def _made(folder: Path) -> Ledger:
    (folder / "data").mkdir()
    (folder / "config.toml").write_text('[ashat]\ndata = "data"\n')
    clock = MovedClock()
    url = f"sqlite:///{folder / 'data' / 'ashat.db'}"
    made = World(await SqlStore.open(url, clock), clock=clock, quorum_by_component={"api": 2})
    async with running(made, configured=False) as world:
        await world.eve.says(f"deploy configure public {world.public.url} Staging")
        await world.eve.says(f"deploy configure omega {world.omega.url} Production")
        world.ships("v1")
        world.ships("v2", component="api")
        for words in ("push v1 'The first'", "verify v1", "push v2 'The second'", "verify v2"):
            await world.alice.says(f"deploy {words}")
            await world.settles()
            await world.app.checkpoints.write()
        await world.bo.says("deploy approve v2")
        await world.bo.says("deploy approve v1")
        await world.settles()
        assert (await world.stage("v1"), await world.stage("v2")) == (Stage.COMPLETED, Stage.AWAITING_APPROVAL)
        await world.app.checkpoints.write()
        for words in ("note v1 'All is well'", "note v1 'Still is'", "note v2 'Wait for Cy'"):
            await world.bo.says(f"deploy {words}")
        await world.app.checkpoints.write()
        envelopes = await world.store.checkpoints()
        last = (len(envelopes), digest_of(envelopes[-1]))
    return Ledger(folder, public_text(world.signer), world.signer, last)


async def exported(ledger: Ledger, since: datetime | None = None) -> list[str]:
    """The lines of an export by the bot that has the key."""
    clock = MovedClock(datetime(2026, 3, 3, tzinfo=UTC))
    store: Store = await SqlStore.open(f"sqlite:///{ledger.file}", clock)
    try:
        export = Export(store, Checkpoints(store, ledger.signer, clock), clock, [KnownKey(ledger.key)])
        return [line async for line in export.lines(MALLORY, since, "nonce-of-the-export")]
    finally:
        await store.close()


class Hand:
    """Edits the tables of a database, triggers taken away."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._c = connection
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")

    def does(self, statement: str, *values: Any) -> None:
        """It must hit something."""
        assert self._c.execute(statement, values).rowcount > 0, statement

    def asks(self, statement: str, *values: Any) -> Any:
        (found,) = self._c.execute(statement, values).fetchone()
        return found

    def chain(self, name: str) -> list[Entry]:
        rows = self._c.execute(
            'SELECT chain, seq, kind, data, at, "by", via, previous, hash FROM journal WHERE chain = ? ORDER BY seq',
            (name,),
        )
        return [
            Entry(
                c, seq, kind, json.loads(data), datetime.fromisoformat(at).replace(tzinfo=UTC), by, via, previous, hash_
            )
            for c, seq, kind, data, at, by, via, previous, hash_ in rows
        ]

    def seq_of(self, chain: str, kind: str) -> int:
        return next(entry.seq for entry in self.chain(chain) if entry.kind == kind)

    def puts(self, chain: str, entries: Sequence[Entry]) -> None:
        """In place of the whole chain."""
        self._c.execute("DELETE FROM journal WHERE chain = ?", (chain,))
        for entry in entries:
            at = entry.at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
            self._c.execute(
                "INSERT INTO journal (chain, seq, kind, data, at, \"by\", via, previous, hash) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (entry.chain, entry.seq, entry.kind, json.dumps(entry.data), at, entry.by, entry.via, entry.previous,
                 entry.hash),
            )  # fmt: skip


def resealed(entries: Sequence[Entry]) -> list[Entry]:
    """Numbered and hashed anew, so that the chain is whole in itself."""
    found: list[Entry] = []
    for number, entry in enumerate(entries, 1):
        placed = replace(entry, seq=number, previous=found[-1].hash if found else GENESIS)
        found.append(replace(placed, hash=digest(placed)))
    return found
