"""OMEGA's registry on disk: SQLite with one writer thread, whose commits are shared by all who wait at that moment.

Everything is read once, at the start. After that memory answers every question, and the file is only written to:
ten thousand mainframes that poll cost it nothing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, Executable, StaticPool, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from agent.fleet.tables import (
    SCHEMA_VERSION,
    UPGRADES,
    DistributionRow,
    FleetTable,
    GrantRow,
    MainframeRow,
    ReceiptRow,
)

_NO_ROOM = frozenset((sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR))
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Change:
    """One statement, run for each of `rows`. Neighbours in a batch that share the statement are run as one."""

    statement: Executable
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Contents:
    """All that the registry holds."""

    mainframes: Sequence[MainframeRow]
    distributions: Sequence[DistributionRow]
    grants: Sequence[GrantRow]
    receipts: Sequence[ReceiptRow]


class RegistryError(Exception):
    """The registry's file cannot be used. `str(error)` is one sentence for a person."""


class FleetStore:
    """The registry's file. Made by `open`; `close` it."""

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._thread = thread
        self._pending: list[tuple[tuple[Change, ...], asyncio.Future[None]]] = []
        self._draining: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path) -> FleetStore:
        """Open or create the file, mode 0600. Raises RegistryError for one of another version."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="fleet-writer")
        store = cls(_engine(path), thread)
        try:
            await store._in_thread(_prepare, store._engine, path)
        except BaseException:
            await store.close()
            raise
        return store

    async def contents(self) -> Contents:
        """Read everything."""
        return await self._in_thread(_read, self._engine)

    async def write(self, *changes: Change) -> None:
        """Returns once `changes` are on disk, all or none. Raises SQLAlchemyError; OSError where the disk is full."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((changes, done))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain(), name="fleet-writer")
        try:
            await done
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in _NO_ROOM:
                raise
            raise OSError(errno.ENOSPC, f"the registry cannot be written ({error.orig})") from error

    async def close(self) -> None:
        """Let what is being written finish, then close the file."""
        if self._draining is not None:
            await self._draining
        await self._in_thread(self._engine.dispose)
        self._thread.shutdown()

    async def _drain(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            changes = [change for part, _ in batch for change in part]
            commit = asyncio.ensure_future(self._in_thread(self._commit, changes))
            await asyncio.wait([commit])
            _settle([done for _, done in batch], commit.exception())

    def _commit(self, changes: Sequence[Change]) -> None:
        with self._engine.begin() as connection:
            for statement, same in groupby(changes, key=lambda change: change.statement):
                rows = [row for change in same for row in change.rows]
                if rows:
                    connection.execute(statement, rows)

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *args, **kwargs))


def _settle(waiting: Sequence[asyncio.Future[None]], error: BaseException | None) -> None:
    """Tell everyone who shared a commit how it ended; one who was cancelled meanwhile is no longer asking."""
    for done in waiting:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _engine(path: Path) -> Engine:
    """One connection, made and used by the writer thread alone; each transaction takes the write lock at its start."""
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 would otherwise begin, deferred, when it sees fit
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _prepare(engine: Engine, path: Path) -> None:
    """Create what is missing. SQLite gives its WAL the mode of the main file, so that is set before it is opened."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    with engine.begin() as connection:
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        while found in UPGRADES:
            for statement in UPGRADES[found]:
                connection.exec_driver_sql(statement)
            found += 1
        if found not in (0, SCHEMA_VERSION):
            raise RegistryError(
                f"{path} has the schema version {found} and this agent knows {SCHEMA_VERSION}: "
                "run the agent that wrote it, or move the file away to begin a new registry"
            )
        FleetTable.metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _read(engine: Engine) -> Contents:
    with Session(engine, expire_on_commit=False) as session:
        return Contents(
            mainframes=session.exec(select(MainframeRow)).all(),
            distributions=session.exec(select(DistributionRow)).all(),
            grants=session.exec(select(GrantRow)).all(),
            receipts=session.exec(select(ReceiptRow)).all(),
        )
