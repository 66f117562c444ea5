"""Rows that may be there already: one statement on both databases, which a race cannot come between."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert


def insertion(dialect: str, table: Table) -> Insert:
    """An insert that knows ON CONFLICT, which both dialects write alike, and tells whether it wrote."""
    new = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return new.inline().execution_options(preserve_rowcount=True)


def added(c: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert `row`. False where one with the same key is there, which stays as it is."""
    return c.execute(_unless_there(c.dialect.name, table), row).rowcount == 1


def put(c: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert `row`, or bring the one with the same primary key to it."""
    new = insertion(c.dialect.name, table)
    keys = [column.name for column in table.primary_key]
    others = {name: new.excluded[name] for name in row if name not in keys}
    c.execute(new.on_conflict_do_update(index_elements=keys, set_=others), row)


@cache
def _unless_there(dialect: str, table: Table) -> Insert:
    """Built once: to build one takes longer than SQLite takes to run it."""
    return insertion(dialect, table).on_conflict_do_nothing()
