"""The card of a deployment: its frame, and what each stage adds. Its first three lines stay on all stages."""

from __future__ import annotations

from core import say
from core.announce import failed_checks
from core.cards import Bar, Card, Tone
from core.facts import Facts
from core.phases.rollback import CANNOT_BE_UNDONE, seconders, standing_request
from core.policy import countersigners, names
from core.stages import MOVING, Stage
from core.state import Check, Deployment
from core.views.card.approval import awaiting, scheduled
from core.views.card.buttons import buttons
from core.views.card.fleet import fleet_bar
from core.views.card.production import completed, deploying, distributing, of_each, rollback, runs_now
from core.views.card.progress import Progress
from core.views.card.public import planned, slot_url, staging, verifying

TITLES: dict[Stage, str] = {
    Stage.PLANNED: "📋 Planned",
    Stage.STAGING: "⏳ Staging",
    Stage.STAGED: "📦 Staged",
    Stage.VERIFYING: "🔎 Verifying",
    Stage.AWAITING_APPROVAL: "🔔 Awaiting approval",
    Stage.SCHEDULED: "🕒 Scheduled",
    Stage.DEPLOYING: "🚚 Deploying",
    Stage.DISTRIBUTING: "🚚 Distributing",
    Stage.COMPLETED: "✅ Completed",
    Stage.REJECTED: "🚫 Rejected",
    Stage.CANCELLED: "🚫 Cancelled",
    Stage.FAILED: "❌ Failed",
    Stage.ROLLING_BACK: "↩️ Rolling back",
    Stage.ROLLED_BACK: "↩️ Rolled back",
    Stage.ROLLBACK_FAILED: "❌ Rollback failed",
}

_TONES: dict[Stage, Tone] = {
    Stage.AWAITING_APPROVAL: "asking",
    Stage.COMPLETED: "good",
    Stage.FAILED: "bad",
    Stage.ROLLBACK_FAILED: "bad",
}


def deployment_card(d: Deployment, facts: Facts, zone: str, progress: Progress | None = None) -> Card:
    """The card as it is now. `facts.deployment` is `d`; times are in `zone`."""
    title = _title(d)
    lines = (d.description, _who(d, facts, zone), *_body(d, facts, zone, progress), *_two_people(d, facts, zone))
    return Card(
        title,
        lines,
        buttons(d),
        _TONES.get(d.stage, "moving" if d.stage in MOVING else "neutral"),
        summary=f"{title}: {_summary(d, facts)}",
    )


def _title(d: Deployment) -> str:
    head = TITLES[d.stage]
    if d.stage is Stage.FAILED and d.failed_in is not None:
        head = {Stage.VERIFYING: "❌ Verification failed"}.get(d.failed_in, f"❌ Failed in {d.failed_in.words}")
    more = f", run {d.verification.run}" if d.stage is Stage.VERIFYING and d.verification else ""
    held = ", paused" if d.hold else ""
    component = f", {d.component}" if d.stage is Stage.PLANNED else ""
    return f"{head}: {d.name}{component}{more}{held}"


def _who(d: Deployment, facts: Facts, zone: str) -> str:
    at = say.clock(d.pushed_at, zone, facts.now)
    return f"{facts.name_of(d.pusher)}, {at}, sha256 {say.digest(d.digest)}, {say.size(d.size)}"


def _summary(d: Deployment, facts: Facts) -> str:
    by = facts.name_of(d.pusher)
    return f"{d.description}, by {by}, is {d.stage.words}"


