"""The one thing to do next, by stage."""

from __future__ import annotations

from datetime import datetime

from core import say
from core.effects import Copy, Observed, Step, Wait
from core.facts import Elapsed, Facts, HeldWithAll, LaneFree, StepFailed, VotesStale
from core.phases.approve import lane_is_free, stale_votes
from core.phases.deploy import out_of_step
from core.phases.rollback import is_restored
from core.phases.start import missed
from core.policy import Policy, barriers
from core.release.wire import Release
from core.stages import MOVING, Stage
from core.state import Deployment, omega
from core.steps.duties import duties, has_duty, watched
from core.steps.fleet import distributing
from core.steps.looking import runs_at
from core.steps.omega import deploying, switch
from core.steps.public import staging, verifying, withdraw
from core.steps.wanted import for_mainframes
from core.workflow import due, owes


def has_work(d: Deployment, now: datetime, policy: Policy) -> bool:
    """Whether the reconciler has anything to do for `d` without a person's command, now or when a deadline passes."""
    asking = d.stage is Stage.AWAITING_APPROVAL and (bool(d.votes) or due(d, policy) is not None)
    return d.stage in MOVING or asking or has_duty(d) or watched(d, now) or owes(d) or bool(d.left_out)


def next_step(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step:
    """The one thing to do next for `d`. `poll` is the seconds between two looks at what is under way."""
    deadline = due(d, facts.policy)
    if deadline is not None and facts.now >= deadline:
        return Elapsed()
    if out_of_step(d, facts):
        return HeldWithAll()
    match d.stage:
        case Stage.PLANNED:
            return seen.copied or Copy(d.id, d.source)
        case Stage.STAGING:
            return staging(d, seen, poll)
        case Stage.VERIFYING:
            return verifying(d, seen, facts, poll)
        case Stage.AWAITING_APPROVAL:
            return VotesStale() if stale_votes(d, facts) else Wait(None)
        case Stage.SCHEDULED:
            return _scheduled(d, facts)
        case Stage.DEPLOYING:
            return deploying(d, seen, poll)
        case Stage.DISTRIBUTING:
            return distributing(d, seen, for_mainframes(d), poll)
        case Stage.ROLLING_BACK:
            return _rolling_back(d, seen, poll)
        case _:
            return duties(d, seen, facts, poll)


def _scheduled(d: Deployment, facts: Facts) -> Step:
    if stale_votes(d, facts):
        return VotesStale()
    if d.hold is None and missed(d, facts):
        return Elapsed()
    if d.start is not None and d.start.at is not None and d.hold is None:
        return Wait((d.start.at - facts.now).total_seconds(), "its time has not come")
    if d.hold is not None or not facts.regions or not lane_is_free(d, facts):
        return Wait(None, "its turn has not come")
    standing = barriers(d, facts)
    if not standing:
        return LaneFree()
    ends = [gate.until for gate in standing if gate.until is not None]
    return Wait((min(ends) - facts.now).total_seconds() if ends else None, f"it needs {standing[0].needs}")


def _rolling_back(d: Deployment, seen: Observed, poll: float) -> Step:
    if not d.restore:
        return withdraw(d, seen, poll)
    given = for_mainframes(d)
    waiting: Wait | None = None
    for region, (release, _) in given.items():
        if is_restored(d, region):
            continue
        if region in d.unasked and (why := _out_of_reach(d, region, release, seen)):
            return StepFailed(why, region, unseen=True)
        step = switch(d, omega(region), region, release, seen, poll)
        if not isinstance(step, Wait):
            return step
        waiting = step
    return waiting or distributing(d, seen, given, poll)


def _out_of_reach(d: Deployment, region: str, release: Release, seen: Observed) -> str | None:
    """Why a region that was asked for nothing is left as it is: it is silent, or is another's by now."""
    place = omega(region)
    if place not in seen.states:
        return seen.away.get(place)
    runs = runs_at(place, d.component, seen)
    if runs is None or runs.wanted == release.digest:
        return None
    what = say.digest(runs.wanted) if runs.wanted else "nothing"
    return f"OMEGA {region} was given {what} by another"
