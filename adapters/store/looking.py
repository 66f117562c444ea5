"""A look into the database: no schema is migrated, no mode set, nothing written. SQLite makes its -wal and -shm."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import DatabaseError

from adapters.store import postgres, reads, sqlite
from adapters.store.database import StoreUnusable, named, parsed
from adapters.store.migrate import require_current
from core.state import Server


def servers_in(url: str) -> Sequence[Server]:
    """The configured servers. It blocks, so it is for a thread.

    Raises StoreUnusable where the database cannot be read, or its schema is another version's.
    """
    where = parsed(url)
    on_sqlite = where.get_backend_name() == "sqlite"
    engine = sqlite.looking_engine(where) if on_sqlite else postgres.looking_engine(where)
    try:
        with engine.begin() as connection:
            require_current(connection)
            return reads.servers(connection)
    except DatabaseError as error:
        if on_sqlite:
            raise StoreUnusable(f"the database {where.database} cannot be read: {error.orig}") from error
        raise postgres.unusable(error, named(where)) from error
    finally:
        engine.dispose()
