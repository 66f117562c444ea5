"""Migrations make exactly the schema that the tables describe, once, and refuse what a newer version wrote."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from adapters.store.database import StoreUnusable
from adapters.store.migrate import SCRIPTS, revisions
from adapters.store.sql import SqlStore
from adapters.store.tables import SCHEMA
from tests.contract.store.samples import StoppedClock, new_deployment, stored


def schema(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()


def lines_of(statement: str) -> frozenset[str]:
    """Apart from the order of constraints, which says nothing."""
    lines = (line.strip().rstrip(",") for line in statement.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("--"))


async def test_the_migrated_schema_is_that_of_the_tables(store: SqlStore) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    differences = await store._readers.run(
        lambda c: compare_metadata(MigrationContext.configure(c, opts=options), SCHEMA)
    )
    assert differences == []


async def test_partial_indexes_have_the_conditions_of_the_tables(store: SqlStore, file: Path) -> None:
    """Which Alembic does not compare."""
    engine = create_engine("sqlite://")
    declared = {
        index.name: " ".join(str(CreateIndex(index).compile(engine)).split())
        for table in SCHEMA.tables.values()
        for index in table.indexes
    }
    migrated = {name: " ".join(sql.split()) for name, sql in schema(file) if name in declared}
    assert migrated == declared


def test_revisions_follow_each_other_as_their_files_do() -> None:
    assert [script.revision for script in ScriptDirectory(SCRIPTS).walk_revisions()][::-1] == revisions()


async def test_opening_again_changes_nothing(file: Path) -> None:
    for _ in range(2):
        store = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
        await store.close()
    before = schema(file)
    store = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    await store.close()
    assert schema(file) == before


async def test_many_that_start_at_once_migrate_once(file: Path) -> None:
    opened = await asyncio.gather(*(SqlStore.open(f"sqlite:///{file}", StoppedClock()) for _ in range(4)))
    d = await stored(opened[0], new_deployment())
    assert await opened[3].deployment("v1") == d
    for store in opened:
        await store.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(file: Path) -> None:
    store = await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = schema(file)
    with pytest.raises(StoreUnusable, match="written by a newer version of Ashat"):
        await SqlStore.open(f"sqlite:///{file}", StoppedClock())
    assert schema(file) == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ashat.db"
    file.write_bytes(b"certainly not SQLite" * 100)
    with pytest.raises(StoreUnusable, match="is no SQLite database"):
        await SqlStore.open(f"sqlite:///{file}", StoppedClock())


def test_the_migration_speaks_postgresql_too() -> None:
    """Rendered, not run: tables as declared, partial indexes, and the triggers that guard the journal."""
    script = StringIO()
    config = Config(output_buffer=script)
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["dialect"] = "postgresql"
    command.upgrade(config, "head", sql=True)
    statements = {lines_of(statement) for statement in script.getvalue().split(";")}
    sql = " ".join(script.getvalue().split())
    for table in SCHEMA.tables.values():
        declared = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy has no hints there
        assert lines_of(declared) in statements, table.name
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=postgresql.dialect())) in sql  # type: ignore[no-untyped-call]  # as above
    assert "CREATE TRIGGER journal_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON journal" in sql
    assert "CREATE TRIGGER checkpoint_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint" in sql
