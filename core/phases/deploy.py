"""OMEGA and its mainframes: packaging, each region's switch, the distribution, completion, and the watch after it."""

from __future__ import annotations

from datetime import timedelta

from core import say
from core.commands import Pause, Resume, Retry
from core.events import (
    Attested,
    Completed,
    DeploymentEvent,
    DistributionStarted,
    DistributionTaken,
    Failed,
    HealthRecovered,
    HealthWorsened,
    MainframeChanged,
    Packaged,
    Paused,
    RegionAsked,
    RegionSwitched,
    Resumed,
    Retried,
)
from core.evolve import evolve
from core.facts import (
    ASHAT,
    Decided,
    Facts,
    FleetRow,
    FleetSeen,
    HealthSeen,
    PackageSigned,
    Refused,
    RegionHealthy,
    RegionReady,
    StatementSigned,
    StepFailed,
    Verdict,
)
from core.phases.common import does_not_fit, stale_click
from core.policy import left_out_still
from core.stages import Stage
from core.state import PUBLIC, Deployment, Mainframe, omega

_HELD = frozenset({Stage.SCHEDULED, Stage.DEPLOYING, Stage.DISTRIBUTING})
"""The stages that can be held."""

# -- commands ----------------------------------------------------------------------------------------------------------


def retry(command: Retry, d: Deployment, facts: Facts) -> Verdict:
    """The stage that failed begins again; where production is concerned, under a new generation."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    match d.stage, d.failed_in:
        case Stage.FAILED, Stage.PLANNED | Stage.STAGING as stage:
            event = Retried(stage, 0, facts.nonce)
        case Stage.FAILED, Stage.DEPLOYING | Stage.DISTRIBUTING as stage:
            if facts.lane.holder != d.key:
                return Refused("lane", f"{d.name} no longer holds {d.component}'s lane. `deploy rollback {d.name}`")
            if gone := [region for region in d.regions if region not in facts.regions]:
                why = f"OMEGA {say.listed(gone)} was taken out since, and {d.name} was approved for it too"
                return Refused("region", f"{why}. `deploy rollback {d.name}`, and push it again")
            event = Retried(stage, facts.lane.generation + 1, facts.nonce, left_out_still(d, facts))
        case ((Stage.PLANNED | Stage.STAGING | Stage.DEPLOYING | Stage.DISTRIBUTING), _):
            return Decided((), (f"{d.name} is {d.stage.words} already",))
        case Stage.ROLLBACK_FAILED, _:
            why = f"{d.name}'s rollback failed ({d.failure}). `deploy rollback {d.name}` tries it again"
            return Refused("stage", why)
        case _:
            return does_not_fit(d, facts, "be retried")
    return Decided((event,), (f"Trying again: {d.name}, {stage.words}",))


def pause(command: Pause, d: Deployment, facts: Facts) -> Verdict:
    """A hold beside the stage: nothing further begins until somebody resumes it."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.stage not in _HELD:
        return does_not_fit(d, facts, "be paused")
    if d.hold is not None and d.hold.wide:
        return Decided((), (f"{d.name} is paused already: {d.hold.why}. `deploy resume` lets all go on",))
    if d.hold is not None:
        by = facts.name_of(d.hold.person) if d.hold.person else f"a threshold: {d.hold.why}"
        return Decided((), (f"{d.name} is paused already, by {by}. `deploy resume {d.name}`",))
    event = Paused(f"paused by {facts.me.name}", automatic=False, order=d.order + 1)
    return Decided((event,), (f"Paused {d.name}: what has begun ends, nothing further begins",))


def resume(command: Resume, d: Deployment, facts: Facts) -> Verdict:
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.hold is None:
        return Refused("not_paused", f"{d.name} is not paused; it is {d.stage.words}. `deploy status {d.name}`")
    if d.hold.wide and facts.paused:
        why = f"{d.name} is held with everything else ({d.hold.why}). `deploy resume` lets all go on"
        return Refused("paused_all", why)
    return Decided((Resumed(d.order + 1),), (f"Done: {d.name} goes on",))


def out_of_step(d: Deployment, facts: Facts) -> bool:
    """Whether the pause of everything has begun or ended, and this deployment has not taken it up yet."""
    if d.stage not in _HELD:
        return False
    return d.hold is None if facts.paused else d.hold is not None and d.hold.wide


