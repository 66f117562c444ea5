"""What outlives the stage, and the watch over what is complete."""

from __future__ import annotations

from datetime import datetime

from core.effects import Attest, Look, Observed, Step, Wait
from core.facts import BaselineRuns, Facts, HealthSeen
from core.phases.thaw import AT_REST
from core.stages import ENDED, Stage
from core.state import PUBLIC, Deployment, omega
from core.steps.fleet import let_in
from core.steps.looking import POLL_SLOW, runs_at
from core.steps.public import baseline, withdraw


def has_duty(d: Deployment) -> bool:
    """What outlives the stage: a statement to sign, a slot to withdraw, a baseline or mainframes to bring up."""
    return _has_chore(d) or (d.stage in AT_REST and bool(d.letting_in))


def _has_chore(d: Deployment) -> bool:
    place = d.placement(PUBLIC)
    leftover = place is not None and place.desired == "withdrawn" and place.observed != "withdrawn"
    return d.stage in (*ENDED, Stage.ROLLBACK_FAILED) and (leftover or d.baseline_due or d.unattested is not None)


def watched(d: Deployment, now: datetime) -> bool:
    return d.stage is Stage.COMPLETED and d.watch_until is not None and now < d.watch_until


def duties(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step:
    if _has_chore(d):
        if d.unattested is not None:
            return seen.statement or Attest(d.unattested)
        if d.baseline_due:
            return baseline(d, seen, facts.lane, poll) or BaselineRuns()
        return withdraw(d, seen, POLL_SLOW)
    step = let_in(d, seen, facts, poll) or Wait(None)
    if not watched(d, facts.now) or not isinstance(step, Wait):
        return step
    watch = _watch(d, seen, facts)
    return _sooner(watch, step) if isinstance(watch, Wait) else watch


def _sooner(one: Wait, other: Wait) -> Wait:
    return other if one.seconds is None or (other.seconds is not None and other.seconds < one.seconds) else one


def _watch(d: Deployment, seen: Observed, facts: Facts) -> Step:
    """Worse health on OMEGA after completion is told, with the way back; it does not roll back by itself.

    Where another release came after it, that one is watched.
    """
    for region in d.regions:
        runs = facts.lane.running(region)
        if runs is None or (runs.id, runs.attempt) != (d.id, d.attempt):
            continue
        place = omega(region)
        if place not in seen.states and place not in seen.away:
            return Look(place)
        if place in seen.away and place not in seen.missed:
            continue
        health = _health(d, place, region, seen)
        if health.well == (region in d.unwell):
            return health
    return Wait(POLL_SLOW)


def _health(d: Deployment, place: str, region: str, seen: Observed) -> HealthSeen:
    if place in seen.away:
        return HealthSeen(region, False, f"OMEGA {region} does not answer: {seen.away[place]}", silent=True)
    runs = runs_at(place, d.component, seen)
    if runs is not None and (runs.wanted != d.digest or runs.status == "switching"):
        return HealthSeen(region, True)  # another deployment is changing it, and tells how that goes
    if runs is None or runs.running != d.digest:
        return HealthSeen(region, False, f"OMEGA {region} no longer runs {d.name}")
    if runs.status == "healthy":
        return HealthSeen(region, True)
    return HealthSeen(region, False, f"OMEGA {region}: {runs.error or runs.status}")
