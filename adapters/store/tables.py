"""The schema, as SQLModel tables; statements are built on it, migrations are held against it.

A table holds as columns what is searched, ordered, guarded or unique; everything else of a record is JSON in `data`,
so that a new field of a record needs no migration. JSON is stored as text: what was hashed is what is read back.
Flags are 0 or 1 and partial indexes name their condition, because only then do both databases use them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, MetaData, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from adapters.store.columns import Number, Utc

NOTES = "kind = 'Noted'"
"""The condition of the index of notes."""

SCHEMA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
"""All tables of the store, apart from any other SQLModel tables in the process."""


def _number() -> Any:
    return Field(default=None, primary_key=True, sa_type=Number)


def _json(**more: Any) -> Any:
    return Field(sa_type=Text, **more)


def _time(**more: Any) -> Any:
    return Field(sa_type=Utc, **more)


def _of_deployment() -> Any:
    return Field(primary_key=True, foreign_key="deployment.key")


def _where(name: str, *columns: str, condition: str) -> Index:
    return Index(name, *columns, sqlite_where=text(condition))


def for_postgresql() -> None:
    """The conditions of indexes there too. To name them at once would import its dialect where nobody uses it."""
    for index in (index for table in SCHEMA.tables.values() for index in table.indexes):
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


class Base(SQLModel, registry=registry(metadata=SCHEMA)):
    """Of every table of the store."""


# -- deployments -------------------------------------------------------------------------------------------------------


class DeploymentRow(Base, table=True):
    """One attempt. `key` is `id#attempt`, `run` that of its verification, `number` the order of pushes."""

    __tablename__ = "deployment"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("id", "attempt"),
        _where("ix_deployment_active", "number", condition="active = 1"),
        Index("ix_deployment_component", "component", "number"),
    )
    number: int | None = _number()
    key: str = Field(unique=True)
    id: str
    attempt: int
    component: str
    stage: str
    active: int
    version: int
    pushed_at: datetime = _time()
    run: int | None = None
    data: str = _json()


class PlacementRow(Base, table=True):
    """What is where: one row a (deployment, attempt, server)."""

    __tablename__ = "placement"
    deployment: str = _of_deployment()
    server: str = Field(primary_key=True)
    position: int
    desired: str
    observed: str
    data: str = _json()


class CheckRow(Base, table=True):
    """One check of one run, with its deadline and its result; those of older runs stay."""

    __tablename__ = "verification_check"
    deployment: str = _of_deployment()
    run: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    position: int
    state: str
    deadline: datetime = _time()
    data: str = _json()


class VoteRow(Base, table=True):
    """One vote; one that fell counts no more, and stays."""

    __tablename__ = "vote"
    __table_args__: ClassVar[Any] = (_where("ix_vote_counting", "deployment", condition="fallen_at IS NULL"),)
    number: int | None = _number()
    deployment: str = Field(foreign_key="deployment.key")
    person: str
    run: int
    at: datetime = _time()
    fallen_at: datetime | None = _time(default=None)
    data: str = _json()


class MainframeRow(Base, table=True):
    """A mainframe in a deployment's distribution, as OMEGA last told."""

    __tablename__ = "mainframe"
    deployment: str = _of_deployment()
    region: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    status: str
    data: str = _json()


class StepRow(Base, table=True):
    """How long a finished step took, in seconds; it counts once its deployment is completed."""

    __tablename__ = "step_duration"
    __table_args__: ClassVar[Any] = (
        _where("ix_step_duration_counted", "component", "stage", "number", condition="counted = 1"),
        _where("ix_step_duration_open", "deployment", condition="counted = 0"),
    )
    number: int | None = _number()
    deployment: str = Field(foreign_key="deployment.key")
    component: str
    stage: str
    seconds: float
    counted: int = 0


class WorkRow(Base, table=True):
    """When a deployment is looked at next, and by whom.

    `ready_at` is what claims search: `due_at` while nobody holds the work, the end of the lease while somebody does.
    """

    __tablename__ = "work"
    __table_args__: ClassVar[Any] = (_where("ix_work_ready", "ready_at", condition="ready_at IS NOT NULL"),)
    key: str = Field(primary_key=True)
    due_at: datetime | None = _time(default=None)
    ready_at: datetime | None = _time(default=None)
    lease_owner: str | None = None
    lease_until: datetime | None = _time(default=None)
    fence: int = Field(default=0, sa_type=BigInteger)


class DutyRow(Base, table=True):
    """What one process at a time may do, who does it, and until when nobody else may."""

    __tablename__ = "duty"
    name: str = Field(primary_key=True)
    owner: str
    until: datetime = _time()


class TestedRow(Base, table=True):
    """An update's digest that passed the checks on ALPHA's machine."""

    __tablename__ = "tested"
    update: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)


