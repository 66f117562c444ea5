"""What comes next on the servers: `next_step` looks at the state and at what was observed, and names one effect.

Level-triggered: it never remembers what was sent. Every pass begins with a look, so a cut, a crash or a doubled call is
repaired by the next one. Every effect was committed as an intent before, in the event that led to the stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from core import say
from core.effects import (
    Attest,
    Copy,
    Desire,
    Distribute,
    Look,
    LookReport,
    Observed,
    Package,
    PutSlot,
    StartChecks,
    Step,
    Upload,
    Wait,
    Withdraw,
)
from core.events import CheckFinished
from core.facts import (
    BaselineRuns,
    ChecksSeen,
    Elapsed,
    Facts,
    FleetRow,
    FleetSeen,
    FreezeOver,
    HealthSeen,
    HeldWithAll,
    LaneFree,
    RegionHealthy,
    SlotGone,
    SlotHealthy,
    StepFailed,
    Superseded,
    VotesStale,
)
from core.phases.approve import lane_is_free, stale_votes
from core.phases.deploy import is_switched, out_of_step
from core.phases.rollback import is_restored
from core.phases.start import missed
from core.phases.thaw import AT_REST, is_newest
from core.policy import Policy, barriers, free_again, frozen_until
from core.release.wire import (
    CheckWanted,
    ComponentState,
    DistributionState,
    Release,
    SlotState,
    VerificationWanted,
)
from core.stages import ENDED, MOVING, Stage
from core.state import PUBLIC, Deployment, Lane, Level, Placement, ReleaseRef, omega
from core.workflow import due, owes

POLL_SLOW = 15.0
"""Seconds between looks at what only people or time can change: the watch after completion, and duties that wait."""


def has_work(d: Deployment, now: datetime, policy: Policy) -> bool:
    """Whether the reconciler has anything to do for `d` without a person's command, now or when a deadline passes."""
    asking = d.stage is Stage.AWAITING_APPROVAL and (bool(d.votes) or due(d, policy) is not None)
    return d.stage in MOVING or asking or has_duty(d) or watched(d, now) or owes(d) or bool(d.left_out)


def has_duty(d: Deployment) -> bool:
    """What outlives the stage: a statement to sign, a slot to withdraw, a baseline or mainframes to bring up."""
    return _has_chore(d) or (d.stage in AT_REST and bool(d.letting_in))


def _has_chore(d: Deployment) -> bool:
    place = d.placement(PUBLIC)
    leftover = place is not None and place.desired == "withdrawn" and place.observed != "withdrawn"
    return d.stage in (*ENDED, Stage.ROLLBACK_FAILED) and (leftover or d.baseline_due or d.unattested is not None)


def watched(d: Deployment, now: datetime) -> bool:
    return d.stage is Stage.COMPLETED and d.watch_until is not None and now < d.watch_until


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
            return _staging(d, seen, poll)
        case Stage.VERIFYING:
            return _verifying(d, seen, facts, poll)
        case Stage.AWAITING_APPROVAL:
            return VotesStale() if stale_votes(d, facts) else Wait(None)
        case Stage.SCHEDULED:
            return _scheduled(d, facts)
        case Stage.DEPLOYING:
            return _deploying(d, seen, poll)
        case Stage.DISTRIBUTING:
            return _distributing(d, seen, _given(d), poll)
        case Stage.ROLLING_BACK:
            return _rolling_back(d, seen, poll)
        case _:
            return _duties(d, seen, facts, poll)


def _unseen(place: str, seen: Observed, poll: float) -> Look | Wait | None:
    if place in seen.away:
        return Wait(poll, f"{place} does not answer: {seen.away[place]}")
    return None if place in seen.states else Look(place)


# -- Public ------------------------------------------------------------------------------------------------------------


