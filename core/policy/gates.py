"""What still stands between a deployment and production: all of it, with who can lift it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.policy.roles import admins
from core.policy.votes import could_stand_for, helpers, quorum
from core.state import Deployment

if TYPE_CHECKING:
    from core.facts import Facts


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that is not met yet. `who` can meet it, where a person can."""

    kind: str
    needs: str
    who: tuple[str, ...] = ()


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
    state = quorum(d, facts)
    unmet = [
        Gate("group", group, tuple(person.id for person in could_stand_for(group, d, facts))) for group in state.missing
    ]
    anybody = state.lacking - len(state.missing)
    if anybody > 0:
        can = tuple(person.id for person in helpers(d, facts))
        unmet.append(Gate("votes", f"{anybody} more vote{'s' if anybody > 1 else ''}", can))
    return unmet


def gates(d: Deployment, facts: Facts) -> list[Gate]:
    """Everything that stands between `d` and production, all of it, in the order in which people meet it."""
    unmet: list[Gate] = []
    if not facts.regions:
        can = tuple(person.id for person in admins(facts.people, facts.policy))
        unmet.append(Gate("omega", "OMEGA Server not configured", can))
    if gate := verdict_gate(d, facts.now):
        unmet.append(gate)
    unmet += vote_gates(d, facts)
    if d.hold is not None:
        unmet.append(Gate("hold", f"resume ({d.hold.why})"))
    if facts.lane.holder not in (None, d.key):
        unmet.append(Gate("lane", f"the end of {facts.lane.holder}"))
    return unmet
