"""Going back: off Public where OMEGA was not touched, else to what production ran before. And cancelling."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core import say
from core.commands import Cancel, Rollback, spec_of
from core.events import (
    BaselineSet,
    Cancelled,
    DeploymentEvent,
    Failed,
    RegionAsked,
    RegionLeftAlone,
    RegionRestored,
    RollbackAsked,
    RollbackStarted,
    RolledBack,
    SlotWithdrawn,
)
from core.facts import Decided, Facts, FleetSeen, Refused, RegionHealthy, StepFailed, Verdict
from core.people import Person
from core.phases.common import does_not_fit, stale_click
from core.phases.deploy import failures, fleet_changes
from core.policy import Scope, names, not_undone, who_may
from core.stages import BEFORE_OMEGA, Stage
from core.state import PUBLIC, Asked, Deployment, Mainframe, ReleaseRef, omega

Restore = tuple[tuple[str, ReleaseRef | None], ...]


def rollback(command: Rollback, d: Deployment, facts: Facts) -> Verdict:
    """Start going back. Nothing but what is on top of it blocks a rollback."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    match d.stage:
        case Stage.ROLLING_BACK:
            by = facts.name_of(d.ended_by or "")
            return Decided((), (f"{d.name} is rolling back already, since {_clock(d, facts)} ({by})",))
        case Stage.PLANNED | Stage.STAGING:
            why = f"{d.name} is {d.stage.words}: there is nothing to roll back yet. `deploy cancel {d.name}`"
            return Refused("stage", why)
        case Stage.DEPLOYING | Stage.DISTRIBUTING | Stage.COMPLETED | Stage.FAILED | Stage.ROLLBACK_FAILED if d.touched:
            return _production(command, d, facts)
        case Stage.FAILED if d.placement(PUBLIC) is None:
            return Refused("stage", f"{d.name} never reached Public. `deploy cancel {d.name}`")
        case (
            Stage.STAGED | Stage.VERIFYING | Stage.AWAITING_APPROVAL | Stage.SCHEDULED | Stage.FAILED
            | Stage.ROLLBACK_FAILED
        ):  # fmt: skip
            event = RollbackStarted(command.reason, 0, facts.nonce, ())
            return Decided((event,), (f"Rolling {d.name} back: off Public; nothing was pushed to OMEGA",))
        case _:
            return does_not_fit(d, facts, "be rolled back")


def _clock(d: Deployment, facts: Facts) -> str:
    return say.clock(d.stage_since, facts.me.time_zone, facts.now)


def _production(command: Rollback, d: Deployment, facts: Facts) -> Verdict:
    on_top = _on_top(d, facts)
    if on_top:
        return Refused("on_top", on_top)
    restore = restoring(d, facts)
    if not restore:
        return Refused("not_current", f"{d.name} runs nowhere in production any more. `deploy history` shows what does")
    if d.manifest.irreversible and d.stage is not Stage.ROLLBACK_FAILED:
        return _irreversible(command, d, restore, facts)
    first, *more = undoing(d, restore)
    return Decided(_started(command.reason, d, restore, facts), (f"Rolling {d.name} back: {first}", *more))


def undoing(d: Deployment, restore: Restore) -> tuple[str, ...]:
    """`OMEGA eu returns to v1`; and where it is left as it is if it does not answer, for nothing was asked of it."""
    where = _given_nothing(d)
    return (in_words(restore), *((f"{where} so far; left alone if it does not answer",) if where else ()))


def undone(d: Deployment) -> tuple[str, ...]:
    """The same once it is done: `OMEGA eu returns to v1`, and what was left alone."""
    where = _given_nothing(d)
    return (*((in_words(d.restore),) if d.restore else ()), *((where,) if where else ()))


def _given_nothing(d: Deployment) -> str:
    where = [f"OMEGA {region}" for region in d.unasked]
    return f"{say.listed(where)} {'was' if len(where) == 1 else 'were'} given nothing of it" if where else ""


