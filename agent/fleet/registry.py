"""OMEGA's registry of mainframes: who they are, by settings, and what was seen of them, by their polls."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import bindparam, update
from sqlalchemy.exc import SQLAlchemyError

from agent.fleet.ports import Now
from agent.fleet.store import Change, FleetStore
from agent.fleet.tables import MainframeRow, table, upsert
from agent.logs import get_logger
from core.release.text import clean
from core.release.wire import MainframeReport, Mainframes, Receipt, Registered, Release

log = get_logger(__name__)

SEEN_EVERY = 5.0
"""Seconds between writes of what polls brought: a power cut costs at most this much of `last_seen`."""
ERROR_LENGTH = 500
"""Characters kept of what a mainframe says went wrong."""
REPORTS = TypeAdapter(tuple[MainframeReport, ...])
_LICENCE_COLUMNS = ("owner", "tier", "licence_until", "revoked", "public_key", "token_sha256")


@dataclass(frozen=True)
class Licence:
    """What OMEGA's settings say of one mainframe."""

    name: str
    owner: str
    tier: str
    until: datetime | None
    """When it expires; None does not."""
    revoked: bool
    public_key: str
    token_sha256: str

    def valid(self, now: datetime) -> bool:
        return not self.revoked and (self.until is None or now < self.until)

    def row(self) -> dict[str, Any]:
        """The columns of the registry that come from settings."""
        return {
            "name": self.name,
            "owner": self.owner,
            "tier": self.tier,
            "licence_until": self.until,
            "revoked": self.revoked,
            "public_key": self.public_key,
            "token_sha256": self.token_sha256,
        }


@dataclass(frozen=True)
class Grant:
    """A release that a mainframe has been given. It keeps it until a newer one is given."""

    release: Release
    envelope: dict[str, Any]
    version: int
    """How many grants the mainframe had with this one: what its polls count by."""
    given_at: datetime


@dataclass(frozen=True)
class CountedReceipt:
    """A verified receipt for exactly what was given at `generation`."""

    generation: int
    envelope: dict[str, Any]


