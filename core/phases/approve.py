"""Votes, the quorum, the queue, and the lane: what stands between a passed verification and production."""

from __future__ import annotations

from dataclasses import replace

from core import say
from core.commands import Approve, Reject, Unapprove
from core.events import (
    Approved,
    DeploymentEvent,
    LaneTaken,
    Rejected,
    StartDue,
    StartSet,
    Voted,
    VotesFell,
    VoteWithdrawn,
)
from core.facts import Decided, Facts, Refused, Verdict
from core.phases import start, verify
from core.phases.common import does_not_fit, gate_line, stale_click
from core.policy import (
    Covers,
    Gate,
    admins,
    agreed,
    ahead,
    approvers,
    barriers,
    covers,
    emergency_counts,
    names,
    queue,
    quorum,
    undone,
    verdict_gate,
    vote_gates,
    votes_that_count,
    would_leave_out,
)
from core.stages import Stage
from core.state import Deployment, Start, Vote

_DECIDED_ALREADY = frozenset({Stage.SCHEDULED, Stage.DEPLOYING, Stage.DISTRIBUTING, Stage.COMPLETED})
_NOT_READY = frozenset({Stage.PLANNED, Stage.STAGING, Stage.STAGED, Stage.VERIFYING})


def approve(command: Approve, d: Deployment, facts: Facts) -> Verdict:
    """Count a vote for exactly what would happen now; at the quorum, take the lane or wait for it."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.stage is Stage.SCHEDULED and (command.at or command.window):
        return _moved(command, d, facts)
    if d.stage in _DECIDED_ALREADY:
        return Decided((), (_already(d, facts),))
    unmet = _unmet(d, facts)
    if unmet:
        first, *more = unmet
        return replace(first, more=tuple(refusal.why for refusal in more))
    if d.stage is not Stage.AWAITING_APPROVAL:
        return does_not_fit(d, facts, "be approved")
    if (gate := verdict_gate(d, facts.now)) is not None and gate.kind == "expired":
        return expired(d, facts)
    begin = start.asked(command, d, facts)
    if isinstance(begin, Refused):
        return begin
    return _vote(d, begin, facts)


def _moved(command: Approve, d: Deployment, facts: Facts) -> Verdict:
    """It is approved, and waits: an approver sets another time. The votes do not cover times."""
    begin = start.asked(command, d, facts)
    if isinstance(begin, Refused):
        return begin
    assert begin is not None
    if start.is_set(begin, d):
        return Decided((), (f"{d.name} waits for that already. {start.in_words(begin, facts)}",))
    return Decided((begin,), (f"{d.name} is approved. {start.in_words(begin, facts)}",))


def _already(d: Deployment, facts: Facts) -> str:
    by = names([person for person in facts.people if person.id in {vote.person for vote in d.votes}], "and")
    if d.emergency is not None:
        by = f"in an emergency, by {facts.name_of(d.emergency.person)}"
    if d.stage is Stage.SCHEDULED:
        before = ahead(d, facts.lane, facts.siblings)
        behind = f", queued behind {before.name}" if before else ""
        return f"{d.name} is approved already ({by}){behind}"
    return f"{d.name} is approved already ({by}) and is {d.stage.words}"


def _unmet(d: Deployment, facts: Facts) -> list[Refused]:
    """Every reason why this vote cannot count, not only the first."""
    found = not_ready(d, facts)
    if d.stage in (*_NOT_READY, Stage.AWAITING_APPROVAL):
        at = 1 if d.stage in _NOT_READY else 0
        found[at:at] = _may_not_vote(d, facts)
    return found if d.stage in (*_NOT_READY, Stage.AWAITING_APPROVAL, Stage.FAILED) and found else []


def not_ready(d: Deployment, facts: Facts) -> list[Refused]:
    """What stands in the way of any approval: no verdict, and no OMEGA."""
    found: list[Refused] = []
    if d.stage in _NOT_READY:
        found.append(_not_ready(d))
    elif d.stage is Stage.FAILED and d.failed_in is Stage.VERIFYING:
        why = f"Not ready for approval: {d.name} failed verification ({d.failure}). `deploy show {d.name}`"
        found.append(Refused("not_ready", why))
    if not facts.regions:
        can = f"{names(admins(facts.people, facts.policy))} can: `deploy configure omega <url> <name>`"
        found.append(Refused("no_omega", f"OMEGA Server not configured; your vote was not counted. {can}"))
    return found


def _not_ready(d: Deployment) -> Refused:
    if d.stage is Stage.VERIFYING and d.verification is not None:
        done = sum(check.final for check in d.verification.checks)
        state = f"{done} of {len(d.verification.checks)} checks are done. `deploy status {d.name}`"
        return Refused("not_ready", f"Not ready for approval: {d.name} is verifying, {state}")
    return Refused("not_ready", f"Not ready for approval: {d.name} is unverified. `deploy verify {d.name}`")


def _may_not_vote(d: Deployment, facts: Facts) -> list[Refused]:
    me, policy = facts.me, facts.policy
    others = names([person for person in approvers(d, facts) if person.id != me.id])
    if me.shared:
        why = f"{me.name} is a shared account, and a vote is one person's. {others} can approve."
        return [Refused("shared", why)]
    if me.id == d.pusher and not policy.own_push:
        why = f"You pushed {d.name}{_also_from(d, facts)}. {others} can approve."
        return [Refused("own_push", why)]
    return []


def _also_from(d: Deployment, facts: Facts) -> str:
    """Where they pushed it, for those who ask from another platform: there they are the same person."""
    pushed, asked = (channel.partition(":")[0] for channel in (d.home, facts.channel))
    return f", also from {pushed.capitalize()}" if pushed != asked else ""


def expired(d: Deployment, facts: Facts) -> Verdict:
    """A verdict does not last for ever. The checks run again, and nothing is deployed by itself when they pass."""
    assert d.verification is not None
    assert d.verification.valid_until is not None
    event = verify.started(d, facts)
    if not event.checks:
        return verify.no_checks(d)
    at = say.clock(d.verification.valid_until, facts.me.time_zone, facts.now)
    why = "the verdict expired, and the checks run again"
    voters = tuple(vote.person for vote in d.votes)
    fell = (VotesFell(voters, why),) if voters or d.stage is Stage.SCHEDULED else ()
    says = f"{d.name}'s verdict expired at {at}. The checks run again; you will be asked for your vote when they pass."
    return Decided((*fell, event), (says,))


def _vote(d: Deployment, begin: StartSet | None, facts: Facts) -> Verdict:
    wanted = covers(d, facts.lane, facts.siblings, facts.regions)
    assert wanted is not None
    fell = stale_votes(d, facts)
    kept = replace(d, votes=tuple(vote for vote in d.votes if not fell or vote.person not in fell[0].people))
    need = facts.policy.quorum_for(d.component)
    times: tuple[DeploymentEvent, ...] = ()
    said: tuple[str, ...] = ()
    if begin is not None and not start.is_set(begin, d):
        kept, times, said = replace(kept, start=Start(begin.person, begin.at, begin.window)), (begin,), (
            start.in_words(begin, facts),)  # fmt: skip
    if facts.me.id in {vote.person for vote in kept.votes}:
        already = f"Your vote for {d.name} is counted already: {len(kept.votes)} of {need}"
        return _at_quorum(kept, (*fell, *times), (already, *said), facts)
    voted = Voted(facts.me.id, wanted.digest, wanted.run, wanted.fingerprint, in_words(wanted, d, facts))
    vote = Vote(facts.me.id, facts.now, wanted.digest, wanted.run, voted.covers)
    after = replace(kept, votes=(*kept.votes, vote))
    count = f"Counted, {len(after.votes)} of {need}: {d.name}, {say.digest(d.digest)}, run {wanted.run}"
    return _at_quorum(after, (*fell, voted, *times), (count, voted.says, *said), facts)


def _at_quorum(after: Deployment, events: tuple[DeploymentEvent, ...], says: tuple[str, ...], facts: Facts) -> Verdict:
    """`events` alone where votes are missing; else the approval too, and the lane where it is free."""
    state = quorum(after, facts)
    if not state.met:
        later = (gate_line(gate, facts, facts.me.time_zone) for gate in barriers(after, facts))
        unsure = _unsure(after, facts) if len(after.votes) >= state.need else ()
        return Decided(events, (*says, *missing_groups(after, facts), *unsure, *later))
    if after.start is not None and after.start.at is not None and facts.now >= after.start.at:
        due = StartDue()
        after, events = (
            replace(after, start=replace(after.start, at=None) if after.start.window else None),
            (*events, due),
        )
    before, standing = ahead(after, facts.lane, facts.siblings), barriers(after, facts)
    approved = Approved(state.people, before.name if before else None)
    taken = () if before or standing or not lane_is_free(after, facts) else (lane_taken(after, facts),)
    return Decided((*events, approved, *taken), (*says, *_next(after, before, standing, facts)))


def missing_groups(d: Deployment, facts: Facts) -> tuple[str, ...]:
    """`Needs security: Cy Roe or Di Fox`, for each required group that nobody has stood for."""
    unmet = (gate for gate in vote_gates(d, facts) if gate.kind == "group")
    return tuple(gate_line(gate, facts, "UTC") for gate in unmet)


def _unsure(d: Deployment, facts: Facts) -> tuple[str, ...]:
    people = [person for person in facts.people if person.id in _unsure_voters(d, facts)]
    if not people:
        return ()
    return (f"Whether {names(people)} may still approve cannot be asked now. Approve again when it can",)


def _unsure_voters(d: Deployment, facts: Facts) -> frozenset[str]:
    """Whose vote (or emergency) would count, or stand for a group, if their groups could be asked."""
    gave = {vote.person for vote in d.votes}
    if not facts.policy.groups_for(d.component):
        gave -= set(votes_that_count(d, facts))
    if d.emergency is not None and not emergency_counts(d, facts):
        gave.add(d.emergency.person)
    return facts.unsure & gave


def _next(d: Deployment, before: Deployment | None, standing: list[Gate], facts: Facts) -> tuple[str, ...]:
    waits = tuple(gate_line(gate, facts, facts.me.time_zone) for gate in standing)
    if before:
        behind = f"Approved, queued behind {before.name}; everything is judged again when its turn comes"
        return (behind, *waits)
    if waits:
        return (f"Approved. {d.name} goes to OMEGA by itself once it may: `deploy when {d.name}`", *waits)
    return (f"Approved. {d.name} goes to OMEGA now",)


def in_words(wanted: Covers, d: Deployment, facts: Facts) -> str:
    """What a vote is for: from which release to which, on which regions, and what that would undo."""
    known = {ref.digest: ref.name for ref in facts.lane.releases}
    known |= {other.digest: other.name for other in facts.siblings if other.digest}
    changes = [
        f"OMEGA {region}: {known.get(old, say.digest(old)) if old else 'nothing'} → {d.name}"
        for region, old in wanted.replaces
    ]
    lost = [ref.name for ref in undone(d, facts.lane)] if d.manifest.contains else []
    undo = f"; would undo {say.listed(lost)}" if lost else ""
    return f"{'; '.join(changes)}{undo}{'; irreversible' if d.manifest.irreversible else ''}"


def stale_votes(d: Deployment, facts: Facts) -> tuple[VotesFell, ...]:
    """Votes that are no longer for what would happen, with the reason."""
    counting = set(votes_that_count(d, facts))
    fallen = tuple(vote.person for vote in d.votes if vote.person not in counting | facts.unsure)
    one = d.emergency
    if one is not None and not d.touched and one.person not in facts.unsure and not emergency_counts(d, facts):
        fallen = tuple(dict.fromkeys((*fallen, one.person)))
    if not fallen:
        return ()
    return (VotesFell(fallen, "what production would change from, or who may approve it, is no longer the same"),)


# -- the lane ----------------------------------------------------------------------------------------------------------


def lane_is_free(d: Deployment, facts: Facts) -> bool:
    """Whether `d` may take its component's lane now: nobody holds it, and nobody is before it in the queue."""
    if facts.lane.holder not in (None, d.key):
        return False
    waiting = [other for other in queue((*facts.siblings, d)) if not other.waits]
    return not waiting or waiting[0].key == d.key or d.stage is not Stage.SCHEDULED


