"""Rows that may be there already: one statement on both databases, which a race cannot come between."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table

from adapters.store.statement import Statement

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert = sqlite.Insert | postgresql.Insert


def insertion(dialect: str, table: Table) -> Insert:
    """An insert that knows ON CONFLICT, which both dialects write alike, and tells whether it wrote."""
    return _insert(dialect, table).inline().execution_options(preserve_rowcount=True)


def _insert(dialect: str, table: Table) -> Insert:
    """Imports the dialect that is used, and not the other one, which would make each start longer."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def added(c: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert `row`. False where one with the same key is there, which stays as it is."""
    return _unless_there(c.dialect.name, table).run(c, row) == 1


def put(c: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert `row`, or bring the one with the same primary key to it."""
    new = insertion(c.dialect.name, table)
    keys = [column.name for column in table.primary_key]
    others = {name: new.excluded[name] for name in row if name not in keys}
    c.execute(new.on_conflict_do_update(index_elements=keys, set_=others), row)


@cache
def _unless_there(dialect: str, table: Table) -> Statement:
    return Statement(insertion(dialect, table).on_conflict_do_nothing())