# -- production --------------------------------------------------------------------------------------------------------


class LaneRow(Base, table=True):
    __tablename__ = "lane"
    component: str = Field(primary_key=True)
    version: int
    holder: str | None = None
    data: str = _json()


class CurrentRow(Base, table=True):
    """What production runs of a component in a region; no `release` where it is offline."""

    __tablename__ = "lane_current"
    component: str = Field(primary_key=True, foreign_key="lane.component")
    region: str = Field(primary_key=True)
    release: str | None = _json(default=None)


class ServerRow(Base, table=True):
    __tablename__ = "server"
    role: str = Field(primary_key=True)
    region: str = Field(primary_key=True)
    name: str
    url: str
    data: str = _json()


class BlockRow(Base, table=True):
    """A lock, a freeze, or the pause of everything; gone once it is lifted, while the journal keeps it."""

    __tablename__ = "block"
    id: str = Field(primary_key=True)
    kind: str
    at: datetime = _time()
    until: datetime | None = _time(default=None)
    data: str = _json()


# -- the journal: triggers refuse to change or delete its rows ---------------------------------------------------------


class JournalRow(Base, table=True):
    """One entry. `data` is its canonical JSON, over which the hash was taken."""

    __tablename__ = "journal"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("chain", "seq"),
        _where("ix_journal_noted", "chain", "seq", condition=NOTES),
    )
    number: int | None = _number()
    chain: str
    seq: int
    kind: str
    data: str = _json()
    at: datetime = _time()
    by: str
    via: str
    previous: str
    hash: str


class CheckpointRow(Base, table=True):
    __tablename__ = "checkpoint"
    number: int | None = _number()
    at: datetime = _time()
    envelope: str = _json()


# -- messages ----------------------------------------------------------------------------------------------------------


class InboxRow(Base, table=True):
    __tablename__ = "inbox"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("platform", "delivery"),
        _where("ix_inbox_unsettled", "received_at", condition="settled_at IS NULL"),
    )
    number: int | None = _number()
    platform: str
    delivery: str
    received_at: datetime = _time()
    message: str = _json()
    settled_at: datetime | None = _time(default=None)
    reply: str | None = _json(default=None)


class OutboxRow(Base, table=True):
    __tablename__ = "outbox"
    __table_args__: ClassVar[Any] = (_where("ix_outbox_unsent", "channel", "number", condition="sent_at IS NULL"),)
    number: int | None = _number()
    channel: str
    deployment: str | None = None
    kind: str
    expires_at: datetime | None = _time(default=None)
    sent_at: datetime | None = _time(default=None)
    tries: int = 0
    data: str = _json()


class CardRow(Base, table=True):
    """One deployment's card in one channel: the version it shows, and the one it should show."""

    __tablename__ = "card"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("deployment", "channel"),
        _where("ix_card_stale", "channel", "number", condition="shown < wanted"),
    )
    number: int | None = _number()
    channel: str
    deployment: str = Field(foreign_key="deployment.key")
    reference: str | None = None
    shown: int = 0
    wanted: int
    tries: int = 0


class ParkedRow(Base, table=True):
    """A channel that is left alone until then; without a time, until it is unparked."""

    __tablename__ = "parked_channel"
    channel: str = Field(primary_key=True)
    until: datetime | None = _time(default=None)
    why: str


DEPLOYMENT = SCHEMA.tables["deployment"]
PLACEMENT = SCHEMA.tables["placement"]
CHECK = SCHEMA.tables["verification_check"]
VOTE = SCHEMA.tables["vote"]
MAINFRAME = SCHEMA.tables["mainframe"]
STEP = SCHEMA.tables["step_duration"]
WORK = SCHEMA.tables["work"]
DUTY = SCHEMA.tables["duty"]
TESTED = SCHEMA.tables["tested"]
LANE = SCHEMA.tables["lane"]
CURRENT = SCHEMA.tables["lane_current"]
SERVER = SCHEMA.tables["server"]
BLOCK = SCHEMA.tables["block"]
JOURNAL = SCHEMA.tables["journal"]
CHECKPOINT = SCHEMA.tables["checkpoint"]
INBOX = SCHEMA.tables["inbox"]
OUTBOX = SCHEMA.tables["outbox"]
CARD = SCHEMA.tables["card"]
PARKED = SCHEMA.tables["parked_channel"]

LANE_COLUMNS = ("component", "version", "holder")
BLOCK_COLUMNS = ("id", "kind", "at", "until")
SERVER_COLUMNS = ("role", "region", "name", "url")
OUTBOX_COLUMNS = ("kind", "channel", "deployment", "expires_at")
"""The fields of these records that have a column of their own; the others are in `data`."""