def _started(why: str | None, d: Deployment, restore: Restore, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """Where mainframes were left out, the region is asked in any case: they are still to get what came before."""
    left_out = not_undone(d, tuple(region for region, _ in restore), facts)
    started = RollbackStarted(why, facts.lane.generation + 1, facts.nonce, restore, left_out)
    owed = {*(one.region for one in d.left_out), *(region for region, _ in d.letting_in)}
    return (started, *(RegionAsked(region) for region, _ in restore if region in owed and region in d.unasked))


CANNOT_BE_UNDONE = "It is irreversible: the program goes back, and what it has changed in its data stays changed"


def _irreversible(command: Rollback, d: Deployment, restore: Restore, facts: Facts) -> Verdict:
    """Two people have to agree, who know what cannot be undone."""
    me, first = facts.me, standing_request(d, facts)
    if me.shared:
        why = f"{me.name} is a shared account, and two people have to agree to roll {d.name} back"
        return Refused("shared", f"{why}: {names(seconders(d, facts))}. `deploy rollback {d.name}`")
    if first is None or first.person == me.id:
        others = names(seconders(d, replace(facts, asker=me)))
        needs = f"A second person has to agree: {others}. `deploy rollback {d.name}`"
        if first is not None:
            return Decided((), (f"You have asked to roll {d.name} back. {needs}", CANNOT_BE_UNDONE))
        asked = RollbackAsked(me.id, command.reason)
        return Decided((asked,), (f"Asked to roll {d.name} back: {in_words(restore)}", CANNOT_BE_UNDONE, needs))
    events = _started(command.reason or first.why, d, restore, facts)
    both = f"Agreed by {facts.name_of(first.person)} and {me.name}"
    return Decided(events, (f"Rolling {d.name} back: {in_words(restore)}", CANNOT_BE_UNDONE, both))


def standing_request(d: Deployment, facts: Facts) -> Asked | None:
    """Who asked to roll it back, where that is not too long ago to be meant now."""
    asked = d.rollback_asked
    if asked is None or facts.now >= asked.at + timedelta(seconds=facts.policy.countersign_within):
        return None
    return asked


def seconders(d: Deployment, facts: Facts) -> list[Person]:
    """Who could be the second: whoever may roll it back and has not asked."""
    spec, scope = spec_of(Rollback(d.id)), Scope(d.component, d.regions)
    first = d.rollback_asked.person if d.rollback_asked else None
    not_these = {first, facts.asker.id if facts.asker else None}
    could = who_may(facts.people, spec, facts.policy, scope)
    return [person for person in could if person.id not in not_these and not person.shared]


def in_words(restore: Restore) -> str:
    """`OMEGA eu returns to v1.2.2`, or that the component goes offline."""
    return "; ".join(
        f"OMEGA {region} returns to {ref.name}{_for_others(ref)}"
        if ref
        else f"OMEGA {region} had nothing before, so it goes offline"
        for region, ref in restore
    )


def _for_others(ref: ReleaseRef) -> str:
    if ref.level == "standard":
        return ""
    return f" (mainframes below SERVER OWNER LEVEL: {ref.others.name if ref.others else 'nothing'})"


def _on_top(d: Deployment, facts: Facts) -> str | None:
    """What must be rolled back first, in a sentence, or None."""
    holder = next((other for other in facts.siblings if other.key == facts.lane.holder), None)
    if holder is not None and holder.key != d.key:
        return f"{holder.name} is on top of {d.name}: it is {holder.stage.words}. `deploy rollback {holder.name}` first"
    if d.stage is Stage.COMPLETED and not _runs(d, facts):
        tops = [ref.name for ref in facts.lane.releases]
        if tops:
            return f"{say.listed(tops)} runs on top of {d.name}. `deploy rollback {tops[0]}` first"
    return None


def _runs(d: Deployment, facts: Facts) -> bool:
    return any((ref.id, ref.attempt) == (d.id, d.attempt) for ref in facts.lane.releases)


def restoring(d: Deployment, facts: Facts) -> Restore:
    """Region to what it returns to: the digest recorded at its switch. Only where this deployment runs or may run."""
    if d.stage is Stage.ROLLBACK_FAILED:
        return d.restore
    rows = [row for row in d.placements if row.server != PUBLIC]
    if d.stage is Stage.COMPLETED:
        rows = [row for row in rows if _runs_in(d, row.server.removeprefix("omega/"), facts)]
    return tuple((row.server.removeprefix("omega/"), row.replaced) for row in rows)


def _runs_in(d: Deployment, region: str, facts: Facts) -> bool:
    ref = facts.lane.running(region)
    return ref is not None and (ref.id, ref.attempt) == (d.id, d.attempt)


def goes_offline(d: Deployment, mainframe: Mainframe) -> bool:
    """Whether a rollback of `d` leaves the mainframe with nothing to run, which is well too."""
    if d.stage not in (Stage.ROLLING_BACK, Stage.ROLLED_BACK, Stage.ROLLBACK_FAILED):
        return False
    ref = dict(d.restore).get(mainframe.region)
    if ref is None or d.manifest.level != "standard" or mainframe.tier == "server-owner":
        return ref is None
    return ref.for_all is None


def cancel(command: Cancel, d: Deployment, facts: Facts) -> Verdict:
    """End it before OMEGA is touched. Its slot on Public is withdrawn by and by."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.stage is Stage.FAILED and d.touched:
        return Refused("touched", f"{d.name} has touched OMEGA, so it cannot be cancelled. `deploy rollback {d.name}`")
    if d.stage in (Stage.DEPLOYING, Stage.DISTRIBUTING):
        why = f"{d.name} is {d.stage.words}: too late to cancel. `deploy rollback {d.name}` undoes it"
        return Refused("touched", why)
    if d.stage not in (*BEFORE_OMEGA, Stage.FAILED):
        return does_not_fit(d, facts, "be cancelled")
    return Decided((Cancelled(touched=False),), (f"Cancelled {d.name}; nothing was pushed to OMEGA",))


# -- outcomes ----------------------------------------------------------------------------------------------------------


def region_restored(outcome: RegionHealthy, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    if d.stage is not Stage.ROLLING_BACK or outcome.generation != d.generation:
        return None
    return () if is_restored(d, outcome.region) else (RegionRestored(outcome.region),)


def is_restored(d: Deployment, region: str) -> bool:
    place = d.placement(omega(region))
    return place is not None and place.observed == "restored"


def fleet_seen(outcome: FleetSeen, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """Mainframes follow OMEGA back; done when all that are online have."""
    if d.stage is not Stage.ROLLING_BACK or outcome.generation != d.generation:
        return None
    changes, after = fleet_changes(outcome, d, facts)
    restored = {region for region, _ in after.restore}
    if not all(is_restored(after, region) for region in restored) or not _told(after, restored):
        return changes
    if any(m.status == "waiting" for m in after.mainframes):
        return changes
    bad = [m for m in after.mainframes if m.status == "failed"]
    if bad:
        return (*changes, Failed(Stage.ROLLING_BACK, failures(bad)))
    return (*changes, RolledBack(touched=True))


def _told(d: Deployment, regions: set[str]) -> bool:
    return all(
        place.distributing == d.generation for place in d.placements if place.server.removeprefix("omega/") in regions
    )


def failed(outcome: StepFailed, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    if d.stage is not Stage.ROLLING_BACK:
        return None
    if outcome.unseen and outcome.region in d.unasked and outcome.region in dict(d.restore):
        return (RegionLeftAlone(outcome.region, outcome.why),)
    return (Failed(Stage.ROLLING_BACK, outcome.why, outcome.region, outcome.newer),)


def slot_gone(d: Deployment) -> tuple[DeploymentEvent, ...]:
    """The slot on Public is gone: a duty done, and the end of a rollback that had nothing else to undo."""
    place = d.placement(PUBLIC)
    gone = (SlotWithdrawn(),) if place is not None and place.observed != "withdrawn" else ()
    if d.stage is Stage.ROLLING_BACK and not d.restore:
        return (*gone, RolledBack(touched=False))
    return gone


def baseline_runs(d: Deployment) -> tuple[DeploymentEvent, ...]:
    return (BaselineSet(),) if d.baseline_due else ()
