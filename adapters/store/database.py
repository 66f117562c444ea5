"""A SQLite database made ready: only its owner can read it, and every commit survives a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError

PRIVATE = 0o600
BUSY_SECONDS = 30
"""How long a transaction waits for another process's before it gives up."""


class StoreUnusable(Exception):
    """The database cannot be opened. `str(error)` is one sentence for the person who starts the program."""


def sqlite_url(url: str) -> URL:
    """Raises StoreUnusable where `url` is not a SQLite file's."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnusable(
            "database_url is no URL; expected sqlite:///<file>, for example sqlite:///ashat.db"
        ) from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise StoreUnusable(
            f"database_url {parsed.render_as_string(hide_password=True)} is not supported; "
            "expected sqlite:///<file>, for example sqlite:///ashat.db"
        )
    return parsed


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


def writer_engine(url: URL) -> Engine:
    """One connection; each transaction takes the write lock when it begins, so that it never fails half-way for it."""
    return _engine(url, begin="BEGIN IMMEDIATE", connections=1, pragmas=("journal_mode=WAL", "synchronous=FULL"))


def reader_engine(url: URL, connections: int) -> Engine:
    """Connections that cannot write."""
    return _engine(url, begin="BEGIN", connections=connections, pragmas=("query_only=ON",))


def _engine(url: URL, *, begin: str, connections: int, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
    )

    def connected(connection: Any, _record: Any) -> None:
        # recursive_triggers: without it INSERT OR REPLACE would pass the triggers that guard the journal
        for pragma in ("foreign_keys=ON", "recursive_triggers=ON", *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    def began(connection: Connection) -> None:
        # the driver's own BEGIN is off (isolation_level None): it would come late, and deferred
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine
