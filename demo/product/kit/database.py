"""The component's SQLite database: one file in the slot, made by `main.py migrate`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

LOCK_SECONDS = 5.0
"""How long a writer waits for another one."""


@contextmanager
def connected(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that commits when the block ends well and rolls back otherwise.

    Raises sqlite3.OperationalError where `migrate` has not been run: opening never creates the file.
    """
    with (
        closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=LOCK_SECONDS)) as connection,
        connection,
    ):
        connection.row_factory = sqlite3.Row
        yield connection


def migrate(database: Path, scripts: Path) -> int:
    """Apply the scripts (`001_….sql`, …) that this database has not seen, each in a transaction; the new version."""
    database.parent.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(database, timeout=LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        for script in sorted(scripts.glob("*.sql")):
            number = int(script.name.partition("_")[0])
            if number > version:
                text = script.read_text("utf-8")
                connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
                version = number
    return version


def now_text() -> str:
    """This moment as the tables keep it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
