"""Votes, the quorum, the queue, and the lane: what stands between a passed verification and production."""

from __future__ import annotations

from dataclasses import replace

from core import say
from core.commands import Approve, Reject
from core.events import Approved, DeploymentEvent, LaneTaken, Rejected, Voted, VotesFell
from core.facts import Decided, Facts, Refused, Verdict
from core.phases import verify
from core.phases.common import does_not_fit, stale_click
from core.policy import (
    Covers,
    ahead,
    approvers,
    covers,
    names,
    queue,
    undone,
    verdict_gate,
    votes_that_count,
)
from core.stages import Stage
from core.state import Deployment, Vote

_DECIDED_ALREADY = frozenset({Stage.SCHEDULED, Stage.DEPLOYING, Stage.DISTRIBUTING, Stage.COMPLETED})
_NOT_READY = frozenset({Stage.PLANNED, Stage.STAGING, Stage.STAGED, Stage.VERIFYING})


def approve(command: Approve, d: Deployment, facts: Facts) -> Verdict:
    """Count a vote for exactly what would happen now; at the quorum, take the lane or wait for it."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.stage in _DECIDED_ALREADY:
        return Decided((), (_already(d, facts),))
    unmet = _unmet(d, facts)
    if unmet:
        first, *more = unmet
        return replace(first, more=tuple(refusal.why for refusal in more))
    if d.stage is not Stage.AWAITING_APPROVAL:
        return does_not_fit(d, facts, "be approved")
    if (gate := verdict_gate(d, facts.now)) is not None and gate.kind == "expired":
        return _expired(d, facts)
    return _vote(command, d, facts)


def _already(d: Deployment, facts: Facts) -> str:
    by = names([person for person in facts.people if person.id in {vote.person for vote in d.votes}], "and")
    if d.stage is Stage.SCHEDULED:
        before = ahead(d, facts.lane, facts.siblings)
        behind = f", queued behind {before.name}" if before else ""
        return f"{d.name} is approved already ({by}){behind}"
    return f"{d.name} is approved already ({by}) and is {d.stage.words}"


def _unmet(d: Deployment, facts: Facts) -> list[Refused]:
    """Every reason why this vote cannot count, not only the first."""
    found: list[Refused] = []
    if d.stage in _NOT_READY:
        found.append(_not_ready(d))
    elif d.stage is Stage.FAILED and d.failed_in is Stage.VERIFYING:
        why = f"Not ready for approval: {d.name} failed verification ({d.failure}). `deploy show {d.name}`"
        found.append(Refused("not_ready", why))
    if d.stage in (*_NOT_READY, Stage.AWAITING_APPROVAL):
        found += _may_not_vote(d, facts)
    if not facts.regions:
        admins = names([person for person in facts.people if "admin" in person.roles])
        can = f"{admins} can: `deploy configure omega <url> <name>`"
        found.append(Refused("no_omega", f"OMEGA Server not configured; your vote was not counted. {can}"))
    return found if d.stage in (*_NOT_READY, Stage.AWAITING_APPROVAL, Stage.FAILED) and found else []


def _not_ready(d: Deployment) -> Refused:
    if d.stage is Stage.VERIFYING and d.verification is not None:
        done = sum(check.final for check in d.verification.checks)
        state = f"{done} of {len(d.verification.checks)} checks are done. `deploy status {d.name}`"
        return Refused("not_ready", f"Not ready for approval: {d.name} is verifying, {state}")
    return Refused("not_ready", f"Not ready for approval: {d.name} is unverified. `deploy verify {d.name}`")


def _may_not_vote(d: Deployment, facts: Facts) -> list[Refused]:
    me, policy = facts.me, facts.policy
    others = names([person for person in approvers(d, facts.people, policy) if person.id != me.id])
    if me.shared:
        why = f"{me.name} is a shared account, and a vote is one person's. {others} can approve."
        return [Refused("shared", why)]
    if me.id == d.pusher and not policy.own_push:
        return [Refused("own_push", f"You pushed {d.name}. {others} can approve.")]
    return []


def _expired(d: Deployment, facts: Facts) -> Verdict:
    """A verdict does not last for ever. The checks run again, and nothing is deployed by itself when they pass."""
    assert d.verification is not None
    assert d.verification.valid_until is not None
    event = verify.started(d, facts)
    if not event.checks:
        return verify.no_checks(d)
    at = say.clock(d.verification.valid_until, facts.me.time_zone, facts.now)
    fell = verify.votes_fall(d, "the verdict expired, and the checks run again")
    says = f"{d.name}'s verdict expired at {at}. The checks run again; you will be asked for your vote when they pass."
    return Decided((*fell, event), (says,))


def _vote(command: Approve, d: Deployment, facts: Facts) -> Verdict:
    wanted = covers(d, facts.lane, facts.siblings, facts.regions)
    assert wanted is not None
    fell = stale_votes(d, facts)
    kept = replace(d, votes=tuple(vote for vote in d.votes if not fell or vote.person not in fell[0].people))
    need = facts.policy.quorum_for(d.component)
    if facts.me.id in {vote.person for vote in kept.votes}:
        says = (f"Your vote for {d.name} is counted already: {len(kept.votes)} of {need}",)
        return _at_quorum(kept, fell, says, facts)
    voted = Voted(facts.me.id, wanted.digest, wanted.run, wanted.fingerprint, in_words(wanted, d, facts))
    vote = Vote(facts.me.id, facts.now, wanted.digest, wanted.run, voted.covers)
    after = replace(kept, votes=(*kept.votes, vote))
    count = f"Counted, {len(after.votes)} of {need}: {d.name}, {say.digest(d.digest)}, run {wanted.run}"
    return _at_quorum(after, (*fell, voted), (count, voted.says), facts)


def _at_quorum(after: Deployment, events: tuple[DeploymentEvent, ...], says: tuple[str, ...], facts: Facts) -> Verdict:
    """`events` alone where votes are missing; else the approval too, and the lane where it is free."""
    people, need = _counting(after, facts), facts.policy.quorum_for(after.component)
    if len(people) < need:
        return Decided(events, (*says, *_unsure(after, facts)) if len(after.votes) >= need else says)
    before = ahead(after, facts.lane, facts.siblings)
    approved = Approved(people, before.name if before else None)
    taken = () if before or not lane_is_free(after, facts) else (lane_taken(after, facts),)
    return Decided((*events, approved, *taken), (*says, _next(after, before)))


def _unsure(d: Deployment, facts: Facts) -> tuple[str, ...]:
    people = [person for person in facts.people if person.id in _unsure_voters(d, facts)]
    if not people:
        return ()
    return (f"Whether {names(people)} may still approve cannot be asked now. Approve again when it can",)


def _unsure_voters(d: Deployment, facts: Facts) -> frozenset[str]:
    """Whose vote would count, if it were certain that they may still vote."""
    return facts.unsure & {vote.person for vote in d.votes} - frozenset(_counting(d, facts))


def _next(d: Deployment, before: Deployment | None) -> str:
    if before:
        return f"Approved, queued behind {before.name}; everything is judged again when its turn comes"
    return f"Approved. {d.name} goes to OMEGA now"


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


def _counting(d: Deployment, facts: Facts) -> tuple[str, ...]:
    return votes_that_count(d, facts.lane, facts.siblings, facts.regions, facts.people, facts.policy)


def stale_votes(d: Deployment, facts: Facts) -> tuple[VotesFell, ...]:
    """Votes that are no longer for what would happen, with the reason."""
    counting = set(_counting(d, facts))
    fallen = tuple(vote.person for vote in d.votes if vote.person not in counting | facts.unsure)
    if not fallen:
        return ()
    return (VotesFell(fallen, "what production would change from, or who may approve it, is no longer the same"),)


# -- the lane ----------------------------------------------------------------------------------------------------------


def lane_is_free(d: Deployment, facts: Facts) -> bool:
    """Whether `d` may take its component's lane now: nobody holds it, and nobody is before it in the queue."""
    if facts.lane.holder not in (None, d.key):
        return False
    waiting = [other for other in queue((*facts.siblings, d)) if other.hold is None]
    return not waiting or waiting[0].key == d.key or d.stage is not Stage.SCHEDULED