def _body(d: Deployment, facts: Facts, zone: str, progress: Progress | None) -> tuple[str | Bar, ...]:
    hold = (_hold(d, facts),) if d.hold else ()
    match d.stage:
        case Stage.PLANNED:
            return planned(d)
        case Stage.STAGING:
            return staging(d, progress)
        case Stage.STAGED:
            return (f"Try it: {slot_url(d)}", f"Next: `deploy verify {d.name}`", *d.warnings)
        case Stage.VERIFYING:
            return verifying(d)
        case Stage.AWAITING_APPROVAL:
            return awaiting(d, facts, zone)
        case Stage.SCHEDULED:
            return (*scheduled(d, facts, zone), *hold)
        case Stage.DEPLOYING:
            return (*deploying(d, facts, zone, progress), *hold)
        case Stage.DISTRIBUTING:
            return (*distributing(d, facts, zone), *hold)
        case Stage.COMPLETED:
            return completed(d, facts, zone)
        case Stage.REJECTED | Stage.CANCELLED:
            why = f": “{d.ended_why}”" if d.ended_why else ""
            at = say.clock(d.stage_since, zone, facts.now)
            return (f"{facts.name_of(d.ended_by or '')}, {at}{why}", f"Production untouched ({runs_now(facts)})")
        case Stage.FAILED:
            return _failed(d, facts)
        case Stage.ROLLING_BACK | Stage.ROLLED_BACK | Stage.ROLLBACK_FAILED:
            return rollback(d, facts, zone)


def _two_people(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """What a second person has to do, or has done: an emergency's countersignature, an irreversible rollback."""
    lines: list[str] = []
    one, asked = d.emergency, standing_request(d, facts)
    if one is not None:
        by, at = facts.name_of(one.person), say.clock(one.countersign_by, zone, facts.now)
        if one.countersigned_by:
            then = f"countersigned by {facts.name_of(one.countersigned_by)}"
        else:
            can = names(countersigners(d.component, (one.person, d.pusher), facts))
            then = f"needs a countersignature by {at}: {can} (`deploy countersign {d.name}`)"
        lines.append(f"🚨 Emergency by {by}: “{one.why}”; {then}")
    if asked is not None:
        can = names([person for person in seconders(d, facts) if person.id != asked.person])
        lines.append(f"↩️ {facts.name_of(asked.person)} asks to roll it back. Needs a second person: {can}")
        lines.append(CANNOT_BE_UNDONE)
    return tuple(lines)


def _hold(d: Deployment, facts: Facts) -> str:
    assert d.hold is not None
    if d.hold.wide:
        return f"⏸ Held: {d.hold.why}. `deploy resume` lets all go on"
    how = f"by {facts.name_of(d.hold.person)}" if d.hold.person else f"by itself: {d.hold.why}"
    return f"⏸ Paused {how}. `deploy resume {d.name}`"


def _failed(d: Deployment, facts: Facts) -> tuple[str, ...]:
    untouched = f"production untouched ({runs_now(facts)})"
    if d.failed_in is Stage.VERIFYING and d.verification and d.verification.passed is None:
        return ("❌ The checks could not be carried out", d.failure or "", f"P{untouched[1:]}",
                f"Next: `deploy verify {d.name}`")  # fmt: skip
    if d.failed_in is Stage.VERIFYING:
        passed = sum(check.state == "passed" for check in _checks(d))
        return (
            "❌ Verification FAILED!",
            "Issues detected on Public Server. Deployment cannot proceed to OMEGA.",
            *failed_checks(d),
            f"{passed} passed; {untouched}",
            "Next: review the failed checks, fix in ALPHA, roll back, push the fix under a new id",
        )
    if d.touched:
        fleet = (fleet_bar(d),) if d.failed_in is Stage.DISTRIBUTING and d.mainframes else ()
        shown = tuple(f"{bar.text}, {bar.after}" for bar in fleet)
        return (d.failure or "", *of_each(d), *shown, f"Next: `deploy retry {d.name}`, or `deploy rollback {d.name}`")
    return (d.failure or "", f"P{untouched[1:]}", f"Next: `deploy retry {d.name}`, or `deploy cancel {d.name}`")


def _checks(d: Deployment) -> tuple[Check, ...]:
    return d.verification.checks if d.verification else ()
