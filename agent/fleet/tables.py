"""The tables of OMEGA's registry. They have a metadata of their own, apart from any other SQLModel in the process."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import String, Table
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 3
"""Kept in the file's `user_version`: an older file is brought up to it, any other is refused."""
UPGRADES = {2: ("ALTER TABLE distribution ADD COLUMN left_out VARCHAR",)}
"""Version to what makes the next one of it; before 2 there was no release."""


class Instant(TypeDecorator[datetime]):
    """An aware time as ISO 8601 text: SQLite has no times, and a naive one would be read back as another hour."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> str | None:
        return None if value is None else value.isoformat()

    def process_result_value(self, value: Any, dialect: object) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class FleetTable(SQLModel, registry=registry()):
    """The base of this file's tables."""


class MainframeRow(FleetTable, table=True):
    """A licensed server. The licence comes from OMEGA's settings; what was seen of the mainframe is the registry's."""

    __tablename__ = "mainframe"

    name: str = Field(primary_key=True)
    owner: str
    tier: str
    licence_until: datetime | None = Field(default=None, sa_type=Instant)
    revoked: bool
    public_key: str
    token_sha256: str
    last_seen: datetime | None = Field(default=None, sa_type=Instant)
    reports: str = "[]"
    """A JSON list of `wire.MainframeReport`."""


class DistributionRow(FleetTable, table=True):
    """One generation of a component, as the bot signed it."""

    __tablename__ = "distribution"

    component: str = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    release: str
    """`wire.Release` as JSON: readable also after the key that signed the envelope was retired."""
    envelope: str
    hold: bool
    order: int
    otherwise: str | None = None
    """The release for tiers that the level does not reach, as JSON; its envelope beside it."""
    otherwise_envelope: str | None = None
    left_out: str | None = None
    """The frozen mainframes' names and the envelope that says so, as JSON."""


class GrantRow(FleetTable, table=True):
    """The generation of a component that a mainframe has been given. `version` counts all its grants."""

    __tablename__ = "granted"

    mainframe: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    generation: int
    version: int
    given_at: datetime = Field(sa_type=Instant)


class ReceiptRow(FleetTable, table=True):
    """A mainframe's verified receipt. One that came after a newer grant is kept, but not counted."""

    __tablename__ = "receipt"

    mainframe: str = Field(primary_key=True)
    component: str = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    counted: bool
    envelope: str
    received_at: datetime = Field(sa_type=Instant)


def table(row: type[FleetTable]) -> Table:
    """The Core table of `row`, for statements on the hot path."""
    return FleetTable.metadata.tables[str(row.__tablename__)]


@cache
def upsert(row: type[FleetTable], *columns: str) -> Insert:
    """Insert `row`, or where its key exists replace `columns` (default: all that are not the key).

    The same object each time, so that writes which are committed together are also run together.
    """
    target = table(row)
    changed = columns or tuple(column.name for column in target.columns if not column.primary_key)
    statement = insert(target)
    return statement.on_conflict_do_update(
        index_elements=list(target.primary_key.columns),
        set_={name: statement.excluded[name] for name in changed},
    )