def lane_taken(d: Deployment, facts: Facts) -> LaneTaken:
    """The lane issues the generation under which production will change."""
    replaces = tuple((region, facts.lane.running(region)) for region in facts.regions)
    return LaneTaken(facts.lane.generation + 1, facts.nonce, replaces)


def free(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """Its turn has come: every gate is judged again, now."""
    if d.stage is not Stage.SCHEDULED or d.hold is not None or not lane_is_free(d, facts) or not facts.regions:
        return None
    gate = verdict_gate(d, facts.now)
    if gate is not None:
        return (VotesFell(tuple(vote.person for vote in d.votes), f"it waited too long: it needs {gate.needs}"),)
    if len(_counting(d, facts)) < facts.policy.quorum_for(d.component):
        if not stale_votes(d, facts) and _unsure_voters(d, facts):
            return None  # asked again at the next look
        return stale_votes(d, facts) or (VotesFell((), "the quorum is larger now"),)
    return (lane_taken(d, facts),)


def stale(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """Something that the votes cover has changed: they fall, and their voters are told."""
    if d.stage not in (Stage.AWAITING_APPROVAL, Stage.SCHEDULED):
        return None
    return stale_votes(d, facts)


# -- rejection ---------------------------------------------------------------------------------------------------------


def reject(command: Reject, d: Deployment, facts: Facts) -> Verdict:
    """End it before production, with the reason; its slot on Public is withdrawn."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    if d.stage not in (Stage.AWAITING_APPROVAL, Stage.SCHEDULED):
        return does_not_fit(d, facts, "be rejected")
    return Decided((Rejected(command.reason),), (f"Rejected {d.name}; production is untouched",))
