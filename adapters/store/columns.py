"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite has no zones, so it is kept there without one, at a fixed width that sorts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        utc = value and _utc(value)
        return utc.replace(tzinfo=None) if utc and dialect.name == "sqlite" else utc

    def bind_processor(self, dialect: Dialect) -> Any:
        """SQLite's text in one step: the steps of all types that this one is made of take three times as long."""
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; the store takes aware times only")
    return value.astimezone(UTC)


def _sqlite_text(value: datetime | None) -> str | None:
    return None if value is None else _utc(value).replace(tzinfo=None).isoformat(" ", timespec="microseconds")


Number = BigInteger().with_variant(Integer, "sqlite")
"""A row number that rises with each row. SQLite numbers rows by itself only where the type is INTEGER."""