def lane_taken(d: Deployment, facts: Facts) -> LaneTaken:
    """The lane issues the generation under which production will change."""
    replaces = tuple((region, facts.lane.running(region)) for region in facts.regions)
    return LaneTaken(facts.lane.generation + 1, facts.nonce, replaces, would_leave_out(d, facts), asks=True)


def free(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """Its turn has come: every gate is judged again, now."""
    if d.stage is not Stage.SCHEDULED or d.waits or not lane_is_free(d, facts) or not facts.regions:
        return None
    gate = verdict_gate(d, facts.now)
    if gate is not None:
        return (VotesFell(tuple(vote.person for vote in d.votes), f"it waited too long: it needs {gate.needs}"),)
    if not agreed(d, facts):
        if not stale_votes(d, facts) and _unsure_voters(d, facts):
            return None  # asked again at the next look
        return stale_votes(d, facts) or (VotesFell((), "more votes are needed now"),)
    if barriers(d, facts):
        return None
    return (lane_taken(d, facts),)


def stale(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """Something that the votes cover has changed: they fall, and their voters are told."""
    if d.stage not in (Stage.AWAITING_APPROVAL, Stage.SCHEDULED):
        return None
    return stale_votes(d, facts)


def unapprove(command: Unapprove, d: Deployment, facts: Facts) -> Verdict:
    """Take one's vote back. A quorum that is lost by it has to be reached again."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    mine = [vote for vote in d.votes if vote.person == facts.me.id]
    if d.stage not in (Stage.AWAITING_APPROVAL, Stage.SCHEDULED):
        return does_not_fit(d, facts, "lose a vote")
    if not mine:
        return Refused("no_vote", f"You have not voted for {d.name}. `deploy status {d.name}`")
    left = replace(d, votes=tuple(vote for vote in d.votes if vote.person != facts.me.id))
    state = quorum(left, facts)
    short = d.stage is Stage.SCHEDULED and not state.met
    again = "; it waits for approval again" if short else ""
    says = f"Your vote for {d.name} is taken back: {len(state.people)} of {state.need}{again}"
    return Decided((VoteWithdrawn(facts.me.id, short),), (says,))


# -- rejection ---------------------------------------------------------------------------------------------------------


def reject(command: Reject, d: Deployment, facts: Facts) -> Verdict:
    """End it before production, with the reason; its slot on Public is withdrawn."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.stage not in (Stage.AWAITING_APPROVAL, Stage.SCHEDULED):
        return does_not_fit(d, facts, "be rejected")
    return Decided((Rejected(command.reason),), (f"Rejected {d.name}; production is untouched",))
