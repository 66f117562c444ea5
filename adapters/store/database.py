"""Which databases there are, and what the store wants of each: engines, and a guard for migrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from adapters.store.lately import Version

EXPECTED = (
    "expected sqlite:///<file>, for example sqlite:///ashat.db, or postgresql://<user>:<password>@<host>/<database>"
)
BACKENDS = {"sqlite": ("sqlite",), "postgresql": ("postgresql", "postgresql+psycopg")}
"""The drivers that a URL may name, by database."""


class StoreUnusable(Exception):
    """The database cannot be opened. `str(error)` is one sentence for the person who starts the program."""


@dataclass(frozen=True, slots=True)
class Database:
    """An opened database: where to write and where to read, with so many threads each. `name` is for people."""

    name: str
    writer: Engine
    writers: int
    reader: Engine
    readers: int
    guard: Callable[[Connection], None]
    """Called in the transaction that migrates: whoever comes second waits there until the first has committed."""
    together: int = 1
    """Closures that may share a transaction of the writer."""
    steady: bool = False
    """A connection to it never goes stale, so a thread keeps its own."""
    version: Version | None = None
    """By which what was read a while ago still holds."""


def parsed(url: str) -> URL:
    """Raises StoreUnusable where `url` is neither that of a SQLite file nor that of a PostgreSQL database."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # not chained: what it says may repeat the password
        raise StoreUnusable(f"database_url is no URL; {EXPECTED}") from None
    if found.drivername not in BACKENDS.get(found.get_backend_name(), ()) or found.database in (None, "", ":memory:"):
        raise StoreUnusable(f"database_url {named(found)} is not supported; {EXPECTED}")
    return found


def named(url: URL) -> str:
    """The URL as people may see it, without password and without options, which may hold secrets too."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)
