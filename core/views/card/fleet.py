"""The mainframes on a card: how many run it, and who is left out."""

from __future__ import annotations

from collections.abc import Sequence

from core import say
from core.cards import Bar
from core.facts import Facts
from core.phases.rollback import goes_offline
from core.policy import left_out_still, would_leave_out
from core.state import Deployment, LeftOut, Mainframe

_NAMED = 5
"""Mainframes of one kind that a card names."""


def reached(d: Deployment) -> str | Bar:
    """The mainframes as OMEGA told of them; before it has, nothing is claimed."""
    return fleet_bar(d) if d.mainframes else "Mainframes: OMEGA has told of none yet"


def back_again(d: Deployment) -> tuple[str | Bar, ...]:
    """The mainframes in a rollback: those that return to a release, and those that are left with nothing to run."""
    offline = [m for m in d.mainframes if m.included and goes_offline(d, m)]
    running = [m for m in d.mainframes if m.included and m not in offline]
    if not offline:
        return (reached(d),)
    return (*((_bar(running, "healthy"),) if running else ()), _bar(offline, "offline"))


def fleet_bar(d: Deployment) -> Bar:
    """How many of the mainframes that this goes to have sent their receipt; those that sleep are named."""
    return _bar([m for m in d.mainframes if m.included], "healthy")


def _bar(fleet: Sequence[Mainframe], well: str) -> Bar:
    count = {status: sum(m.status == status for m in fleet) for status in ("healthy", "waiting", "failed", "asleep")}
    asleep = [m.name for m in fleet if m.status == "asleep"]
    named = f" ({', '.join(asleep[:5])})" if asleep else ""
    after = f"waiting {count['waiting']}, failed {count['failed']}, asleep {count['asleep']}{named}"
    return Bar(count["healthy"], len(fleet), f"Mainframes {count['healthy']} of {len(fleet)} {well}", after)


def left_out(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """Mainframes that get nothing, and why: nobody should believe that they run it."""
    unlicensed = [m.name for m in d.mainframes if m.status == "unlicensed"]
    beyond = [m.name for m in d.mainframes if m.status == "not_included"]
    lines = [f"Licence expired, gets nothing: {', '.join(unlicensed[:5])}"] if unlicensed else []
    if beyond:
        lines.append(f"Not of SERVER OWNER LEVEL, keeps what it has: {', '.join(beyond[:5])}")
    return (*lines, *frozen(d, facts, zone))


def frozen(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """Those that were left out because they are frozen, and those that are brought up since they are no more."""
    still = {one.key: one for one in left_out_still(d, facts)}
    lines = [frozen_line(still[one.key], facts, zone) for one in d.left_out if one.key in still]
    freed = [one.name for one in d.left_out if one.key not in still]
    lines = [*lines[:_NAMED], *([f"… and {len(lines) - _NAMED} more that are frozen"] if lines[_NAMED:] else [])]
    if freed and d.generation == facts.lane.generation:
        lines.append(f"Frozen no more, brought up once this is through: {', '.join(freed[:_NAMED])}")
    elif freed:
        lines.append(f"Was frozen, got nothing of it: {', '.join(freed[:_NAMED])}")
    if d.letting_in:
        lines.append(f"Frozen no more, on its way to it: {', '.join(name for _, name in d.letting_in[:_NAMED])}")
    return tuple(lines)


def frozen_line(one: LeftOut, facts: Facts, zone: str) -> str:
    """`❄ m1 (OMEGA eu) is frozen until Mon 08:00, by Eve Poe: “Trade fair”. It gets nothing`."""
    end = f" until {say.clock(one.until, zone, facts.now)}" if one.until else ""
    return f"❄ {one.name} (OMEGA {one.region}) is frozen{end}, by {facts.name_of(one.by)}: “{one.why}”. It gets nothing"


def would_be_frozen(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """Whom it would not reach if it went now; judged again when the lane is taken."""
    return tuple(frozen_line(one, facts, zone) for one in would_leave_out(d, facts))


def owner_level(d: Deployment) -> str:
    """The fourth step: each owner of that tier, done when all of their mainframes sent receipts."""
    owners: dict[str, list[Mainframe]] = {}
    for mainframe in d.mainframes:
        if mainframe.tier == "server-owner" and mainframe.included:
            owners.setdefault(mainframe.owner, []).append(mainframe)
    done = sum(all(m.status == "healthy" for m in fleet) for fleet in owners.values())
    return f"SERVER OWNER LEVEL: {done} of {say.count(len(owners), 'owner')}"
