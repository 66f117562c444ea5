"""Whose votes count, and who could add what is missing. Roles and groups are read when it counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.people import Person
from core.policy.covers import counted, covers
from core.policy.roles import ADMIN, APPROVER, Scope, by_name, holds
from core.stages import Stage
from core.state import Deployment

if TYPE_CHECKING:
    from core.facts import Facts


@dataclass(frozen=True, slots=True)
class Quorum:
    """How far the votes are. `missing` are the required groups that nobody has stood for yet."""

    need: int
    people: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        return not self.lacking

    @property
    def lacking(self) -> int:
        """How many votes more it takes."""
        return max(self.need - len(self.people), len(self.missing), 0)


def production(d: Deployment, facts: Facts) -> Scope:
    """What a vote for `d` concerns: its component, in every region that would change."""
    return Scope(d.component, facts.regions)


def may_vote(person: Person, d: Deployment, facts: Facts) -> bool:
    """Whether the person's vote would count: an approver of all that changes, no shared account, not the pusher."""
    return (
        not person.shared
        and (facts.policy.own_push or person.id != d.pusher)
        and holds(person, APPROVER, facts.policy, production(d, facts))
    )


def votes_that_count(d: Deployment, facts: Facts) -> tuple[str, ...]:
    """Votes for exactly what would happen now, by people who may still approve it."""
    wanted = covers(d, facts.lane, facts.siblings, facts.regions)
    if wanted is None or not d.votes:
        return ()
    allowed = {person.id for person in facts.people if may_vote(person, d, facts)}
    return tuple(dict.fromkeys(person for person in counted(d, wanted, facts.lane) if person in allowed))


def emergency_counts(d: Deployment, facts: Facts) -> bool:
    """Whether an admin's emergency stands for exactly what would happen now."""
    one, wanted = d.emergency, covers(d, facts.lane, facts.siblings, facts.regions)
    if one is None or wanted is None or one.covers != wanted.fingerprint:
        return False
    if facts.lane.voided_at is not None and one.at <= facts.lane.voided_at:
        return False
    return any(person.id == one.person and may_declare(person, d, facts) for person in facts.people)


def may_declare(person: Person, d: Deployment, facts: Facts) -> bool:
    """An emergency: an admin of all that changes, no shared account, and never the pusher."""
    return not person.shared and person.id != d.pusher and holds(person, ADMIN, facts.policy, production(d, facts))


def countersigners(component: str, but: Collection[str], facts: Facts) -> list[Person]:
    """Who could countersign an emergency: approvers and admins, neither its declarer nor the pusher."""
    scope = Scope(component, facts.regions)
    return by_name(
        person
        for person in facts.people
        if not person.shared and person.id not in but and holds(person, APPROVER | ADMIN, facts.policy, scope)
    )


def agreed(d: Deployment, facts: Facts) -> bool:
    """Whether enough people, or an emergency, stand for exactly what would happen now."""
    return emergency_counts(d, facts) or quorum(d, facts).met


def quorum(d: Deployment, facts: Facts) -> Quorum:
    people, groups = votes_that_count(d, facts), facts.policy.groups_for(d.component)
    stands = standing_for(groups, people, facts)
    missing = tuple(group for group in groups if group not in stands)
    return Quorum(facts.policy.quorum_for(d.component), people, missing)


def standing_for(groups: Sequence[str], people: Sequence[str], facts: Facts) -> Mapping[str, str]:
    """Group to the voter who stands for it, for as many groups as possible: nobody stands for two.

    A voter of two groups makes room where somebody else can take one of them (augmenting paths; both lists are short).
    """
    member = {person.id: person.groups for person in facts.people}
    stands: dict[str, str] = {}

    def place(voter: str, tried: set[str]) -> bool:
        for group in groups:
            if group in tried or group not in member.get(voter, ()):
                continue
            tried.add(group)
            if group not in stands or place(stands[group], tried):
                stands[group] = voter
                return True
        return False

    for voter in people:
        place(voter, set())
    return stands


def approvers(d: Deployment, facts: Facts) -> list[Person]:
    """Whose vote would count for `d` now, and has not been given."""
    voted = {vote.person for vote in d.votes}
    return by_name(person for person in facts.people if person.id not in voted and may_vote(person, d, facts))


def awaited(d: Deployment, facts: Facts) -> list[Person]:
    """Whose vote `d` waits for now: nobody's any more once that is settled."""
    return helpers(d, facts) if d.stage is Stage.AWAITING_APPROVAL else []


def helpers(d: Deployment, facts: Facts) -> list[Person]:
    """Of those, whose vote would bring it nearer: where only groups are missing, those who could stand for one."""
    found, state = approvers(d, facts), quorum(d, facts)
    if len(state.people) + len(state.missing) < state.need:
        return found
    groups = facts.policy.groups_for(d.component)
    stand = len(standing_for(groups, state.people, facts))
    return [one for one in found if len(standing_for(groups, (*state.people, one.id), facts)) > stand]


def could_stand_for(group: str, d: Deployment, facts: Facts) -> list[Person]:
    """Who could stand for a missing group by a vote of theirs."""
    return [person for person in approvers(d, facts) if group in person.groups]
