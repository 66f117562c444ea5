"""What still stands between a deployment and production: all of it, with who can lift it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, assert_never

from core.people import Role
from core.policy.roles import EVERY, Scope, admins, by_name, holds
from core.policy.votes import could_stand_for, countersigners, emergency_counts, helpers, quorum
from core.state import Block, Debt, Deployment

if TYPE_CHECKING:
    from core.facts import Facts

MAY_PAUSE: frozenset[Role] = frozenset({"deployer", "approver", "admin"})
"""Whoever moves things may hold them; so may who is asked when something holds by itself."""
_TURNS = 400
"""Ends of windows and holidays that are tried one after another: more than a year of days."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that is not met yet. `who` can meet it, where a person can."""

    kind: str
    needs: str
    who: tuple[str, ...] = ()
    until: datetime | None = None
    """When time alone meets it, where that is known."""
    how: str = ""
    """The command by which `who` can."""


def verdict_gate(d: Deployment, now: datetime) -> Gate | None:
    """The verdict must be for this digest, passed, and not expired."""
    run = d.verification
    if run is None or run.passed is not True or run.digest != d.digest:
        return Gate("verdict", "a passed verification")
    if run.valid_until is not None and now >= run.valid_until:
        return Gate("expired", "a verdict that is still valid")
    return None


def vote_gates(d: Deployment, facts: Facts) -> list[Gate]:
    """The votes that are missing: those of required groups by name, the others by number."""
    if emergency_counts(d, facts):
        return []
    state = quorum(d, facts)
    unmet = [
        Gate("group", group, tuple(person.id for person in could_stand_for(group, d, facts))) for group in state.missing
    ]
    anybody = state.lacking - len(state.missing)
    if anybody > 0:
        can = tuple(person.id for person in helpers(d, facts))
        unmet.append(Gate("votes", f"{anybody} more vote{'s' if anybody > 1 else ''}", can))
    return unmet


def barriers(d: Deployment, facts: Facts) -> list[Gate]:
    """What keeps production of the component as it is now, whoever has voted; judged when the lane is taken."""
    found = [_owed(debt, d, facts) for debt in facts.lane.debts if debt.deployment != d.key]
    standing = [block for block in facts.blocks if _concerns(block, d, facts)]
    if emergency_counts(d, facts):
        return [*found, *(_blocked(block, facts) for block in standing if block.kind == "pause")]
    found += [*(_blocked(block, facts) for block in standing), *_start(d, facts)]
    return [*found, *_closures(d.component, facts)]


def closed(component: str, region: str, facts: Facts) -> list[Gate]:
    """What keeps the component as it is now in one region, whichever release would go there."""
    standing = (
        block
        for block in facts.blocks
        if block.stands(facts.now)
        and not block.mainframe
        and block.component in (None, component)
        and block.region in (None, region)
    )
    return [*(_blocked(block, facts) for block in standing), *_closures(component, facts)]


def _closures(component: str, facts: Facts) -> list[Gate]:
    found = []
    for closure in facts.policy.closures(component, facts.now):
        needs = f"the holiday {closure.name} to end" if closure.kind == "holiday" else f"the window {closure.name}"
        found.append(Gate(closure.kind, needs, until=closure.until))
    return found


def _owed(debt: Debt, d: Deployment, facts: Facts) -> Gate:
    can = countersigners(d.component, (debt.person, debt.pusher), facts)
    needs = f"{debt.name}'s emergency (“{debt.why}”) to be countersigned"
    return Gate("debt", needs, tuple(person.id for person in can), None, f"deploy countersign {debt.name}")


def _start(d: Deployment, facts: Facts) -> list[Gate]:
    """The time and the window that an approver asked for."""
    if d.start is None:
        return []
    if d.start.at is not None and facts.now < d.start.at:
        return [Gate("start", f"its time ({facts.name_of(d.start.by)})", until=d.start.at)]
    window = facts.policy.window(d.start.window)
    if window is None or window.is_open(facts.now):
        return []
    return [Gate("start", f"the window {window.name} ({facts.name_of(d.start.by)})", until=window.opening(facts.now))]


def _concerns(block: Block, d: Deployment, facts: Facts) -> bool:
    """A mainframe's freeze holds nothing up: what goes to the others goes without it."""
    return (
        block.stands(facts.now)
        and not block.mainframe
        and block.component in (None, d.component)
        and (block.region is None or block.region in facts.regions)
    )


def _blocked(block: Block, facts: Facts) -> Gate:
    scope = Scope(block.component or EVERY, (block.region,) if block.region else facts.regions)
    can = tuple(person.id for person in admins(facts.people, facts.policy, scope))
    match block.kind:
        case "freeze":
            return Gate("freeze", f"the freeze “{block.why}” to end", can, block.until, lifting(block))
        case "lock":
            who = (block.by, *(one for one in can if one != block.by))
            needs = f"{facts.name_of(block.by)}'s lock “{block.why}” to end"
            return Gate("lock", needs, who, block.until, lifting(block))
        case "pause":
            needs = f"the pause of everything to end ({facts.name_of(block.by)})"
            everywhere = (person for person in facts.people if holds(person, MAY_PAUSE, facts.policy, Scope(EVERY)))
            return Gate("pause", needs, tuple(person.id for person in by_name(everywhere)), None, "deploy resume")
        case _:
            assert_never(block.kind)


def lifting(block: Block) -> str:
    """The command that lifts it."""
    component = f" --component {block.component}" if block.component else ""
    match block.kind:
        case "lock":
            return f"deploy unlock{component}"
        case "freeze":
            region = f" --region {block.region}" if block.region else ""
            mainframe = f" --mainframe {block.mainframe}" if block.mainframe else ""
            return f"deploy unfreeze{component}{region}{mainframe}"
        case "pause":
            return "deploy resume"
        case _:
            assert_never(block.kind)


def earliest(d: Deployment, facts: Facts) -> datetime | None:
    """The first moment at which only votes, servers and others in the lane could hold it; None: time will not do.

    Each step goes to the end of what stands then; what opens and closes by turns is followed for a while only.
    """
    at = facts.now
    for _ in range(_TURNS):
        standing = barriers(d, replace(facts, now=at))
        if not standing:
            return at
        ends = [gate.until for gate in standing]
        if None in ends:
            return None
        at = max(end for end in ends if end is not None)
    return None


def gates(d: Deployment, facts: Facts) -> list[Gate]:
    """Everything that stands between `d` and production, all of it, in the order in which people meet it."""
    unmet: list[Gate] = []
    if not facts.regions:
        can = tuple(person.id for person in admins(facts.people, facts.policy))
        unmet.append(Gate("omega", "OMEGA Server not configured", can))
    if gate := verdict_gate(d, facts.now):
        unmet.append(gate)
    unmet += vote_gates(d, facts)
    unmet += barriers(d, facts)
    if d.hold is not None and not d.hold.wide:
        unmet.append(Gate("hold", f"resume ({d.hold.why})"))
    if facts.lane.holder not in (None, d.key):
        unmet.append(Gate("lane", f"the end of {facts.lane.holder}"))
    return unmet
