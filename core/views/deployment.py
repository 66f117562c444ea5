"""The card of a deployment, edited in place as it goes along. Its first three lines stay on all stages."""

from __future__ import annotations

from dataclasses import dataclass

from core import say
from core.announce import approve_button, failed_checks, seen_of
from core.cards import Bar, Button, Card, Tone
from core.facts import Facts
from core.phases.approve import in_words, missing_groups
from core.phases.common import gate_line
from core.phases.push import estimate
from core.phases.rollback import CANNOT_BE_UNDONE, seconders, standing_request
from core.policy import (
    barriers,
    countersigners,
    covers,
    gates,
    helpers,
    left_out_still,
    names,
    quorum,
    undone,
    would_leave_out,
)
from core.stages import MOVING, Act, Stage, legal
from core.state import PUBLIC, Check, Deployment, LeftOut, Mainframe


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of an upload that is under way; shown, never journaled."""

    what: str
    done: int
    total: int


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

_NAMED = 5
"""Mainframes of one kind that a card names."""
_MARKS = {"passed": "✅", "failed": "❌", "timed_out": "❌", "skipped": "⏭", "not_applicable": "➖"}
_PLURAL = {"skipped": "Skipped", "not_applicable": "Not applicable"}


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
            return _planned(d)
        case Stage.STAGING:
            return _staging(d, progress)
        case Stage.STAGED:
            return (f"Try it: {_slot_url(d)}", f"Next: `deploy verify {d.name}`", *d.warnings)
        case Stage.VERIFYING:
            return _verifying(d)
        case Stage.AWAITING_APPROVAL:
            return _awaiting(d, facts, zone)
        case Stage.SCHEDULED:
            return (*_scheduled(d, facts, zone), *hold)
        case Stage.DEPLOYING:
            return (*_deploying(d, facts, zone, progress), *hold)
        case Stage.DISTRIBUTING:
            return (*_distributing(d, zone, facts), *hold)
        case Stage.COMPLETED:
            return _completed(d, facts, zone)
        case Stage.REJECTED | Stage.CANCELLED:
            why = f": “{d.ended_why}”" if d.ended_why else ""
            at = say.clock(d.stage_since, zone, facts.now)
            return (f"{facts.name_of(d.ended_by or '')}, {at}{why}", f"Production untouched ({_production(facts)})")
        case Stage.FAILED:
            return _failed(d, facts)
        case Stage.ROLLING_BACK | Stage.ROLLED_BACK | Stage.ROLLBACK_FAILED:
            return _rollback(d, facts, zone)


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
    by = facts.name_of(d.hold.person) if d.hold.person else "by itself"
    return f"⏸ Paused {by}: {d.hold.why}. `deploy resume {d.name}`"


def _planned(d: Deployment) -> tuple[str, ...]:
    plan = d.plan
    regions = f"OMEGA {', '.join(plan.regions)}" if plan.regions else "OMEGA (not configured)"
    fleet = "its mainframes" if plan.mainframes is None else say.count(plan.mainframes, "mainframe")
    steps = (say.count(len(plan.checks), "check"), say.count(plan.quorum, "approval"), regions, fleet)
    return (f"Plan: Public, {', '.join(steps)}", f"Estimate: {estimate(plan)}", *d.warnings)


def _staging(d: Deployment, progress: Progress | None) -> tuple[str | Bar, ...]:
    queued = ("Verification starts once it is staged",) if d.verify_by else ()
    if progress is None:
        return ("Starting on Public, then health", *queued)
    share = progress.done / progress.total if progress.total else 1.0
    after = f"{say.size(progress.done)} of {say.size(progress.total)}"
    return (
        Bar(progress.done, progress.total, f"{progress.what} {share:.0%}", after),
        "Next: start, then health",
        *queued,
    )


def _slot_url(d: Deployment) -> str:
    place = d.placement(PUBLIC)
    return (place.url if place else None) or "no address yet"


def _verifying(d: Deployment) -> tuple[str | Bar, ...]:
    assert d.verification is not None
    checks = d.verification.checks
    done = [check for check in checks if check.final]
    waiting = [check.name for check in checks if not check.final]
    shown = ("  ".join(f"{_MARKS[check.state]} {check.name}" for check in done),) if done else ()
    running = (
        f"Running: {waiting[0]}" + (f" · Waiting: {', '.join(waiting[1:])}" if waiting[1:] else "") if waiting else ""
    )
    return (Bar(len(done), len(checks), f"{len(done)} of {len(checks)} done"), *shown, *((running,) if running else ()))


def _verdict(d: Deployment, facts: Facts, zone: str) -> str:
    assert d.verification is not None
    checks = d.verification.checks
    passed = sum(check.state == "passed" for check in checks)
    until = d.verification.valid_until
    valid = f", valid until {say.clock(until, zone, facts.now)}" if until else ""
    return f"✅ Verification PASSED! {passed} of {len(checks)}{valid}"


def _awaiting(d: Deployment, facts: Facts, zone: str) -> tuple[str | Bar, ...]:
    checks = d.verification.checks if d.verification else ()
    notes = [f"⚠ {check.name}: {check.warning}" for check in checks if check.warning]
    for state, word in _PLURAL.items():
        left = [check.name for check in checks if check.state == state]
        if left:
            notes.append(f"{word}: {', '.join(left)}")
    return (
        _verdict(d, facts, zone),
        "Public Server deployment is stable and ready for OMEGA.",
        *notes,
        *_what_changes(d, facts, zone),
        f"Try it: {_slot_url(d)}",
        *_votes(d, facts),
        *_other_gates(d, facts, zone),
        *d.warnings,
    )


def _what_changes(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    wanted = covers(d, facts.lane, facts.siblings, facts.regions)
    changes = in_words(wanted, d, facts) if wanted and wanted.replaces else f"{d.name}, to no OMEGA yet"
    fleet = "" if d.plan.mainframes is None else f", {say.count(d.plan.mainframes, 'mainframe')}"
    level = ", SERVER OWNER LEVEL only" if d.manifest.level == "server-owner" else ""
    running = [ref.name for ref in facts.lane.releases]
    back = f"Rollback would restore {say.listed(running)}" if running else (
        f"Nothing of {d.component} runs in production yet: a rollback would take it offline")  # fmt: skip
    lost = [ref.name for ref in undone(d, facts.lane)]
    unsure = (f"Its manifest does not say that it contains {say.listed(lost)}",) if lost and d.manifest.contains else ()
    frozen = would_be_frozen(d, facts, zone)
    return (f"Changes: {changes}{fleet}{level}", *frozen, *_moved(d, facts), back, *unsure, *_read_first(d, facts))


def _moved(d: Deployment, facts: Facts) -> tuple[str, ...]:
    """Whether production runs something else than when it was pushed."""
    was = dict(d.plan.replaces)
    now = {region: (ref := facts.lane.running(region)) and ref.name for region in facts.regions}
    moved = [f"OMEGA {region}: {was.get(region) or 'nothing'} → {now[region] or 'nothing'}"
             for region in facts.regions if was.get(region) != now[region]]  # fmt: skip
    return (f"Production moved since the push: {'; '.join(moved)}",) if moved else ()


def _read_first(d: Deployment, facts: Facts) -> tuple[str, ...]:
    """Its tasks and notes, and those of the updates that it says it contains and that are not in production yet."""
    all_of = [d, *(other for other in facts.siblings if other.id in d.manifest.contains)]
    tasks = dict.fromkeys(task for one in all_of for task in one.tasks)
    lines = [f"Tasks: {', '.join(tasks)}"] if tasks else []
    for one in all_of:
        of = "" if one is d else f" of {one.name}"
        lines += [f"Note{of}: {note}" for note in one.notes]
    return tuple(lines)


def _votes(d: Deployment, facts: Facts) -> tuple[str, ...]:
    state, groups = quorum(d, facts), facts.policy.groups_for(d.component)
    by = ", ".join(_voter(person, groups, facts) for person in state.people)
    anybody = state.lacking > len(state.missing)
    needs = [f"Can approve: {names(helpers(d, facts))}"] if anybody else []
    needs = [*missing_groups(d, facts), *needs]
    return (" · ".join((f"Approved {len(state.people)} of {state.need}{': ' + by if by else ''}", *needs)),)


def _voter(person: str, groups: tuple[str, ...], facts: Facts) -> str:
    """`Bo Li (ops)`, where a group is asked for."""
    of = next((known.groups for known in facts.people if known.id == person), frozenset())
    named = [group for group in groups if group in of]
    return f"{facts.name_of(person)} ({', '.join(named)})" if named else facts.name_of(person)


def _other_gates(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    found = gates(d, facts)
    lines: list[str] = []
    for gate in found:
        match gate.kind:
            case "omega":
                admins = say.listed([facts.name_of(person) for person in gate.who], "or")
                lines.append(f"{gate.needs}. {admins} can: `deploy configure omega <url> <name>`")
            case "expired" | "verdict":
                lines.append(f"Needs {gate.needs}: `deploy verify {d.name}`")
            case "lane":
                lines.append(f"Will wait for {gate.needs.removeprefix('the end of ')}, which is on its way")
            case "lock" | "freeze" | "pause" | "window" | "holiday" | "debt" | "start":
                lines.append(gate_line(gate, facts, zone))
            case _:
                pass  # votes and hold have lines of their own
    return tuple(lines)


def _scheduled(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    holder = next((other for other in facts.siblings if other.key == facts.lane.holder), None)
    standing = tuple(gate_line(gate, facts, zone) for gate in barriers(d, facts))
    if holder:
        behind = f"Queued behind {holder.name} ({holder.stage.words})"
    else:
        behind = "Goes to OMEGA by itself once it may" if standing else "Its turn comes next"
    frozen = would_be_frozen(d, facts, zone)
    return (behind, *standing, *frozen, *_votes(d, facts), "Everything is judged again when its turn comes")


def _deploying(d: Deployment, facts: Facts, zone: str, progress: Progress | None) -> tuple[str | Bar, ...]:
    packaging = "✅ Packaging" if d.packaged else "⏳ Packaging: hashing and signing"
    lines: list[str | Bar] = [packaging]
    for place in d.placements:
        if place.server == PUBLIC:
            continue
        region = place.server.removeprefix("omega/")
        if place.observed == "healthy" and place.since:
            lines.append(f"✅ OMEGA {region}: healthy since {say.clock(place.since, zone, facts.now)}")
        else:
            lines.append(f"⏳ Push to OMEGA {region}")
    if progress is not None and d.packaged:
        share = progress.done / progress.total if progress.total else 1.0
        lines.append(Bar(progress.done, progress.total, f"{progress.what} {share:.0%}", say.size(progress.total)))
    lines.append("Next: Distribution to Licensed Mainframes, SERVER OWNER LEVEL propagation")
    lines += _frozen(d, facts, zone)
    return tuple(lines)


def _regions(d: Deployment, zone: str, facts: Facts) -> tuple[str, ...]:
    return tuple(
        f"OMEGA {place.server.removeprefix('omega/')}: healthy since {say.clock(place.since, zone, facts.now)}"
        for place in d.placements
        if place.server != PUBLIC and place.observed == "healthy" and place.since
    )


def _distributing(d: Deployment, zone: str, facts: Facts) -> tuple[str | Bar, ...]:
    owners = (owner_level(d),) if d.mainframes else ()
    return (*_regions(d, zone, facts), _fleet(d), *left_out(d, facts, zone), *owners)


def _fleet(d: Deployment) -> str | Bar:
    """The mainframes as OMEGA told of them; before it has, nothing is claimed."""
    return fleet_bar(d) if d.mainframes else "Mainframes: OMEGA has told of none yet"


def fleet_bar(d: Deployment) -> Bar:
    """How many of the mainframes that this goes to have sent their receipt; those that sleep are named."""
    fleet = [m for m in d.mainframes if m.included]
    count = {status: sum(m.status == status for m in fleet) for status in ("healthy", "waiting", "failed", "asleep")}
    asleep = [m.name for m in fleet if m.status == "asleep"]
    named = f" ({', '.join(asleep[:5])})" if asleep else ""
    after = f"waiting {count['waiting']}, failed {count['failed']}, asleep {count['asleep']}{named}"
    return Bar(count["healthy"], len(fleet), f"Mainframes {count['healthy']} of {len(fleet)} healthy", after)


def left_out(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """Mainframes that get nothing, and why: nobody should believe that they run it."""
    unlicensed = [m.name for m in d.mainframes if m.status == "unlicensed"]
    beyond = [m.name for m in d.mainframes if m.status == "not_included"]
    lines = [f"Licence expired, gets nothing: {', '.join(unlicensed[:5])}"] if unlicensed else []
    if beyond:
        lines.append(f"Not of SERVER OWNER LEVEL, keeps what it has: {', '.join(beyond[:5])}")
    return (*lines, *_frozen(d, facts, zone))


def _frozen(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """Those that were left out because they are frozen, and those that are brought up since they are no more."""
    still = {one.key: one for one in left_out_still(d, facts)}
    lines = [frozen_line(still[one.key], facts, zone) for one in d.left_out if one.key in still]
    freed = [one.name for one in d.left_out if one.key not in still]
    lines = [*lines[:_NAMED], *([f"… and {len(lines) - _NAMED} more that are frozen"] if lines[_NAMED:] else [])]
    if freed and d.generation == facts.lane.generation:
        lines.append(f"Frozen no more, brought up once this is through: {', '.join(freed[:_NAMED])}")
    elif freed:
        lines.append(f"Was frozen, got nothing of it: {', '.join(freed[:_NAMED])}")
    if d.letting_in:
        lines.append(f"Frozen no more, on its way to it: {', '.join(name for _, name in d.letting_in[:_NAMED])}")
    return tuple(lines)


def frozen_line(one: LeftOut, facts: Facts, zone: str) -> str:
    """`❄ m1 (OMEGA eu) is frozen until Mon 08:00, by Eve Poe: “Trade fair”. It gets nothing`."""
    end = f" until {say.clock(one.until, zone, facts.now)}" if one.until else ""
    return f"❄ {one.name} (OMEGA {one.region}) is frozen{end}, by {facts.name_of(one.by)}: “{one.why}”. It gets nothing"


def would_be_frozen(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    """Whom it would not reach if it went now; judged again when the lane is taken."""
    return tuple(frozen_line(one, facts, zone) for one in would_leave_out(d, facts))


def owner_level(d: Deployment) -> str:
    """The fourth step: each owner of that tier, done when all of their mainframes sent receipts."""
    owners: dict[str, list[Mainframe]] = {}
    for mainframe in d.mainframes:
        if mainframe.tier == "server-owner" and mainframe.included:
            owners.setdefault(mainframe.owner, []).append(mainframe)
    done = sum(all(m.status == "healthy" for m in fleet) for fleet in owners.values())
    return f"SERVER OWNER LEVEL: {done} of {say.count(len(owners), 'owner')}"


def _completed(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    regions = ", ".join(f"OMEGA {region}" for region in d.regions)
    included = [m for m in d.mainframes if m.included]
    well = sum(m.status == "healthy" for m in included)
    replaced = sorted({place.replaced.name for place in d.placements if place.replaced})
    was = f"; replaced {say.listed(replaced)}" if replaced else "; the first release of this component"
    lagging = [m.name for m in included if m.status == "asleep"]
    took = say.duration((d.stage_since - d.pushed_at).total_seconds())
    approved = ", ".join(facts.name_of(vote.person) for vote in d.votes) or "in an emergency"
    return (
        f"{regions} and {well} of {len(included)} mainframes healthy{was}",
        *((f"Lagging, they follow when they wake: {', '.join(lagging[:5])}",) if lagging else ()),
        *left_out(d, facts, zone),
        f"{took}, {say.duration(d.waited)} of them waiting for approval · Approved: {approved}",
        *(f"⚠ OMEGA {region} is worse since. `deploy rollback {d.name}`" for region in d.unwell),
    )


def _production(facts: Facts) -> str:
    running = [ref.name for ref in facts.lane.releases]
    return say.listed(running) if running else f"{facts.lane.component} is offline"


def _failed(d: Deployment, facts: Facts) -> tuple[str, ...]:
    untouched = f"production untouched ({_production(facts)})"
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
        return (d.failure or "", *shown, f"Next: `deploy retry {d.name}`, or `deploy rollback {d.name}`")
    return (d.failure or "", f"P{untouched[1:]}", f"Next: `deploy retry {d.name}`, or `deploy cancel {d.name}`")


def _checks(d: Deployment) -> tuple[Check, ...]:
    return d.verification.checks if d.verification else ()


def _rollback(d: Deployment, facts: Facts, zone: str) -> tuple[str | Bar, ...]:
    at = say.clock(d.stage_since, zone, facts.now)
    why = f": “{d.ended_why}”" if d.ended_why else ""
    lines: list[str | Bar] = [f"{facts.name_of(d.ended_by or '')}, {at}{why}"]
    if not d.restore:
        lines.append("Off Public; nothing was pushed to OMEGA")
    else:
        lines += [_restored(d, region, ref.name if ref else None) for region, ref in d.restore]
        lines += [_fleet(d), *_frozen(d, facts, zone)]
    if d.stage is Stage.ROLLBACK_FAILED:
        lines += [d.failure or "", f"Next: `deploy rollback {d.name}` tries again what failed"]
    return tuple(lines)


def _restored(d: Deployment, region: str, name: str | None) -> str:
    place = d.placement(f"omega/{region}")
    done = place is not None and place.observed == "restored"
    verb = "Running" if done else "Returning to"
    return f"OMEGA {region}: {verb} {name}" if name else f"OMEGA {region}: {'offline' if done else 'going offline'}"


# -- buttons -----------------------------------------------------------------------------------------------------------


def buttons(d: Deployment) -> tuple[Button, ...]:
    """Those that are legal now, bound to what this card shows, most wanted first; Details always."""
    seen = seen_of(d)
    acts = legal(d.stage)
    failed_check = d.failed_in is Stage.VERIFYING
    found: list[Button] = []
    if d.stage in (Stage.STAGED, Stage.FAILED) and Act.VERIFY in acts and (d.stage is Stage.STAGED or failed_check):
        found.append(Button("Verify", f"verify {d.name}", seen, style="primary"))
    if d.stage is Stage.AWAITING_APPROVAL:
        found.append(approve_button(d))
    if Act.REJECT in acts:
        found.append(Button("Reject", f"reject {d.name}", seen, asks="reason"))
    if d.hold and not d.hold.wide:
        found.append(Button("Resume", f"resume {d.name}", seen, style="primary"))
    elif Act.PAUSE in acts and not d.hold:
        found.append(Button("Pause", f"pause {d.name}", seen))
    if d.stage is Stage.FAILED and not failed_check:
        found.append(Button("Retry", f"retry {d.name}", seen, style="primary"))
    if d.owing:
        asked = f"Countersign that {d.name} went to OMEGA in an emergency?"
        found.append(Button("Countersign", f"countersign {d.name}", seen, confirm=asked, style="primary"))
    if Act.ROLLBACK in acts and _can_roll_back(d):
        back = _what_a_rollback_does(d)
        found.append(Button("Rollback", f"rollback {d.name}", seen, back, asks="optional reason", style="danger"))
    if Act.CANCEL in acts and not d.touched and not failed_check:
        found.append(Button("Cancel", f"cancel {d.name}", seen, confirm=f"End {d.name} before it touches OMEGA?"))
    details = Button("Details", f"show {d.name}")
    return (details, *found) if [button.label for button in found] == ["Cancel"] else (*found, details)


def _what_a_rollback_does(d: Deployment) -> str:
    """The consequences, for whoever is about to ask for it."""
    if not d.touched:
        return f"{d.name} leaves Public; nothing was pushed to OMEGA."
    before = {p.server.replace("omega/", "OMEGA "): p.replaced for p in d.placements if p.server != PUBLIC}
    back = [f"{region} returns to {ref.name}" for region, ref in before.items() if ref]
    gone = [region for region, ref in before.items() if not ref]
    if gone:
        back.append(f"{d.component} goes offline on {say.listed(gone)}, where nothing of it ran before")
    return f"{'; '.join(back)}. Mainframes follow."


def _can_roll_back(d: Deployment) -> bool:
    return d.touched or (d.stage in (Stage.FAILED, Stage.ROLLBACK_FAILED) and d.placement(PUBLIC) is not None)