@dataclass
class Registration:
    """One mainframe, in memory: polls and status are answered from here."""

    licence: Licence
    last_seen: datetime | None = None
    awake_since: datetime | None = None
    """When it was first seen after it had been asleep, or after OMEGA's start."""
    open_polls: int = 0
    reports: dict[str, MainframeReport] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    receipts: dict[str, CountedReceipt] = field(default_factory=dict)
    granting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Two polls of one mainframe must not count the same grant twice."""

    @property
    def name(self) -> str:
        return self.licence.name

    @property
    def version(self) -> int:
        return max((grant.version for grant in self.grants.values()), default=0)

    def online(self, now: datetime, within: timedelta) -> bool:
        """Whether a poll of it is open, or the last was not longer ago than `within`.

        One that was seen in the future was seen before the clock was put back: nobody knows when.
        """
        return self.open_polls > 0 or (self.last_seen is not None and abs(now - self.last_seen) <= within)

    def unconfirmed(self) -> list[Grant]:
        """What was given and has no receipt yet."""
        return [grant for grant in self.grants.values() if not self._has_receipt(grant.release)]

    def count(self, receipt: Receipt, envelope: dict[str, Any]) -> None:
        """It runs this now. The receipt is newer than the last report: what that said of an attempt before is over."""
        self.receipts[receipt.component] = CountedReceipt(receipt.generation, envelope)
        before = self.reports.get(receipt.component)
        self.reports[receipt.component] = MainframeReport(
            component=receipt.component,
            running=receipt.digest,
            generation=receipt.generation,
            status="healthy" if receipt.digest else "offline",
            url=before.url if before else None,
        )

    def _has_receipt(self, release: Release) -> bool:
        receipt = self.receipts.get(release.component)
        return receipt is not None and receipt.generation == release.generation


class Registry:
    """All mainframes. Made by `open`; `close` writes what is not on disk yet."""

    def __init__(
        self, store: FleetStore, registrations: Mapping[str, Registration], now: Now, online_within: timedelta
    ) -> None:
        self._store = store
        self._by_name = registrations
        self._now = now
        self._online_within = online_within
        self._unwritten: set[str] = set()
        self._writing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        store: FleetStore,
        rows: Sequence[MainframeRow],
        licences: Sequence[Licence],
        now: Now,
        online_within: timedelta,
    ) -> Registry:
        """Bring the registry in line with settings: new and changed licences are written, missing ones are revoked.

        Raises ValueError where two mainframes share a token: OMEGA could not tell who asks.
        """
        current = reconciled(rows, licences)
        known = {row.name: _licence(row) for row in rows}
        changed = [licence.row() for licence in current if licence != known.get(licence.name)]
        await store.write(
            Change(upsert(MainframeRow, *_LICENCE_COLUMNS), [{"reports": "[]", **row} for row in changed])
        )
        seen = {row.name: row for row in rows}
        return cls(store, {one.name: _registration(one, seen.get(one.name)) for one in current}, now, online_within)

    def __iter__(self) -> Iterator[Registration]:
        return iter(sorted(self._by_name.values(), key=lambda one: one.name))

    def get(self, name: str) -> Registration | None:
        return self._by_name.get(name)

    @contextmanager
    def polling(self, one: Registration, reports: Sequence[MainframeReport]) -> Iterator[None]:
        """While the poll is open the mainframe is online, however long it waits."""
        one.reports = {report.component: _presentable(report) for report in reports}
        self._seen(one)
        one.open_polls += 1
        try:
            yield
        finally:
            one.open_polls -= 1
            self._seen(one)

    def _seen(self, one: Registration) -> None:
        """Note that `one` is here; written with the next batch."""
        now = self._now()
        if one.awake_since is None or not one.online(now, self._online_within):
            one.awake_since = now
        one.last_seen = now
        self._unwritten.add(one.name)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_later(), name="fleet-last-seen")

    def online(self, one: Registration) -> bool:
        return one.online(self._now(), self._online_within)

    def listing(self) -> Mainframes:
        return Mainframes(mainframes=tuple(self._registered(one) for one in self))

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        await self._write_seen()

    def _registered(self, one: Registration) -> Registered:
        return Registered(
            name=one.name,
            owner=one.licence.owner,
            tier=one.licence.tier,
            licence_until=one.licence.until,
            licensed=one.licence.valid(self._now()),
            online=self.online(one),
            last_seen=one.last_seen,
            reports=tuple(one.reports.values()),
        )

    async def _write_later(self) -> None:
        while self._unwritten:
            await asyncio.sleep(SEEN_EVERY)
            try:
                await self._write_seen()
            except (SQLAlchemyError, OSError):
                log.exception("registry not written, trying again", seconds=SEEN_EVERY)

    async def _write_seen(self) -> None:
        names, self._unwritten = self._unwritten, set()
        rows = [
            {"of": name, "last_seen": one.last_seen, "reports": REPORTS.dump_json(tuple(one.reports.values())).decode()}
            for name in names
            for one in (self._by_name[name],)
        ]
        target = table(MainframeRow)
        statement = (
            update(target)
            .where(target.c.name == bindparam("of"))
            .values(last_seen=bindparam("last_seen"), reports=bindparam("reports"))
        )
        try:
            await self._store.write(Change(statement, rows))
        except (SQLAlchemyError, OSError):
            self._unwritten |= names
            raise


def _presentable(report: MainframeReport) -> MainframeReport:
    """A mainframe's words are shown to people: one line, no control characters, no other schemes than the web's."""
    error = report.error and clean(report.error, ERROR_LENGTH)
    url = report.url if report.url and re.fullmatch(r"https?://[^\s<>|]{1,300}", report.url) else None
    return report.model_copy(update={"error": error, "url": url})


def reconciled(rows: Sequence[MainframeRow], licences: Sequence[Licence]) -> tuple[Licence, ...]:
    """The licences that hold from now on: those of settings, and those gone from settings as revoked.

    Raises ValueError where two of settings share a token.
    """
    named = {licence.name: licence for licence in licences}
    owners: dict[str, str] = {}
    for licence in licences:
        other = owners.setdefault(licence.token_sha256, licence.name)
        if other != licence.name:
            raise ValueError(f"mainframes: {other} and {licence.name} have the same token; give each its own")
    gone = [_licence(row, revoked=True) for row in rows if row.name not in named]
    return (*gone, *licences)


def _licence(row: MainframeRow, *, revoked: bool | None = None) -> Licence:
    return Licence(
        name=row.name,
        owner=row.owner,
        tier=row.tier,
        until=row.licence_until,
        revoked=row.revoked if revoked is None else revoked,
        public_key=row.public_key,
        token_sha256=row.token_sha256,
    )


def _registration(licence: Licence, row: MainframeRow | None) -> Registration:
    if row is None:
        return Registration(licence)
    reports = {report.component: report for report in REPORTS.validate_json(row.reports)}
    return Registration(licence, last_seen=row.last_seen, reports=reports)
