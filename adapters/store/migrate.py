"""Bring a database's schema up to date, in one transaction; whoever comes second waits, and finds it done.

Alembic is imported where there is something to do: it takes a sixth of the bot's start.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from adapters.store.database import StoreUnusable

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).with_name("migrations")


def configuration(connection: Connection) -> Config:
    """Alembic's settings in code; the connection is handed through to migrations/env.py."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def require_current(connection: Connection) -> None:
    """Raises StoreUnusable where the schema is not the one of this version, which only a start of the bot mends."""
    current, known = revision(connection), revisions()
    if current is not None and current not in known:
        raise _newer(current, known[-1])
    if current != known[-1]:
        raise StoreUnusable(
            f"the database has schema {current or 'none'}, this version knows {known[-1]}; `ashat run` brings it there"
        )


def migrate(connection: Connection, guard: Callable[[Connection], None]) -> None:
    """Upgrade within the transaction of `connection`, which `guard` makes the only one that does.

    Raises StoreUnusable where a newer version has written the schema.
    """
    guard(connection)
    current, known = revision(connection), revisions()
    if current == known[-1]:
        return
    if current is not None and current not in known:
        raise _newer(current, known[-1])
    from alembic import command

    command.upgrade(configuration(connection), "head")


def _newer(current: str, known: str) -> StoreUnusable:
    return StoreUnusable(
        f"the database was written by a newer version of Ashat (schema {current}, this version knows {known}); "
        "start that version, or restore a backup from before the upgrade"
    )


def revision(connection: Connection) -> str | None:
    """The schema that the database has; None where it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def revisions() -> list[str]:
    """Those that this version knows, oldest first: their files begin with them, and follow each other by number."""
    return sorted(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))
