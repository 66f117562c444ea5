"""From events to one transaction: the new state, the journal's lines, what is to be told, and when to look again."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from core import events as e
from core.announce import announce
from core.evolve import evolve, evolve_lane
from core.facts import ASHAT, Facts
from core.journal import Draft
from core.ports import Change, Lease, Outbound, Settled
from core.routing import subscribed
from core.stages import ON_ITS_WAY, Stage
from core.state import Block, Deployment, Lane, Server, ServerRole
from core.steps import has_work


def change(
    facts: Facts,
    events: tuple[e.Event, ...],
    *,
    via: str = "",
    settled: Settled | None = None,
    lease: Lease | None = None,
) -> Change:
    """Everything that `events` change, to be committed at once; `settled` marks the message that they answer."""
    by = facts.asker.id if facts.asker else ASHAT
    before, after, lane = facts.deployment, facts.deployment, facts.lane
    fresh = any(isinstance(event, e.Pushed) for event in events)
    if fresh:
        after = None
    entries: list[Draft] = []
    outbox: list[Outbound] = []
    servers: list[Server] = []
    removed: list[tuple[ServerRole, str]] = []
    blocks: list[Block] = []
    lifted: list[str] = []
    for event in events:
        match event:
            case e.ServerConfigured():
                servers.append(_server(event, by, facts.now))
                entries.append(_draft(e.SYSTEM, event, facts.now, by, via))
            case e.ServerUnconfigured():
                removed.append((event.role, event.region))
                entries.append(_draft(e.SYSTEM, event, facts.now, by, via))
            case e.Blocked():
                blocks.append(event.block(by, facts.now))
                entries.append(_draft(e.SYSTEM, event, facts.now, by, via))
            case e.Unblocked():
                lifted.append(event.id)
                entries.append(_draft(e.SYSTEM, event, facts.now, by, via))
            case e.Opened() | e.TestedOnAlpha() | e.PeopleChanged() | e.Exported():
                entries.append(_draft(e.SYSTEM, event, facts.now, by, via))
            case _:
                after = evolve(after, event, facts.now, by)
                lane = evolve_lane(lane if lane.component == after.component else Lane(after.component), after, event)
                entries.append(_draft(after.key, event, facts.now, by, via))
                if isinstance(event, e.Pushed):
                    entries.append(_draft(e.SYSTEM, e.Opened(after.key), facts.now, by, via))
        outbox += announce(event, after, facts)
    if blocks or lifted:
        lifted += [block.id for block in facts.blocks if not block.stands(facts.now)]
    concerned = (*facts.unfinished, *facts.leaving_out)
    anew = tuple(other.key for other in concerned) if blocks or lifted else ()
    moved = after is not None and after is not (None if fresh else before)
    return Change(
        deployment=after if moved else None,
        lane=lane if lane is not facts.lane else None,
        servers=tuple(servers),
        removed=tuple(removed),
        blocks=tuple(blocks),
        lifted=tuple(lifted),
        judged=_judged(events, facts),
        relied_on=_relied_on(events, None if fresh else before, after, facts),
        redraw=anew,
        entries=tuple(entries),
        outbox=tuple(outbox),
        follow=_follow(after, facts, fresh=fresh) if moved and after else (),
        settled=settled,
        due=_due(after if moved else None, facts, turned=lane is not facts.lane or _place(before) != _place(after))
        + tuple((other.key, facts.now) for other in concerned if servers or removed or anew),
        lease=lease,
    )


def _follow(after: Deployment, facts: Facts, *, fresh: bool) -> tuple[str, ...]:
    """The channels that show it from now on: where it began, and whoever has subscribed to what it is now."""
    return ((after.home,) if fresh else ()) + subscribed(after, facts.policy.routes)


def _due(after: Deployment | None, facts: Facts, *, turned: bool) -> tuple[tuple[str, datetime | None], ...]:
    """The deployment itself where there is work for it, and its siblings where their turn may be another now."""
    own = ((after.key, facts.now if has_work(after, facts.now, facts.policy) else None),) if after else ()
    return (*own, *((other.key, facts.now) for other in facts.siblings)) if turned else own


def _place(d: Deployment | None) -> bool:
    """Whether it stands in its component's queue, before others."""
    return d is not None and d.stage is Stage.SCHEDULED and not d.waits


def _judged(events: tuple[e.Event, ...], facts: Facts) -> frozenset[str] | None:
    """By which blocks it was judged that the lane may be taken."""
    taken = any(isinstance(event, e.LaneTaken) for event in events)
    return frozenset(block.id for block in facts.blocks) if taken else None


def _relied_on(
    events: tuple[e.Event, ...], before: Deployment | None, after: Deployment | None, facts: Facts
) -> tuple[Server, ...] | None:
    """The servers, where something is on its way to one of them from now on: none may become another one meanwhile."""
    begins = after is not None and after.stage in ON_ITS_WAY and (before is None or before.stage not in ON_ITS_WAY)
    taken = any(isinstance(event, e.LaneTaken) for event in events)
    return facts.servers if begins or taken else None


def _server(event: e.ServerConfigured, by: str, at: datetime) -> Server:
    return Server(event.role, event.region, event.name, event.url, by, at, event.public_key)


def _draft(chain: str, event: e.Event, at: datetime, by: str, via: str) -> Draft:
    return Draft(chain, e.kind(event), plain(event), at, by, via)


def plain(event: e.Event) -> dict[str, Any]:
    """The event's fields as JSON values, as the journal keeps and hashes them."""
    return {field.name: _json(getattr(event, field.name)) for field in fields(event)}


def _json(value: Any) -> Any:
    match value:
        case None | str() | int() | float() if not isinstance(value, Enum):
            return value
        case dict():
            return {str(key): _json(item) for key, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case _ if is_dataclass(value):
            return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
