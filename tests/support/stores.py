"""Fixtures of databases; tests/conftest.py takes them, so that there is one server for all suites of a session."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from adapters.store.database import parsed
from adapters.store.migrate import migrate
from adapters.store.postgres import database
from adapters.store.tables import SCHEMA
from tests.support.postgres import Postgres, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The URL of a database with the store's schema."""
    url = postgres.url(postgres.create())
    made = database(parsed(url))
    with made.writer.begin() as connection:
        migrate(connection, made.guard)
    made.writer.dispose()
    return url


@pytest.fixture
def database_url(migrated: str) -> Iterator[str]:
    """A migrated database without a row. One is emptied after each test: to make one takes ten times as long."""
    yield migrated
    with psycopg.connect(migrated) as connection:
        _cut_off_others(connection)
        connection.execute("SET session_replication_role = replica")  # no triggers: they would guard the journal
        for table in SCHEMA.tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        connection.execute("SELECT setval(s.oid::regclass, 1, false) FROM pg_class AS s WHERE s.relkind = 'S'")


def _cut_off_others(connection: psycopg.Connection) -> None:
    """What a failed test left open must not hold up the next one."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.fixture
def new_database_url(postgres: Postgres) -> Iterator[str]:
    """A database with nothing in it."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)
