"""Questions about deployments, lanes and servers. Parts are fetched a table at a time, for all deployments at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, bindparam, select, text

from adapters.store import codec
from adapters.store.aggregate import assemble
from adapters.store.codec import Row
from adapters.store.known import Known
from adapters.store.tables import (
    BLOCK,
    BLOCK_COLUMNS,
    CHECK,
    CURRENT,
    DEPLOYMENT,
    LANE,
    LANE_COLUMNS,
    MAINFRAME,
    PLACEMENT,
    SERVER,
    SERVER_COLUMNS,
    STEP,
    TESTED,
    VOTE,
)
from core.ports import Page
from core.stages import Stage
from core.state import Block, Deployment, Lane, ReleaseRef, Server


def _parts(table: Table) -> Select[Any]:
    return select(table).where(table.c.deployment.in_(bindparam("keys", expanding=True)))


_THIS_RUN = and_(DEPLOYMENT.c.key == CHECK.c.deployment, DEPLOYMENT.c.run == CHECK.c.run)
_PARTS = (
    _parts(PLACEMENT).order_by(PLACEMENT.c.position),
    _parts(CHECK).join(DEPLOYMENT, _THIS_RUN).order_by(CHECK.c.position),
    _parts(VOTE).where(text("fallen_at IS NULL")).order_by(VOTE.c.number),
    _parts(MAINFRAME).order_by(MAINFRAME.c.region, MAINFRAME.c.name),
)
"""Placements, checks of the current run, votes that count, mainframes; built once, as each look needs all of them."""
_AT_ONCE = 500
"""Keys in one IN list: databases limit the parameters of a statement."""


def one_deployment(c: Connection, id: str, attempt: int | None, known: Known) -> Deployment | None:  # noqa: A002 - the domain's word
    wanted = select(DEPLOYMENT).where(DEPLOYMENT.c.id == id)
    if attempt is not None:
        wanted = wanted.where(DEPLOYMENT.c.attempt == attempt)
    found = _deployments(c, wanted.order_by(DEPLOYMENT.c.attempt.desc()).limit(1), known)
    return found[0] if found else None


def active(c: Connection, component: str | None, known: Known) -> list[Deployment]:
    wanted = select(DEPLOYMENT).where(text("active = 1"))
    if component is not None:
        wanted = wanted.where(DEPLOYMENT.c.component == component)
    return _deployments(c, wanted.order_by(DEPLOYMENT.c.number), known)


def history(c: Connection, limit: int, before: str | None, component: str | None, known: Known) -> Page:
    """A page by key: `before` is the number of the last row of the page before it."""
    wanted = select(DEPLOYMENT)
    if before is not None:
        wanted = wanted.where(DEPLOYMENT.c.number < place_of(before))
    if component is not None:
        wanted = wanted.where(DEPLOYMENT.c.component == component)
    rows = c.execute(wanted.order_by(DEPLOYMENT.c.number.desc()).limit(limit + 1)).mappings().all()
    page = rows[:limit]
    return Page(tuple(_with_parts(c, page, known)), str(page[-1]["number"]) if len(rows) > limit and page else None)


def place_of(before: str) -> int:
    """Raises ValueError where `before` was not given by an earlier page."""
    if not before.isascii() or not before.isdigit():
        raise ValueError(f"{before!r} is no place in the history; expected the `before` of an earlier page")
    return int(before)


def _deployments(c: Connection, wanted: Select[Any], known: Known) -> list[Deployment]:
    return _with_parts(c, c.execute(wanted).mappings().all(), known)


def _with_parts(c: Connection, rows: Sequence[Row], known: Known) -> list[Deployment]:
    """In the order of `rows`; those that are known in this version are not put together again."""
    found = {row["key"]: known.get(row["key"], row["version"]) for row in rows}
    left = iter([row for row in rows if found[row["key"]] is None])
    while some := list(islice(left, _AT_ONCE)):
        for d in _assembled(c, some):
            found[d.key] = d
            known.put(d)
    return [d for d in found.values() if d]


def _assembled(c: Connection, rows: Sequence[Row]) -> Iterator[Deployment]:
    keys = [row["key"] for row in rows]
    placements, checks, votes, mainframes = (_grouped(c, parts, keys) for parts in _PARTS)
    for row in rows:
        key = row["key"]
        yield assemble(row, placements[key], checks[key], votes[key], mainframes[key])


def _grouped(c: Connection, wanted: Select[Any], keys: Sequence[str]) -> defaultdict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in c.execute(wanted, {"keys": keys}).mappings():
        groups[row["deployment"]].append(row)
    return groups


# -- production --------------------------------------------------------------------------------------------------------


def lanes(c: Connection, component: str | None = None) -> list[Lane]:
    """All, by component; or the one."""
    wanted, running = select(LANE), select(CURRENT)
    if component is not None:
        wanted = wanted.where(LANE.c.component == component)
        running = running.where(CURRENT.c.component == component)
    current: defaultdict[str, list[tuple[str, ReleaseRef | None]]] = defaultdict(list)
    for row in c.execute(running.order_by(CURRENT.c.region)).mappings():
        release = codec.decode(ReleaseRef, row["release"]) if row["release"] else None
        current[row["component"]].append((row["region"], release))
    rows = c.execute(wanted.order_by(LANE.c.component)).mappings()
    return [_lane(row, current[row["component"]]) for row in rows]


def _lane(row: Row, current: list[tuple[str, ReleaseRef | None]]) -> Lane:
    return codec.build(Lane, codec.fields(row, LANE_COLUMNS) | {"current": current})


def servers(c: Connection) -> list[Server]:
    rows = c.execute(select(SERVER)).mappings()
    return sorted((codec.build(Server, codec.fields(row, SERVER_COLUMNS)) for row in rows), key=server_order)


def blocks(c: Connection) -> list[Block]:
    rows = c.execute(select(BLOCK).order_by(BLOCK.c.at, BLOCK.c.id)).mappings()
    return [codec.build(Block, codec.fields(row, BLOCK_COLUMNS)) for row in rows]


def server_order(server: Server) -> tuple[bool, str]:
    """Public first, then OMEGA by region."""
    return server.role != "public", server.region


def durations(c: Connection, component: str, limit: int) -> dict[str, list[float]]:
    """Newest first; a short walk along the index for each stage."""
    found = {}
    for stage in Stage:
        its = (STEP.c.component == component, STEP.c.stage == stage.value, text("counted = 1"))
        seconds = (
            c.execute(select(STEP.c.seconds).where(*its).order_by(STEP.c.number.desc()).limit(limit)).scalars().all()
        )
        if seconds:
            found[stage.value] = list(seconds)
    return found


def tested(c: Connection, id: str) -> list[str]:  # noqa: A002 - the domain's word
    of_update = TESTED.c["update"] == id
    return list(c.execute(select(TESTED.c.digest).where(of_update).order_by(TESTED.c.digest)).scalars())