def _staging(d: Deployment, seen: Observed, poll: float) -> Step:
    if blind := _unseen(PUBLIC, seen, poll):
        return blind
    assert d.digest is not None
    slot = _slot(d, seen)
    if slot is None or slot.nonce != d.nonce or slot.digest != d.digest or slot.status == "withdrawn":
        if (PUBLIC, d.digest) not in seen.uploaded:
            return Upload(PUBLIC, d.digest)
        return PutSlot(PUBLIC, d.slot, _staged_release(d))
    match slot.status:
        case "healthy":
            return SlotHealthy(slot.url)
        case "failed" | "crashed":
            return StepFailed(slot.error or "the release did not start on Public")
        case _:
            return Wait(poll)


def _slot(d: Deployment, seen: Observed) -> SlotState | None:
    if PUBLIC in seen.slots:
        return seen.slots[PUBLIC]
    return next((slot for slot in seen.states[PUBLIC].slots if slot.slot == d.slot), None)


def _staged_release(d: Deployment) -> Release:
    return Release(
        purpose="stage", component=d.component, digest=d.digest, generation=0, deployment=d.id, attempt=d.attempt,
        level=d.manifest.level, nonce=d.nonce, issued_at=d.stage_since,
    )  # fmt: skip


def _verifying(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step:
    run = d.verification
    assert run is not None
    if run.run not in seen.reports:
        if PUBLIC in seen.away:
            return Wait(poll, f"Public does not answer: {seen.away[PUBLIC]}")
        return LookReport(PUBLIC, d.slot, run.run)
    report = seen.reports[run.run]
    if report is None:
        return _baseline(d, seen, facts.lane, poll) or StartChecks(PUBLIC, d.slot, _wanted(d, seen, facts))
    if (report.nonce, report.digest) != (run.nonce, run.digest):
        return StepFailed("Public reported on something else than what this run asked for")
    known = {check.name for check in run.checks if check.final}
    new = tuple(
        CheckFinished(run.run, row.name, row.state, row.expected, row.seen, row.where, row.warning, dict(row.measured))
        for row in report.checks
        if row.state not in ("waiting", "running") and row.name not in known
    )
    return ChecksSeen(run.run, new) if new else Wait(poll)


def _wanted(d: Deployment, seen: Observed, facts: Facts) -> VerificationWanted:
    run, public = d.verification, facts.public
    assert run is not None
    baseline = _baseline_release(d, facts.lane)
    runs = _component(PUBLIC, d.component, seen)
    usable = runs is not None and runs.status == "healthy" and runs.running == baseline.digest
    return VerificationWanted(
        digest=run.digest,
        deployment=d.id,
        attempt=d.attempt,
        run=run.run,
        nonce=run.nonce,
        address=public.url if public else "",
        baseline=baseline.digest if usable else None,
        checks=tuple(
            CheckWanted.model_validate(
                {"name": check.name, "kind": check.kind, "timeout": check.timeout, "options": check.options}
            )
            for check in run.checks
        ),
    )


# -- the baseline: Public runs what production runs, to compare with ---------------------------------------------------


def _baseline_release(d: Deployment, lane: Lane) -> Release:
    """Production's release as Public is to run it: that of the first region. Offline where production has none."""
    current = next((ref for _, ref in lane.current if ref), None)
    generation = current.generation if current else lane.generation
    digest = current.digest if current else None
    nonce = hashlib.sha256(f"baseline {d.component} {generation} {digest}".encode()).hexdigest()[:32]
    owner = current or ReleaseRef(d.id, d.attempt, "", generation)
    return Release(
        purpose="desired", component=d.component, digest=digest, generation=max(generation, 1), deployment=owner.id,
        attempt=owner.attempt, nonce=nonce, issued_at=d.stage_since,
    )  # fmt: skip


def _baseline(d: Deployment, seen: Observed, lane: Lane, poll: float) -> Step | None:
    """The next step towards Public's baseline; None where it stands, cannot be had, or there is nothing to run."""
    wanted = _baseline_release(d, lane)
    if wanted.digest is None and not lane.generation:
        return None
    if blind := _unseen(PUBLIC, seen, poll):
        return blind
    runs = _component(PUBLIC, d.component, seen)
    if wanted.digest is None and (runs is None or runs.wanted is None):
        return None
    if runs is not None and runs.generation >= wanted.generation:
        return Wait(poll) if runs.status == "switching" else None
    if wanted.digest is not None and (PUBLIC, wanted.digest) not in seen.uploaded:
        return Upload(PUBLIC, wanted.digest)
    return Desire(PUBLIC, wanted)


# -- production --------------------------------------------------------------------------------------------------------


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


def d_release(d: Deployment) -> Release:
    """What this deployment wants production to run."""
    return _desired(d, d.digest, d.id, d.attempt, d.manifest.level)


def _desired(d: Deployment, digest: str | None, id: str, attempt: int, level: Level) -> Release:  # noqa: A002 - see state
    return Release(
        purpose="desired", component=d.component, digest=digest, generation=d.generation, deployment=id,
        attempt=attempt, level=level, nonce=d.nonce, issued_at=d.stage_since,
    )  # fmt: skip


def _component(place: str, component: str, seen: Observed) -> ComponentState | None:
    if place in seen.components:
        return seen.components[place]
    state = seen.states.get(place)
    return next((row for row in state.components if row.component == component), None) if state else None


def _deploying(d: Deployment, seen: Observed, poll: float) -> Step:
    release = d_release(d)
    if not d.packaged:
        return seen.package or Package(omega(d.regions[0]), release)
    waiting: Wait | None = None
    for region in d.regions:
        if is_switched(d, region):
            continue
        step = _switch(d, omega(region), region, release, seen, poll)
        if not isinstance(step, Wait):
            return step
        waiting = step
    return waiting or Wait(poll)


def _switch(d: Deployment, place: str, region: str, release: Release, seen: Observed, poll: float) -> Step:
    """One region towards `release`, or what it has come to."""
    if blind := _unseen(place, seen, poll):
        return blind
    runs = _component(place, d.component, seen)
    if runs is None or runs.generation < release.generation:
        if d.hold is not None:
            return Wait(None, "paused")
        names = _left_out_in(d, region)
        if names and d.stage not in _BACK and not seen.states[place].leaves_out:
            return _cannot_leave_out(d, region, names)
        if release.digest is not None and (place, release.digest) not in seen.uploaded:
            return Upload(place, release.digest)
        return Desire(place, release)
    if runs.generation > release.generation or runs.wanted != release.digest:
        return StepFailed(_by_another(region, runs, release), region, runs.generation)
    return _come_to(runs, region, release, poll)


def _by_another(region: str, runs: ComponentState, release: Release) -> str:
    """As after a restore from a backup, which does not know what was deployed since."""
    what = say.digest(runs.wanted) if runs.wanted else "nothing"
    numbers = f"generation {runs.generation}; this is {release.generation}"
    return (f"OMEGA {region} was given {what} by another, as {numbers}. "
            "The next try goes above it: make sure that nothing is lost by that")  # fmt: skip


def _come_to(runs: ComponentState, region: str, release: Release, poll: float) -> Step:
    match runs.status:
        case "healthy" if runs.running == release.digest:
            return RegionHealthy(region, release.generation, runs.url)
        case "offline" if release.digest is None:
            return RegionHealthy(region, release.generation, None)
        case "failed" | "crashed":
            return StepFailed(f"OMEGA {region}: {runs.error or 'the release did not become healthy'}", region)
        case _:
            return Wait(poll)


Given = tuple[Release, Release | None]
"""What mainframes get, and what those get that its level does not reach."""


def _distributing(d: Deployment, seen: Observed, given: Mapping[str, Given], poll: float) -> Step:
    """Each region's distribution as it should be; then what its mainframes have come to. None waits for another.

    Where nobody is waited for any more that is the end of it, also if all of it was seen before, while it was held.
    """
    away: Wait | None = None
    for region, (release, otherwise) in given.items():
        place = omega(region)
        if place in seen.away:
            away = Wait(poll, f"OMEGA {region} does not answer: {seen.away[place]}")
        elif place not in seen.distributions:
            return _distribute(d, region, release, otherwise, seen)
    fleets = [fleet_of(region, seen.distributions[omega(region)]) for region in given if omega(region) not in seen.away]
    over = d.hold is None and not away and not any(_is_waiting(fleet) for fleet in fleets)
    for fleet in fleets:
        if (over or _is_news(fleet, d)) and fleet not in seen.fruitless:
            return fleet
    return away or Wait(poll)


def _distribute(d: Deployment, region: str, release: Release, otherwise: Release | None, seen: Observed) -> Step:
    """What one region's mainframes are to run, without those that are left out."""
    place = omega(region)
    if otherwise and otherwise.digest and (place, otherwise.digest) not in seen.uploaded:
        return Upload(place, otherwise.digest)
    names = _left_out_in(d, region)
    if names is not None:
        if place not in seen.states:
            return Look(place)
        if not seen.states[place].leaves_out:
            if names and d.stage not in _BACK:
                failed = _cannot_leave_out(d, region, names)
                return Wait(POLL_SLOW, failed.why) if d.stage in AT_REST else failed
            names = None
    return Distribute(place, release, d.hold is not None, d.order, otherwise, names)


_BACK = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
"""Nothing blocks a rollback: where OMEGA cannot leave anybody out, it reaches those too that are frozen."""


def _left_out_in(d: Deployment, region: str) -> tuple[str, ...] | None:
    """The names of those that get nothing there; None where nobody was ever left out of this generation."""
    names = tuple(one.name for one in d.left_out if one.region == region)
    return names if names or any(at == region for at, _ in d.letting_in) else None


def _cannot_leave_out(d: Deployment, region: str, names: tuple[str, ...]) -> StepFailed:
    """An agent that does not know of frozen mainframes would give them the release like all others."""
    why = (
        f"OMEGA {region} has an older agent, which cannot leave frozen mainframes out ({', '.join(names)}), so nothing "
        f"goes there; `deploy retry {d.name}` once that agent is updated, or the freeze lifted"
    )
    return StepFailed(why, region)


def _let_in(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step | None:
    """Mainframes whose freeze has ended, brought to what their peers run; None where none is left out."""
    if d.stage not in AT_REST or not (d.left_out or d.letting_in):
        return None
    if not is_newest(d, facts):
        return Superseded() if d.letting_in else None
    if free_again(d, facts):
        return FreezeOver()
    if d.letting_in:
        return _bring_up(d, seen, poll)
    end = frozen_until(d, facts)
    return Wait((end - facts.now).total_seconds() if end else None, "mainframes are frozen")


def _bring_up(d: Deployment, seen: Observed, poll: float) -> Step:
    away: Wait | None = None
    for region, (release, otherwise) in _given(d).items():
        place, names = omega(region), {name for at, name in d.letting_in if at == region}
        if not names:
            continue
        if place in seen.away:
            away = Wait(poll, f"OMEGA {region} does not answer: {seen.away[place]}")
            continue
        if place not in seen.distributions:
            return _distribute(d, region, release, otherwise, seen)
        told = fleet_of(region, seen.distributions[place])
        fleet = FleetSeen(region, told.generation, tuple(row for row in told.rows if row.name in names))
        if fleet not in seen.fruitless:
            return fleet
    return away or Wait(poll)


def _given(d: Deployment) -> dict[str, Given]:
    """What its mainframes get by it, in each region."""
    if d.stage in _BACK:
        return {region: (restored_release(d, ref), restored_for_others(d, ref)) for region, ref in d.restore}
    return dict.fromkeys(d.regions, (d_release(d), None))


def fleet_of(region: str, state: DistributionState) -> FleetSeen:
    rows = tuple(FleetRow(m.name, m.owner, m.tier, m.status, m.error) for m in state.mainframes)
    return FleetSeen(region, state.generation, rows)


def _is_news(fleet: FleetSeen, d: Deployment) -> bool:
    """Whether a decision could come of it. Waiting mainframes are news, for they may be late by now."""
    place = d.placement(omega(fleet.region))
    known = {m.name: (m.status, m.error) for m in d.mainframes if m.region == fleet.region}
    new = {row.name: (row.status, row.error) for row in fleet.rows}
    return place is None or place.distributing != fleet.generation or known != new or _is_waiting(fleet)


def _is_waiting(fleet: FleetSeen) -> bool:
    return any(row.status == "waiting" for row in fleet.rows)


def _rolling_back(d: Deployment, seen: Observed, poll: float) -> Step:
    if not d.restore:
        return _withdraw(d, seen, poll)
    given = _given(d)
    waiting: Wait | None = None
    for region, (release, _) in given.items():
        if is_restored(d, region):
            continue
        step = _switch(d, omega(region), region, release, seen, poll)
        if not isinstance(step, Wait):
            return step
        waiting = step
    return waiting or _distributing(d, seen, given, poll)


def restored_release(d: Deployment, ref: ReleaseRef | None) -> Release:
    """What a region returns to, under the rollback's generation. Mainframes that never had `d` get nothing by it."""
    if ref is None:
        return _desired(d, None, d.id, d.attempt, d.manifest.level)
    level = ref.level if d.manifest.level == "standard" else d.manifest.level
    return _desired(d, ref.digest, ref.id, ref.attempt, level)


def restored_for_others(d: Deployment, ref: ReleaseRef | None) -> Release | None:
    """Where `d` went to all and replaced a release of owner level, the others return to what they ran beneath that."""
    if d.manifest.level != "standard" or ref is None or ref.level == "standard":
        return None
    if ref.others is None:
        return _desired(d, None, d.id, d.attempt, "standard")
    return _desired(d, ref.others.digest, ref.others.id, ref.others.attempt, "standard")


# -- what outlives the stage -------------------------------------------------------------------------------------------


def _withdraw(d: Deployment, seen: Observed, poll: float) -> Step:
    place: Placement | None = d.placement(PUBLIC)
    if place is None or seen.withdrawn:
        return SlotGone()
    if PUBLIC in seen.away:
        return Wait(poll, f"Public does not answer: {seen.away[PUBLIC]}")
    return Withdraw(PUBLIC, d.slot)


def _duties(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step:
    if _has_chore(d):
        if d.unattested is not None:
            return seen.statement or Attest(d.unattested)
        if d.baseline_due:
            return _baseline(d, seen, facts.lane, poll) or BaselineRuns()
        return _withdraw(d, seen, POLL_SLOW)
    step = _let_in(d, seen, facts, poll) or Wait(None)
    if not watched(d, facts.now) or not isinstance(step, Wait):
        return step
    watch = _watch(d, seen)
    return _sooner(watch, step) if isinstance(watch, Wait) else watch


def _sooner(one: Wait, other: Wait) -> Wait:
    return other if one.seconds is None or (other.seconds is not None and other.seconds < one.seconds) else one


def _watch(d: Deployment, seen: Observed) -> Step:
    """Worse health on OMEGA after completion is told, with the way back; it does not roll back by itself."""
    for region in d.regions:
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
        return HealthSeen(region, False, f"OMEGA {region} does not answer: {seen.away[place]}")
    runs = _component(place, d.component, seen)
    if runs is not None and (runs.wanted != d.digest or runs.status == "switching"):
        return HealthSeen(region, True)  # another deployment is changing it, and tells how that goes
    if runs is None or runs.running != d.digest:
        return HealthSeen(region, False, f"OMEGA {region} no longer runs {d.name}")
    if runs.status == "healthy":
        return HealthSeen(region, True)
    return HealthSeen(region, False, f"OMEGA {region}: {runs.error or runs.status}")
