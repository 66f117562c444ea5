"""Who may do what, and what still stands between a deployment and production. Pure: facts in, sentences out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.commands import Spec
from core.people import Person
from core.release.signing import canonical
from core.routing import Route
from core.stages import Stage
from core.state import Check, Deployment, Lane, ReleaseRef, Server, Vote


@dataclass(frozen=True, slots=True)
class CheckRule:
    """One check as settings have it. Empty `components` means all of them."""

    name: str
    kind: str
    timeout: float
    options: dict[str, Any] = field(default_factory=dict)
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The team's rules, from settings. Durations in seconds."""

    checks: tuple[CheckRule, ...] = ()
    minimum_checks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Component to the checks that must have run and passed: standard ones by kind, added ones by name."""
    default_minimum: tuple[str, ...] = ()
    """The same for components that `minimum_checks` does not name."""
    quorum: int = 1
    quorum_by_component: dict[str, int] = field(default_factory=dict)
    own_push: bool = False
    verification_timeout: float = 600
    verification_ttl: float = 86_400
    staging_timeout: float = 600
    deploy_timeout: float = 600
    receipt_timeout: float = 300
    watch: float = 900
    reminder_after: float = 0
    """When approvers are asked a second time; 0 for never."""
    max_failed_mainframes: int = 1
    max_active_per_person: int = 10
    max_artifact_bytes: int = 4 << 30
    max_staged_bytes: int = 16 << 30
    allow_http_omega: bool = False
    min_platform_version: str | None = None
    routes: tuple[Route, ...] = ()
    """Channels that get the cards besides the one in which a deployment began."""

    @property
    def highest_quorum(self) -> int:
        return max([self.quorum, *self.quorum_by_component.values()])

    def checks_for(self, component: str) -> tuple[Check, ...]:
        """The checks of a run, in the order shown. A minimum check is required: not applicable counts as failed."""
        minimum = self.minimum_checks.get(component, self.default_minimum)
        return tuple(
            Check(rule.name, rule.kind, rule.timeout, rule.options, rule.kind in minimum or rule.name in minimum)
            for rule in self.checks
            if not rule.components or component in rule.components
        )

    def quorum_for(self, component: str) -> int:
        return self.quorum_by_component.get(component, self.quorum)


def may(person: Person, spec: Spec) -> bool:
    """Whether one of the person's roles allows the command. Nobody without a role may read."""
    return bool(person.roles & spec.roles)


def who_may(people: Iterable[Person], spec: Spec) -> list[Person]:
    """Everybody who may give the command, by name."""
    return sorted((person for person in people if may(person, spec)), key=lambda person: person.name)


def names(people: Sequence[Person], joint: str = "or") -> str:
    """`Bo Li, Cy Roe or Di Fox`; `nobody` where there is none."""
    found = [person.name for person in people]
    if len(found) < 2:
        return found[0] if found else "nobody"
    return f"{', '.join(found[:-1])} {joint} {found[-1]}"


def approvers(d: Deployment, people: Iterable[Person], policy: Policy) -> list[Person]:
    """Whose vote would count for `d` now: approvers who have not voted, are no shared account, and did not push it."""
    voted = {vote.person for vote in d.votes}
    return sorted(
        (
            person
            for person in people
            if "approver" in person.roles
            and not person.shared
            and person.id not in voted
            and (policy.own_push or person.id != d.pusher)
        ),
        key=lambda person: person.name,
    )


def awaited(d: Deployment, people: Iterable[Person], policy: Policy) -> list[Person]:
    """Whose vote `d` waits for now: nobody's any more once that is settled."""
    return approvers(d, people, policy) if d.stage is Stage.AWAITING_APPROVAL else []


# -- what a vote is for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Covers:
    """Exactly what a vote covers. Counts, times and layout are not in it."""

    digest: str
    run: int
    component: str
    level: str
    irreversible: bool
    replaces: tuple[tuple[str, str | None], ...]
    """Region to the digest that production will run there when this takes over."""

    @property
    def fingerprint(self) -> str:
        parts = [self.digest, self.run, self.component, self.level, self.irreversible, [list(r) for r in self.replaces]]
        return hashlib.sha256(canonical(parts)).hexdigest()


