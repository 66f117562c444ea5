"""What a vote is for: exactly what would happen now. If any of it changes, the vote falls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.release.signing import canonical
from core.stages import Stage
from core.state import Deployment, Lane, ReleaseRef, Vote


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
            restored = dict(predecessor.restore).get(region, lane.running(region))
            return restored.digest if restored else None
        return predecessor.digest
    running = lane.running(region)
    return running.digest if running else None


def queue(siblings: Iterable[Deployment]) -> list[Deployment]:
    """Those of a component that have their quorum and wait for its lane, first come first."""
    waiting = [d for d in siblings if d.stage is Stage.SCHEDULED]
    return sorted(waiting, key=_turn)


def _turn(d: Deployment) -> tuple[bool, datetime, str]:
    """Emergencies first, then first come first."""
    return d.emergency is None, d.stage_since, d.key


def ahead(d: Deployment, lane: Lane, siblings: Sequence[Deployment]) -> Deployment | None:
    """The deployment directly before `d`: the last in the queue ahead of it, else the holder of the lane.

    One that is held, or whose time has not come, lets the others pass, so nothing is expected of it.
    """
    others = [other for other in siblings if other.key != d.key]
    before = [
        other
        for other in queue(others)
        if not other.waits and (_turn(other) < _turn(d) if d.stage is Stage.SCHEDULED else _passes(other, d))
    ]
    if before:
        return before[-1]
    return next((other for other in others if other.key == lane.holder), None)


def _passes(other: Deployment, d: Deployment) -> bool:
    """Whether `other`, which is in the queue, would go before `d`, which is not yet."""
    return d.emergency is None or other.emergency is not None


def counted(d: Deployment, wanted: Covers, lane: Lane) -> tuple[str, ...]:
    """The people whose votes are for exactly `wanted`."""
    return tuple(vote.person for vote in d.votes if vote.covers == wanted.fingerprint and not _voided(vote, lane))


def _voided(vote: Vote, lane: Lane) -> bool:
    """A rollback makes the next approval a fresh act."""
    return lane.voided_at is not None and vote.at <= lane.voided_at


def undone(d: Deployment, lane: Lane) -> tuple[ReleaseRef, ...]:
    """What production runs that the update does not say it contains: its changes may be lost."""
    return tuple(ref for ref in lane.releases if ref.id not in d.manifest.contains and ref.digest != d.digest)
