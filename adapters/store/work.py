"""Claims on the work table: short transactions, safe with several processes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select, update

from adapters.store.schedule import Work
from adapters.store.statement import Question, Statement
from adapters.store.tables import WORK
from adapters.store.upsert import added
from core.ports import Change, FenceLost, Lease

_ITS = WORK.c.key == bindparam("its_key")
_READ = select(WORK.c.key, WORK.c.due_at, WORK.c.lease_owner, WORK.c.lease_until, WORK.c.fence).with_for_update()
_READ_ALL = _READ.where(WORK.c.key.in_(bindparam("keys", expanding=True))).order_by(WORK.c.key)
_READ_ONE = Question(_READ.where(_ITS))
_WRITE = Statement(update(WORK).where(_ITS))


def claim(c: Connection, owner: str, now: datetime, lease: float, limit: int) -> list[Lease]:
    """One statement; on PostgreSQL, rows that another process is just claiming are skipped."""
    until = now + timedelta(seconds=lease)
    ready = select(WORK.c.key).where(WORK.c.ready_at <= now).order_by(WORK.c.ready_at).limit(limit)
    claimed = c.execute(
        update(WORK)
        .where(WORK.c.key.in_(ready.with_for_update(skip_locked=True)))
        .values(due_at=None, ready_at=until, lease_owner=owner, lease_until=until, fence=WORK.c.fence + 1)
        .returning(WORK.c.key, WORK.c.fence)
    )
    return sorted((Lease(key, owner, fence, until) for key, fence in claimed), key=lambda held: held.key)


def extend(c: Connection, leases: Sequence[Lease], now: datetime, lease: float) -> list[Lease]:
    until = now + timedelta(seconds=lease)
    extended = update(WORK).where(_held()).values(lease_until=until, ready_at=until)
    in_order = sorted(leases, key=lambda one: one.key)
    held = {one for one in in_order if c.execute(extended, _names(one)).rowcount}
    return [Lease(one.key, one.owner, one.fence, until) for one in leases if one in held]


def release(c: Connection, lease: Lease, due_at: datetime | None) -> None:
    work = _read(c, [lease.key]).get(lease.key)
    if work is not None and work.holds(lease):
        _write(c, work.released(due_at))


def taken(c: Connection, change: Change) -> dict[str, Work]:
    """The work that `change` is about, by key. First in its transaction, and in order of the keys: from then on it is
    locked, and of two changes none can wait for the other while the other waits for it."""
    keys = {key for key, _ in change.due}
    return _read(c, sorted(keys | {change.lease.key} if change.lease else keys))


def wish(c: Connection, due: Sequence[tuple[str, datetime | None]], known: dict[str, Work]) -> None:
    """Wish that each key be looked at then, as adapters.store.schedule tells; `known` are those that were `taken`."""
    for key, due_at in due:
        if key not in known and due_at is not None:
            if added(c, WORK, _row(Work(key, due_at))):
                continue
            known |= _read(c, [key])  # another process has just added it
        if key in known and (wished := known[key].wished(due_at)) != known[key]:
            known[key] = wished
            _write(c, wished)


def require(work: Work | None, lease: Lease) -> None:
    """Raises FenceLost where `lease` is no longer held; `work` is what was `taken` for it."""
    if work is None or not work.holds(lease):
        raise FenceLost(f"{lease.owner} no longer holds {lease.key}: it was claimed again or given back")


def end_all(c: Connection, now: datetime) -> None:
    """End every lease now: what was leased is due again at once, and its next claim raises the fence."""
    c.execute(update(WORK).where(WORK.c.lease_owner.is_not(None)).values(lease_until=now, ready_at=now))


def next_due(c: Connection, now: datetime) -> datetime | None:
    unclaimed = or_(WORK.c.lease_owner.is_(None), WORK.c.ready_at <= now)
    return c.execute(select(func.min(WORK.c.ready_at)).where(unclaimed)).scalar()


def _read(c: Connection, keys: Sequence[str]) -> dict[str, Work]:
    """Locked, on a database where others could change them meanwhile. Mostly it is one."""
    if not keys:
        return {}
    found = _READ_ONE.rows(c, {"its_key": keys[0]}) if len(keys) == 1 else c.execute(_READ_ALL, {"keys": keys})
    return {row[0]: Work(*row) for row in found}


def _write(c: Connection, work: Work) -> None:
    _WRITE.run(c, {"its_key": work.key, **_row(work)})


def _row(work: Work) -> dict[str, object]:
    its = ("key", "due_at", "lease_owner", "lease_until", "fence", "ready_at")
    return {name: getattr(work, name) for name in its}


def _held() -> ColumnElement[bool]:
    return and_(
        _ITS,
        WORK.c.lease_owner == bindparam("its_owner"),
        WORK.c.fence == bindparam("its_fence"),
    )


def _names(lease: Lease) -> dict[str, object]:
    return {"its_key": lease.key, "its_owner": lease.owner, "its_fence": lease.fence}
