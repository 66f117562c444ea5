"""Statements that are built once and run often; on SQLite the driver runs them itself.

For each execution SQLAlchemy takes some ten times as long as SQLite. So a statement is compiled once for the columns
that it is given; from then on only values are brought to the form that the types of the tables tell, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Select, Table, Update, bindparam, delete, insert, update
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


class Statement:
    """An insert, an update or a delete, with parameters by name. Raises what SQLAlchemy raises."""

    def __init__(self, statement: Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def run(self, c: Connection, row: Values) -> int:
        """How many rows it wrote."""
        if c.dialect.name != "sqlite":
            return c.execute(self._statement, row).rowcount
        return self._run_by(driver_of(c), [row])

    def run_all(self, c: Connection, rows: Sequence[Values]) -> None:
        """Once for each of `rows`, which have the same columns."""
        if not rows:
            return
        if c.dialect.name != "sqlite":
            c.execute(self._statement, rows)
        else:
            self._run_by(driver_of(c), rows)

    def _run_by(self, driver: Any, rows: Sequence[Values]) -> int:
        columns = tuple(rows[0])
        compiled = self._compiled.get(columns)
        if compiled is None:
            compiled = self._compiled[columns] = _compiled(self._statement, columns)
        return directly(driver, compiled.sql, *(compiled.values(row) for row in rows))


class Question:
    """A select of columns of tables, with parameters by name."""

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def rows(self, c: Connection, values: Values) -> list[tuple[Any, ...]]:
        if c.dialect.name != "sqlite":
            return [tuple(row) for row in c.execute(self._statement, values)]
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = _compiled(self._statement, tuple(values))
        driver = driver_of(c)
        try:
            found = driver.execute(compiled.sql, compiled.values(values)).fetchall()
        except driver.Error as error:
            raise _as_told(compiled.sql, error, driver) from error
        return [compiled.read(row) for row in found]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`fixed` are parameters that the statement itself gives. `put` says in order how each is put for the driver, and
    `taken` how each column of a row is taken from it; None: as it is."""

    sql: str
    fixed: dict[str, Any]
    put: tuple[tuple[str, Convert | None], ...]
    taken: tuple[Convert | None, ...]

    def values(self, row: Values) -> tuple[Any, ...]:
        given = {**self.fixed, **row} if self.fixed else row
        return tuple([put(given[name]) if put else given[name] for name, put in self.put])

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple([take(value) if take else value for take, value in zip(self.taken, row, strict=True)])


def _compiled(statement: Insert | Update | Delete | Select[Any], columns: Sequence[str]) -> _Compiled:
    from sqlalchemy.dialects import sqlite

    dialect = sqlite.dialect(paramstyle="qmark")
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns))
    types = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
    read = statement.selected_columns if isinstance(statement, Select) else ()
    return _Compiled(
        str(compiled),
        {name: bind.value for name, bind in compiled.binds.items() if not bind.required},
        tuple((name, types[name].bind_processor(dialect)) for name in compiled.positiontup),
        tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in read),
    )


def driver_of(c: Connection) -> Any:
    """The driver's own connection, in the transaction of `c`."""
    return c.connection.driver_connection


def directly(driver: Any, sql: str, *rows: Sequence[Any]) -> int:
    """Run `sql` once for each of `rows`, or once where there are none; how many rows it wrote.

    Raises what SQLAlchemy raises, without what was in the rows.
    """
    try:
        done = driver.executemany(sql, rows) if len(rows) > 1 else driver.execute(sql, *rows)
    except driver.Error as error:
        raise _as_told(sql, error, driver) from error
    return int(done.rowcount)


def _as_told(sql: str, error: Exception, driver: Any) -> Exception:
    """As SQLAlchemy tells `error`, without what was in the rows."""
    return DBAPIError.instance(sql, None, error, driver.Error, hide_parameters=True)


@cache
def inserting(table: Table) -> Statement:
    return Statement(insert(table))


@cache
def updating(table: Table, *names: str) -> Statement:
    """The rows of `table` whose `names` are the parameters `its_…`."""
    return Statement(update(table).where(*_its(table, names)))


@cache
def deleting(table: Table, *names: str) -> Statement:
    """See `updating`."""
    return Statement(delete(table).where(*_its(table, names)))


def _its(table: Table, names: Sequence[str]) -> list[Any]:
    return [table.c[name] == bindparam(f"its_{name}") for name in names]