def covers(d: Deployment, lane: Lane, siblings: Sequence[Deployment], regions: Sequence[str]) -> Covers | None:
    """What a vote for `d` would cover now; None before its digest passed."""
    if d.digest is None or d.verification is None:
        return None
    predecessor = ahead(d, lane, siblings)
    replaces = tuple((region, _expected(lane, predecessor, region)) for region in sorted(regions))
    manifest = d.manifest
    return Covers(d.digest, d.verification.run, d.component, manifest.level, manifest.irreversible, replaces)


def _expected(lane: Lane, predecessor: Deployment | None, region: str) -> str | None:
    if predecessor is not None:
        if predecessor.stage in (Stage.ROLLING_BACK, Stage.ROLLBACK_FAILED):
            restored = dict(predecessor.restore).get(region)
            return restored.digest if restored else None
        return predecessor.digest
    running = lane.running(region)
    return running.digest if running else None


def queue(siblings: Iterable[Deployment]) -> list[Deployment]:
    """Those of a component that have their quorum and wait for its lane, first come first."""
    waiting = [d for d in siblings if d.stage is Stage.SCHEDULED]
    return sorted(waiting, key=lambda d: (d.stage_since, d.key))


def ahead(d: Deployment, lane: Lane, siblings: Sequence[Deployment]) -> Deployment | None:
    """The deployment directly before `d`: the last in the queue ahead of it, else the holder of the lane.

    One that is held lets the others pass, so nothing is expected of it.
    """
    others = [other for other in siblings if other.key != d.key]
    before = [
        other
        for other in queue(others)
        if other.hold is None
        and (d.stage is not Stage.SCHEDULED or (other.stage_since, other.key) < (d.stage_since, d.key))
    ]
    if before:
        return before[-1]
    return next((other for other in others if other.key == lane.holder), None)


def counted(d: Deployment, wanted: Covers, lane: Lane) -> tuple[str, ...]:
    """The people whose votes are for exactly `wanted`."""
    return tuple(vote.person for vote in d.votes if vote.covers == wanted.fingerprint and not _voided(vote, lane))


def _voided(vote: Vote, lane: Lane) -> bool:
    """A rollback makes the next approval a fresh act."""
    return lane.voided_at is not None and vote.at <= lane.voided_at


def undone(d: Deployment, lane: Lane) -> tuple[ReleaseRef, ...]:
    """What production runs that the update does not say it contains: its changes may be lost."""
    return tuple(ref for ref in lane.releases if ref.id not in d.manifest.contains and ref.digest != d.digest)


# -- gates -------------------------------------------------------------------------------------------------------------


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


def gates(
    d: Deployment, lane: Lane, siblings: Sequence[Deployment], servers: Sequence[Server], people: Sequence[Person],
    policy: Policy, now: datetime,
) -> list[Gate]:  # fmt: skip
    """Everything that stands between `d` and production, all of it, in the order in which people meet it."""
    unmet: list[Gate] = []
    regions = [server.region for server in servers if server.role == "omega"]
    if not regions:
        admins = tuple(person.id for person in people if "admin" in person.roles)
        unmet.append(Gate("omega", "OMEGA Server not configured", admins))
    if gate := verdict_gate(d, now):
        unmet.append(gate)
    missing = policy.quorum_for(d.component) - len(votes_that_count(d, lane, siblings, regions, people, policy))
    if missing > 0:
        can = tuple(person.id for person in approvers(d, people, policy))
        unmet.append(Gate("votes", f"{missing} more vote{'s' if missing > 1 else ''}", can))
    if d.hold is not None:
        unmet.append(Gate("hold", f"resume ({d.hold.why})"))
    if lane.holder not in (None, d.key):
        unmet.append(Gate("lane", f"the end of {lane.holder}"))
    return unmet


def votes_that_count(
    d: Deployment, lane: Lane, siblings: Sequence[Deployment], regions: Sequence[str], people: Sequence[Person],
    policy: Policy,
) -> tuple[str, ...]:  # fmt: skip
    """Votes for exactly what would happen now, by people who may still approve it: roles are read when it counts."""
    wanted = covers(d, lane, siblings, regions)
    if wanted is None:
        return ()
    allowed = {
        person.id
        for person in people
        if "approver" in person.roles and not person.shared and (policy.own_push or person.id != d.pusher)
    }
    return tuple(dict.fromkeys(person for person in counted(d, wanted, lane) if person in allowed))