def held_with_all(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    if not out_of_step(d, facts):
        return None
    if facts.paused is None:
        return (Resumed(d.order + 1),)
    return (Paused(f"everything is {facts.paused.why}", automatic=False, order=d.order + 1, wide=True),)


# -- outcomes ----------------------------------------------------------------------------------------------------------


def packaged(outcome: PackageSigned, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    if d.stage is not Stage.DEPLOYING:
        return None
    return () if d.packaged else (Packaged(outcome.statement),)


def region_ready(outcome: RegionReady, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    """Recorded before it is asked: a rollback has nothing to undo where that never was, itself included."""
    if d.stage not in (Stage.DEPLOYING, Stage.ROLLING_BACK) or outcome.generation != d.generation:
        return None
    return (RegionAsked(outcome.region),) if outcome.region in d.unasked else ()


def region_healthy(outcome: RegionHealthy, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    """A region runs the release; when all do, the distribution begins."""
    if d.stage is not Stage.DEPLOYING or outcome.generation != d.generation:
        return None
    if is_switched(d, outcome.region):
        return ()
    switched = RegionSwitched(outcome.region, outcome.url)
    missing = [region for region in d.regions if not is_switched(d, region) and region != outcome.region]
    return (switched,) if missing else (switched, DistributionStarted(d.regions))


def is_switched(d: Deployment, region: str) -> bool:
    place = d.placement(omega(region))
    return place is not None and place.observed == "healthy"


def failed(outcome: StepFailed, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    if d.stage not in (Stage.DEPLOYING, Stage.DISTRIBUTING):
        return None
    if d.stage is Stage.DEPLOYING and outcome.unseen and _come(d, but=outcome.region):
        return ()  # what others begin to run is known first; it is looked for again
    return (Failed(d.stage, outcome.why, outcome.region, outcome.newer),)


def _come(d: Deployment, but: str | None) -> bool:
    """Whether another region was asked to run it, and does not yet."""
    others = [row for row in d.placements if row.server not in (PUBLIC, omega(but or ""))]
    return any(row.observed == "starting" and not row.unasked for row in others)


def fleet_seen(outcome: FleetSeen, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """What OMEGA tells of its mainframes: each change once; then a threshold, completion or failure."""
    if d.stage is not Stage.DISTRIBUTING or outcome.generation != d.generation:
        return None
    changes, after = fleet_changes(outcome, d, facts)
    bad = [m for m in after.mainframes if m.status == "failed"]
    waiting = [m for m in after.mainframes if m.status == "waiting"]
    if not told_by_all(after):
        return changes
    if not waiting and bad:
        return (*changes, Failed(Stage.DISTRIBUTING, failures(bad)))
    if not waiting and d.hold is None:
        return (*changes, Completed(facts.now + timedelta(seconds=facts.policy.watch)))
    if len(bad) >= facts.policy.max_failed_mainframes and d.hold is None and any(map(_is_failure, changes)):
        why = f"{say.count(len(bad), 'mainframe')} failed: {failures(bad)}"
        return (*changes, Paused(why, automatic=True, order=d.order + 1))
    return changes


def attested(outcome: StatementSigned, d: Deployment) -> tuple[DeploymentEvent, ...]:
    """Once: what another try signed states the same."""
    if d.unattested is None:
        return ()
    return (Attested(outcome.digest, outcome.key, outcome.envelope),)


def _is_failure(event: DeploymentEvent) -> bool:
    """Only a new failure trips the threshold: after a person's resume the known ones do not trip it again."""
    return isinstance(event, MainframeChanged) and event.status == "failed"


def failures(bad: list[Mainframe]) -> str:
    shown = "; ".join(f"{m.name}: {m.error or 'no reason given'}" for m in bad[:3])
    return f"{shown}; and {len(bad) - 3} more" if len(bad) > 3 else shown


def fleet_changes(outcome: FleetSeen, d: Deployment, facts: Facts) -> tuple[tuple[DeploymentEvent, ...], Deployment]:
    """The events of what is new in one region, and the deployment after them."""
    events: list[DeploymentEvent] = []
    place = d.placement(omega(outcome.region))
    if place is not None and place.distributing != outcome.generation:
        events.append(DistributionTaken(outcome.region, outcome.generation, len(outcome.rows)))
    known = {m.name: m for m in d.mainframes if m.region == outcome.region}
    for row in outcome.rows:
        seen = _judged(row, known.get(row.name), d, facts)
        old = known.get(row.name)
        if old is None or (old.status, old.error) != (seen.status, seen.error):
            events.append(MainframeChanged(outcome.region, seen.name, seen.owner, seen.tier, seen.status, seen.error))
    after = d
    for event in events:
        after = evolve(after, event, facts.now, ASHAT)
    return tuple(events), after


def _judged(row: FleetRow, old: Mainframe | None, d: Deployment, facts: Facts) -> FleetRow:
    """One that is online without a receipt by `receipt_timeout` counts as failed, until its receipt comes."""
    if row.status != "waiting" or old is None or d.hold is not None:
        return row
    late = f"no receipt within {say.duration(facts.policy.receipt_timeout)}"
    if old.status == "failed" and old.error == late:
        return FleetRow(row.name, row.owner, row.tier, "failed", late)
    since = max(old.since, d.moving_since)
    if old.status == "waiting" and (facts.now - since).total_seconds() >= facts.policy.receipt_timeout:
        return FleetRow(row.name, row.owner, row.tier, "failed", late)
    return row


def told_by_all(d: Deployment) -> bool:
    """Whether every region has taken the distribution on."""
    return all(place.distributing == d.generation for place in d.placements if place.server.startswith("omega/"))


def health_seen(outcome: HealthSeen, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    """After completion OMEGA is watched for a while: worse health is told once, and so is its end."""
    if d.stage is not Stage.COMPLETED:
        return None
    unwell = outcome.region in d.unwell
    if not outcome.well and not unwell:
        return (HealthWorsened(outcome.region, outcome.why, outcome.silent),)
    if outcome.well and unwell:
        return (HealthRecovered(outcome.region),)
    return ()
