"""Emergencies: an admin's word in place of the votes, and the countersignature that it owes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core import say
from core.commands import Approve, Countersign
from core.events import (
    Approved,
    Countersigned,
    CountersignOverdue,
    DeploymentEvent,
    EmergencyDeclared,
)
from core.facts import Decided, Facts, Refused, Verdict
from core.phases import approve
from core.phases.common import does_not_fit, gate_line, stale_click
from core.policy import (
    admins,
    ahead,
    barriers,
    countersigners,
    covers,
    emergency_counts,
    may_declare,
    names,
    production,
    verdict_gate,
)
from core.stages import Stage
from core.state import Deployment, Emergency


def declare(command: Approve, d: Deployment, facts: Facts) -> Verdict:
    """Send it to production without votes and in spite of freezes, locks and windows; never without a valid verdict."""
    refused = _may_not(command, d, facts)
    if refused:
        return refused
    if d.stage not in (Stage.AWAITING_APPROVAL, Stage.SCHEDULED):
        return does_not_fit(d, facts, "be approved")
    if verdict_gate(d, facts.now) is not None:
        return approve.expired(d, facts)  # no emergency goes without checks that have passed
    if emergency_counts(d, facts) and d.emergency is not None:
        by = facts.name_of(d.emergency.person)
        return Decided((), (f"{by} has declared an emergency for {d.name} already. `deploy when {d.name}`",))
    return _declared(command.emergency or "", d, facts)


def _may_not(command: Approve, d: Deployment, facts: Facts) -> Refused | None:
    me = facts.me
    if command.at or command.window:
        return Refused("twice", "An emergency goes now: leave --at and --window out. `deploy help approve`")
    found = approve.not_ready(d, facts)
    able = [one for one in admins(facts.people, facts.policy, production(d, facts)) if may_declare(one, d, facts)]
    can = f'{names(able)} can: `deploy approve {d.name} --emergency "<reason>"`'
    if me.shared:
        why = f"{me.name} is a shared account, and an emergency is one person's to declare. {can}"
        found.append(Refused("shared", why))
    if me.id == d.pusher:
        found.append(Refused("own_push", f"You pushed {d.name}: an emergency is another's to declare. {can}"))
    if not countersigners(d.component, (me.id, d.pusher), facts):
        why = "Nobody could countersign it: besides you and the pusher there is no approver or admin. `deploy whoami`"
        found.append(Refused("nobody", why))
    if not found:
        return None
    first, *more = found
    return replace(first, more=tuple(refusal.why for refusal in more))


def _declared(why: str, d: Deployment, facts: Facts) -> Verdict:
    me, now = facts.me, facts.now
    until = now + timedelta(seconds=facts.policy.countersign_within)
    shape = replace(d, emergency=Emergency(me.id, why, now, "", until), start=None)
    wanted = covers(shape, facts.lane, facts.siblings, facts.regions)
    assert wanted is not None
    after = replace(shape, emergency=Emergency(me.id, why, now, wanted.fingerprint, until))
    says = approve.in_words(wanted, d, facts)
    event = EmergencyDeclared(me.id, why, wanted.digest, wanted.run, wanted.fingerprint, says, until)
    before, standing = ahead(after, facts.lane, facts.siblings), barriers(after, facts)
    fell = approve.stale_votes(after, facts)
    waited = d.stage is Stage.AWAITING_APPROVAL or bool(fell)  # votes that fall bring it back there
    approved = (Approved((), before.name if before else None),) if waited else ()
    free = not (before or standing or after.waits) and approve.lane_is_free(after, facts)
    taken = (approve.lane_taken(after, facts),) if free else ()
    can = names(countersigners(d.component, (me.id, d.pusher), facts))
    at = say.clock(until, me.time_zone, now)
    owed = (
        f"{can} must countersign by {at}: `deploy countersign {d.name}`. Until then {d.component} takes only rollbacks"
    )
    waits = tuple(gate_line(gate, facts, me.time_zone) for gate in standing)
    held = (f"It is paused: `deploy resume {d.name}`",) if d.hold is not None and not d.hold.wide else ()
    goes = f"{d.name} goes to OMEGA now" if free else f"{d.name} goes to OMEGA as soon as it may"
    return Decided((*fell, event, *approved, *taken), (f"Emergency: {goes}", says, owed, *waits, *held))


def countersign(command: Countersign, d: Deployment, facts: Facts) -> Verdict:
    """By another than its declarer and the pusher. It opens the component again."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    one = d.emergency
    if one is None or not d.touched:
        return Refused("no_emergency", f"{d.name} went nowhere in an emergency. `deploy status {d.name}`")
    if one.countersigned_by is not None:
        by = facts.name_of(one.countersigned_by)
        return Decided((), (f"{by} has countersigned {d.name} already",))
    me = facts.me
    can = names([person for person in countersigners(d.component, (one.person, d.pusher), facts) if person.id != me.id])
    if me.id in (one.person, d.pusher):
        deed = "declared it" if me.id == one.person else f"pushed {d.name}"
        return Refused("own", f"You {deed}, so another has to countersign. {can} can: `deploy countersign {d.name}`")
    if me.shared:
        why = f"{me.name} is a shared account, and a countersignature is one person's. {can} can"
        return Refused("shared", f"{why}: `deploy countersign {d.name}`")
    return Decided((Countersigned(me.id),), (f"Countersigned {d.name}: “{one.why}”. {d.component} is open again",))


def overdue(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """Nobody countersigned in time: it is told once."""
    one = d.emergency
    late = one is not None and d.owing and not one.overdue and facts.now >= one.countersign_by
    return (CountersignOverdue(),) if late else ()
