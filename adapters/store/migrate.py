"""Bring a database's schema up to date, in one transaction; whoever comes second waits, and finds it done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from adapters.store.database import StoreUnusable

SCRIPTS = Path(__file__).with_name("migrations")


def configuration(connection: Connection) -> Config:
    """Alembic's settings in code; the connection is handed through to migrations/env.py."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate(connection: Connection, guard: Callable[[Connection], None]) -> None:
    """Upgrade within the transaction of `connection`, which `guard` makes the only one that does.

    Raises StoreUnusable where a newer version has written the schema.
    """
    guard(connection)
    config = configuration(connection)
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise StoreUnusable(
            f"the database was written by a newer version of Ashat (schema {current}, this version knows "
            f"{scripts.get_current_head()}); start that version, or restore a backup from before the upgrade"
        )
    command.upgrade(config, "head")
