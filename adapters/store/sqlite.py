"""A SQLite database made ready: only its owner can read it, and every commit survives a power cut."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError

from adapters.store.database import Database, StoreUnusable
from adapters.store.statement import directly, driver_of

PRIVATE = 0o600
BUSY_SECONDS = 30
"""How long a transaction waits for another process's before it gives up."""
READERS = 2
TOGETHER = 64
"""Commits that share an fsync at most, so that the first of them waits for few others."""
_OF_FILES = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
}
"""Primary result codes (https://sqlite.org/rescode.html) that are the file system's, not the program's."""


def database(url: URL) -> Database:
    """One thread that writes, a few that read. Raises StoreUnusable where the file cannot be written.

    SQLite has one writer at a time, so a queue in front of one thread is faster than writers that wait for a lock.
    """
    file = Path(str(url.database))
    prepare_file(file)
    writer, reader = _writer_engine(url), _reader_engine(url, READERS)
    return Database(str(file), writer, 1, reader, READERS, _guard, TOGETHER, steady=True, version=DataVersion(file))


class DataVersion:
    """What changes with every commit: https://sqlite.org/pragma.html#pragma_data_version. It is not waited for."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)

    def now(self) -> int | None:
        """Microseconds: it is in memory that the connections share."""
        try:
            found: tuple[int] = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:  # whoever reads meets it too, and says so
            return None
        return found[0]

    def close(self) -> None:
        self._connection.close()


def prepare_file(path: Path) -> None:
    """Make the file, or what is there already, the owner's alone; SQLite gives WAL and shm the mode of the database.

    Raises StoreUnusable where that cannot be done.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            if file.exists():
                file.chmod(PRIVATE)
    except OSError as error:
        raise StoreUnusable(
            f"the database {path} cannot be written: {error.strerror}; choose another database_url"
        ) from error


def unusable(error: DBAPIError, name: str) -> StoreUnusable | None:
    """The sentence for what the file or its folder does not allow; None where it is about something else."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StoreUnusable(f"{name} is no SQLite database; choose another database_url")
    if code in _OF_FILES:
        return StoreUnusable(f"the database {name} cannot be used: {error.orig}; check its folder's owner and the disk")
    return None


def _guard(_: Connection) -> None:
    """Nothing to do: every transaction of the writer begins with the write lock."""


def _writer_engine(url: URL) -> Engine:
    """One connection; each transaction takes the write lock when it begins, so that it never fails half-way for it."""
    return _engine(url, begin="BEGIN IMMEDIATE", connections=1, pragmas=("journal_mode=WAL", "synchronous=FULL"))


def looking_engine(url: URL) -> Engine:
    """Where it can only be looked at: nothing is made, not even the file. https://sqlite.org/uri.html"""
    file = Path(str(url.database)).absolute().as_uri()
    return _reader_engine(url.set(database=file, query={"mode": "ro", "uri": "true"}), 1)


def _reader_engine(url: URL, connections: int) -> Engine:
    """Connections that cannot write."""
    return _engine(url, begin="BEGIN", connections=connections, pragmas=("query_only=ON",))


def _engine(url: URL, *, begin: str, connections: int, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,  # an error must not repeat what people said
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
    )

    def connected(connection: Any, _record: Any) -> None:
        # recursive_triggers: without it INSERT OR REPLACE would pass the triggers that guard the journal
        for pragma in ("foreign_keys=ON", "recursive_triggers=ON", *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    def began(connection: Connection) -> None:
        # the driver's own BEGIN is off (isolation_level None): it would come late, and deferred
        directly(driver_of(connection), begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine
