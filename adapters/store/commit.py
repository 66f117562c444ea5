"""One decision, one transaction: everything of a Change is written, or nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import NoReturn

from sqlalchemy import Connection, bindparam, case, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from adapters.store import aggregate, codec, post, steps, work
from adapters.store.journal import append
from adapters.store.known import Known
from adapters.store.reads import one_deployment
from adapters.store.statement import Statement, deleting, inserting, updating
from adapters.store.tables import (
    BLOCK,
    BLOCK_COLUMNS,
    CARD,
    CURRENT,
    DEPLOYMENT,
    INBOX,
    LANE,
    LANE_COLUMNS,
    OUTBOX,
    OUTBOX_COLUMNS,
    SERVER,
    SERVER_COLUMNS,
    STEP,
    TESTED,
    VOTE,
)
from adapters.store.upsert import added, insertion, put
from adapters.store.working import Working
from core.ports import Change, Conflict, Outbound, Settled
from core.stages import Stage
from core.state import Deployment, Lane, Server

_SETTLE = Statement(
    update(INBOX).where(
        INBOX.c.platform == bindparam("its_platform"),
        INBOX.c.delivery == bindparam("its_delivery"),
        text("settled_at IS NULL"),
    )
)
_FALL = Statement(
    update(VOTE).where(
        VOTE.c.deployment == bindparam("its_deployment"),
        VOTE.c.person == bindparam("its_person"),
        VOTE.c.run == bindparam("its_run"),
        VOTE.c.at == bindparam("its_at"),
        text("fallen_at IS NULL"),
    )
)
_COUNT = Statement(
    update(STEP).where(STEP.c.deployment == bindparam("its_deployment"), text("counted = 0")).values(counted=1)
)
_WANT_CARDS = Statement(
    update(CARD)
    .where(CARD.c.deployment == bindparam("its_deployment"))
    .values(wanted=case((CARD.c.wanted < bindparam("version"), bindparam("version")), else_=CARD.c.wanted + 1))
)
"""Always above what it was: a card may have been wanted anew since the version before."""
_TURN = 0x41534801
"""Of PostgreSQL's advisory locks; see `in_turn`."""


def save(c: Connection, change: Change, working: Working, now: datetime) -> Deployment | None:
    """Write `change`; the deployment as it is now stored. Raises Conflict or FenceLost; the caller rolls back."""
    if change.blocks or change.lifted or change.servers or change.removed:
        in_turn(c)
    elif change.judged is not None or change.relied_on is not None:
        in_turn(c, shared=True)
    rows = work.taken(c, change)
    if change.lease:
        work.require(rows.get(change.lease.key), change.lease)
    _still_so(c, change, working)
    stored = _deployment(c, change.deployment, working, now) if change.deployment else None
    if change.lane:
        _lane(c, change.lane)
    for server in change.servers:
        _server(c, server)
    for role, region in change.removed:
        deleting(SERVER, "role", "region").run(c, {"its_role": role, "its_region": region})
    _blocks(c, change)
    _tested(c, change.tested)
    entries = append(c, change.entries, stored.key if stored else None, working.end)
    send(c, change.outbox)
    _cards(c, stored, change.follow)
    if change.redraw:
        c.execute(update(CARD).where(CARD.c.deployment.in_(change.redraw)).values(wanted=CARD.c.wanted + 1))
    if change.settled:
        _settle(c, change.settled, now)
    work.wish(c, change.due, rows)
    working.written(change, stored, entries)
    return stored


def in_turn(c: Connection, *, shared: bool = False) -> None:
    """Those who decide by all there is, or change servers, locks or freezes, do so one after the other; those who rely
    on servers, locks or freezes share a turn. It lasts until the commit, and comes before any row is locked, so that
    nobody waits in a circle. On SQLite each transaction that writes has its turn anyway.
    """
    if c.dialect.name == "postgresql":
        c.execute(text(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}({_TURN})"))


def _still_so(c: Connection, change: Change, working: Working) -> None:
    """Raises Conflict where what it was judged by has changed since."""
    if change.judged is not None and change.judged != set(c.execute(select(BLOCK.c.id)).scalars()):
        raise Conflict("somebody locked or froze, or lifted that, meanwhile")
    if change.relied_on is not None and change.relied_on != tuple(working.servers(c)):
        raise Conflict("somebody configured a server meanwhile")


# -- the deployment ----------------------------------------------------------------------------------------------------


def _deployment(c: Connection, d: Deployment, working: Working, now: datetime) -> Deployment:
    after = aggregate.next_version(d)
    if d.version == 0:
        before = None
        _insert_new(c, after)
    else:
        before = working.before(d) or one_deployment(c, d.id, d.attempt, Known())
        _update(c, d, after, before)
    for changes in aggregate.differences(before, after):
        _write_parts(c, changes)
    _votes(c, before, after, now)
    _steps(c, before, after)
    return after


def _insert_new(c: Connection, after: Deployment) -> None:
    try:
        inserting(DEPLOYMENT).run(c, {"key": after.key, **aggregate.deployment_row(after)})
    except IntegrityError as error:
        raise Conflict(f"{after.key} exists already") from error


def _update(c: Connection, d: Deployment, after: Deployment, before: Deployment | None) -> None:
    if before is not None and before.version == d.version:
        values = {"its_key": d.key, "its_version": d.version, **aggregate.deployment_changes(before, after)}
        if updating(DEPLOYMENT, "key", "version").run(c, values) == 1:
            return
    raise Conflict(f"{d.key} is no longer at version {d.version}")


def _write_parts(c: Connection, changes: aggregate.Differences) -> None:
    table, names = changes.part.table, ("deployment", *changes.part.identity)
    inserting(table).run_all(c, changes.inserted)
    updating(table, *names).run_all(
        c, [{(f"its_{n}" if n in names else n): row[n] for n in row} for row in changes.updated]
    )
    keys = [{f"its_{name}": value for name, value in zip(names, key, strict=True)} for key in changes.deleted]
    deleting(table, *names).run_all(c, keys)


def _votes(c: Connection, before: Deployment | None, after: Deployment, now: datetime) -> None:
    fallen, added = aggregate.votes_changed(before, after)
    for vote in fallen:
        its = {"its_deployment": after.key, "its_person": vote.person, "its_run": vote.run, "its_at": vote.at}
        _FALL.run(c, {**its, "fallen_at": now})
    inserting(VOTE).run_all(c, [aggregate.vote_row(after, vote) for vote in added])


def _steps(c: Connection, before: Deployment | None, after: Deployment) -> None:
    step = steps.measured(before, after)
    if step is None:
        return
    stage, seconds = step
    row = {"deployment": after.key, "component": after.component, "stage": stage, "seconds": seconds, "counted": 0}
    inserting(STEP).run(c, row)
    if after.stage is Stage.COMPLETED:
        _COUNT.run(c, {"its_deployment": after.key})


# -- production --------------------------------------------------------------------------------------------------------


def _lane(c: Connection, lane: Lane) -> None:
    row = codec.split(replace(lane, version=lane.version + 1, current=()), LANE_COLUMNS)
    if lane.version == 0:
        try:
            inserting(LANE).run(c, row)
        except IntegrityError as error:
            raise Conflict(f"the lane of {lane.component} exists already") from error
    else:
        its = {"its_component": lane.component, "its_version": lane.version}
        if updating(LANE, "component", "version").run(c, its | row) != 1:
            raise Conflict(f"the lane of {lane.component} is no longer at version {lane.version}")
    _current(c, lane)


def _current(c: Connection, lane: Lane) -> None:
    of = CURRENT.c.component == lane.component
    old = {row.region: row.release for row in c.execute(select(CURRENT).where(of))}
    new = {region: codec.encode(release) if release else None for region, release in lane.current}
    for region in old.keys() - new.keys():
        deleting(CURRENT, "component", "region").run(c, {"its_component": lane.component, "its_region": region})
    for region, release in new.items():
        if region not in old:
            inserting(CURRENT).run(c, {"component": lane.component, "region": region, "release": release})
        elif old[region] != release:
            its = {"its_component": lane.component, "its_region": region}
            updating(CURRENT, "component", "region").run(c, its | {"release": release})


def _server(c: Connection, server: Server) -> None:
    put(c, SERVER, codec.split(server, SERVER_COLUMNS))


def _blocks(c: Connection, change: Change) -> None:
    if change.lifted:
        c.execute(delete(BLOCK).where(BLOCK.c.id.in_(change.lifted)))
    for block in change.blocks:
        try:
            c.execute(insert(BLOCK), codec.split(block, BLOCK_COLUMNS))
        except IntegrityError as error:
            raise Conflict(f"{block.id} stands already") from error


def _tested(c: Connection, digests: Sequence[tuple[str, str]]) -> None:
    for update_id, digest in digests:
        added(c, TESTED, {"update": update_id, "digest": digest})


# -- messages ----------------------------------------------------------------------------------------------------------


def send(c: Connection, messages: Sequence[Outbound]) -> None:
    inserting(OUTBOX).run_all(c, [{"tries": 0, **codec.split(message, OUTBOX_COLUMNS)} for message in messages])


def _cards(c: Connection, stored: Deployment | None, follow: Sequence[str]) -> None:
    if stored is None:
        if follow:
            raise ValueError(f"{', '.join(follow)} can follow a deployment only in a change that holds it")
        return
    _WANT_CARDS.run(c, {"its_deployment": stored.key, "version": stored.version})
    if follow:
        known = set(c.execute(select(CARD.c.channel).where(CARD.c.deployment == stored.key)).scalars())
        new = {"deployment": stored.key, "shown": 0, "wanted": stored.version, "tries": 0}
        inserting(CARD).run_all(
            c, [{"channel": channel, **new} for channel in dict.fromkeys(follow) if channel not in known]
        )


def _settle(c: Connection, settled: Settled, now: datetime) -> None:
    reply = {"settled_at": now, "reply": codec.encode(settled.reply)}
    if settled.message is not None:
        row = post.arrived(settled.message, now) | reply
        done = _received(c.dialect.name).run(c, row) == 1
    else:
        its = {"its_platform": settled.platform, "its_delivery": settled.delivery}
        done = _SETTLE.run(c, its | reply) == 1
    if not done:
        _not_settled(c, settled)


@cache
def _received(dialect: str) -> Statement:
    """Into the inbox as settled, whether it is there already or not; not where it is settled."""
    new = insertion(dialect, INBOX)
    return Statement(
        new.on_conflict_do_update(
            index_elements=[INBOX.c.platform, INBOX.c.delivery],
            set_={"settled_at": new.excluded.settled_at, "reply": new.excluded.reply},
            where=text("inbox.settled_at IS NULL"),
        )
    )


def _not_settled(c: Connection, settled: Settled) -> NoReturn:
    name = f"{settled.platform} message {settled.delivery}"
    row = (INBOX.c.platform == settled.platform, INBOX.c.delivery == settled.delivery)
    if c.execute(select(INBOX.c.number).where(*row)).first() is None:
        raise ValueError(f"{name} was never accepted; accept it before it settles")
    raise Conflict(f"{name} is settled already")
