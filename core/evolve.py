"""State is the fold of events: `evolve` gives the deployment after an event, `evolve_lane` its component's lane.

Nothing else makes a new state, so the journal and what is stored can always be held against each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from core import events as e
from core.attestation import attestation
from core.replacing import replace
from core.stages import Stage, connected
from core.state import (
    PUBLIC,
    Asked,
    Check,
    Debt,
    Deployment,
    Emergency,
    Hold,
    Lane,
    Mainframe,
    Placement,
    ReleaseRef,
    Start,
    Verification,
    Vote,
    omega,
)

NOTES = 3
"""How many notes a deployment carries along; the journal has all."""


def evolve(before: Deployment | None, event: e.DeploymentEvent, at: datetime, by: str) -> Deployment:
    """The deployment after `event`.

    Raises ValueError where an event other than Pushed has nothing to stand on, or the table of stages has no such way.
    """
    if isinstance(event, e.Pushed):
        return _pushed(event, at, by)
    if before is None:
        raise ValueError(f"{e.kind(event)} before Pushed")
    after = _after(before, event, at, by)
    if not connected(before.stage, after.stage):
        raise ValueError(f"{e.kind(event)} would lead from {before.stage} to {after.stage}: no such way in the table")
    if after.stage is before.stage:
        return after
    asked = (at - before.stage_since).total_seconds() if before.stage is Stage.AWAITING_APPROVAL else 0.0
    after = replace(after, stage_since=at, waited=before.waited + asked)
    return _to_attest(after, at) if after.stage is Stage.COMPLETED else after


def _to_attest(d: Deployment, at: datetime) -> Deployment:
    """With the facts of this moment for its statement: a rollback may change them before that is signed."""
    return replace(d, unattested=attestation(d, at).model_dump(mode="json"))


def _pushed(event: e.Pushed, at: datetime, by: str) -> Deployment:
    return Deployment(
        id=event.id,
        attempt=event.attempt,
        version=0,
        stage=Stage.PLANNED,
        stage_since=at,
        component=event.component,
        description=event.description,
        info=event.info,
        tasks=event.tasks,
        pusher=by,
        pushed_at=at,
        home=event.home,
        source=event.source,
        size=event.size,
        manifest=event.manifest,
        plan=event.plan,
        warnings=event.warnings,
        nonce=event.nonce,
    )


def _after(d: Deployment, event: e.DeploymentEvent, at: datetime, by: str) -> Deployment:
    match event:
        case e.Pushed():
            raise ValueError("a deployment is pushed once; pushing again is another attempt")
        case e.ArtifactFixed(digest, size, manifest, tested):
            fixed = replace(d, stage=Stage.STAGING, digest=digest, size=size, manifest=manifest, tested=tested)
            return place(fixed, PUBLIC, desired="running", observed="absent", digest=digest, error=None, since=at)
        case e.Staged(url):
            return place(replace(d, stage=Stage.STAGED), PUBLIC, observed="healthy", url=url, error=None, since=at)
        case e.VerificationQueued():
            return replace(d, verify_by=by)
        case e.VerificationStarted():
            return _verifying(d, event, at, by)
        case e.CheckFinished():
            return _checked(d, event)
        case e.VerificationPassed(_, valid_until):
            return replace(_verdict(d, Stage.AWAITING_APPROVAL, True, at, valid_until), reminded=False, escalated=0)
        case e.VerificationFailed(_, checks):
            failed = _verdict(d, Stage.FAILED, False, at, None)
            return replace(failed, failed_in=Stage.VERIFYING, failure=", ".join(checks))
        case e.Voted(person, digest, run, covers):
            return replace(d, votes=(*d.votes, Vote(person, at, digest, run, covers)))
        case e.VotesFell(people):
            return _without_votes(d, people, back=True)
        case e.VoteWithdrawn(person, short):
            return _without_votes(d, (person,), back=short)
        case e.ApproversReminded():
            return replace(d, reminded=True)
        case e.Escalated():
            return replace(d, escalated=d.escalated + 1)
        case e.Approved():
            return replace(d, stage=Stage.SCHEDULED)
        case e.StartSet(when, window, person):
            return replace(d, start=Start(person, when, window))
        case e.StartDue():
            window = d.start.window if d.start else None
            return replace(d, start=replace(d.start, at=None) if d.start and window else None)
        case e.EmergencyDeclared(person, why, covers=covers, countersign_by=countersign_by):
            return replace(d, emergency=Emergency(person, why, at, covers, countersign_by), start=None)
        case e.Countersigned(person):
            return replace(d, emergency=d.emergency and replace(d.emergency, countersigned_by=person))
        case e.CountersignOverdue():
            return replace(d, emergency=d.emergency and replace(d.emergency, overdue=True))
        case e.RollbackAsked(person, why):
            return replace(d, rollback_asked=Asked(person, at, why))
        case e.LaneTaken():
            return _deploying(d, event, at)
        case e.Packaged():
            return replace(d, packaged=True)
        case e.RegionAsked(region):
            return place(d, omega(region), observed="starting", unasked=False, error=None, since=at)
        case e.RegionSwitched(region, url):
            return place(d, omega(region), observed="healthy", url=url, error=None, since=at)
        case e.DistributionStarted():
            return replace(d, stage=Stage.DISTRIBUTING)
        case e.DistributionTaken(region, generation):
            return place(d, omega(region), distributing=generation)
        case e.MainframeChanged():
            return _mainframe(d, event, at)
        case e.MainframesLetIn(mainframes, order):
            left = tuple(one for one in d.left_out if one.key not in mainframes)
            return replace(d, left_out=left, letting_in=(*d.letting_in, *mainframes), order=order)
        case e.MainframesSettled(mainframes):
            return replace(d, letting_in=tuple(key for key in d.letting_in if key not in mainframes))
        case e.Completed(watch_until):
            done = replace(d, stage=Stage.COMPLETED, watch_until=watch_until, hold=None, baseline_due=True, ended_by=by)
            return _leave_public(done)
        case e.Attested():
            return replace(d, unattested=None)
        case e.Rejected(why):
            return _leave_public(replace(d, stage=Stage.REJECTED, ended_why=why, ended_by=by, hold=None))
        case e.Cancelled():
            return _leave_public(replace(d, stage=Stage.CANCELLED, ended_by=by, hold=None))
        case e.Failed(failed_in, why, region):
            return _failed(d, failed_in, why, region)
        case e.Retried():
            return _retried(d, event, at)
        case e.Paused(why, automatic, order, wide):
            return replace(d, hold=Hold(None if automatic or wide else by, why, at, wide), order=order)
        case e.Resumed(order):
            return replace(d, hold=None, order=order, resumed_at=at)
        case e.RollbackStarted():
            return _rolling_back(d, event, by)
        case e.RegionRestored(region):
            return place(d, omega(region), observed="restored", unasked=False, error=None, since=at)
        case e.RegionLeftAlone(region):
            others = tuple(one for one in d.restore if one[0] != region)
            left_out = tuple(one for one in d.left_out if one.region != region)
            return place(
                replace(d, restore=others, left_out=left_out), omega(region), observed="restored", error=None, since=at
            )
        case e.RolledBack():
            return replace(d, stage=Stage.ROLLED_BACK, hold=None, baseline_due=d.touched)
        case e.SlotWithdrawn():
            return place(d, PUBLIC, observed="withdrawn", url=None, error=None, since=at)
        case e.BaselineSet():
            return replace(d, baseline_due=False)
        case e.HealthWorsened(region):
            return replace(d, unwell=(*d.unwell, region))
        case e.HealthRecovered(region):
            return replace(d, unwell=tuple(name for name in d.unwell if name != region))
        case e.Noted(text):
            return replace(d, notes=(*d.notes, text)[-NOTES:])
        case e.OutcomeStale():
            return d
        case _:
            assert_never(event)


def place(d: Deployment, server: str, **changes: Any) -> Deployment:
    """`d` with the row of one server changed, or added."""
    old = d.placement(server)
    if old is None:
        return replace(d, placements=(*d.placements, replace(Placement(server, "running"), **changes)))
    rows = tuple(replace(row, **changes) if row is old else row for row in d.placements)
    return replace(d, placements=rows)


def _without_votes(d: Deployment, people: tuple[str, ...], *, back: bool) -> Deployment:
    """`back`: what was approved waits for approval again."""
    votes = tuple(vote for vote in d.votes if vote.person not in people)
    falls = back and d.emergency is not None and (d.emergency.person in people or not people)
    fewer = replace(d, votes=votes, emergency=None if falls else d.emergency)
    if d.stage is not Stage.SCHEDULED or not back:
        return fewer
    return replace(fewer, stage=Stage.AWAITING_APPROVAL, hold=None, start=None)


def _leave_public(d: Deployment) -> Deployment:
    """Its slot on Public is no longer needed; withdrawing it is a duty that outlives the stage."""
    return place(d, PUBLIC, desired="withdrawn") if d.placement(PUBLIC) else d


def _verifying(d: Deployment, event: e.VerificationStarted, at: datetime, by: str) -> Deployment:
    again = d.verification.requested_by if d.verification and d.stage is Stage.VERIFYING else None
    asked_by = d.verify_by or again or by
    run = Verification(event.run, event.nonce, event.digest, at, event.deadline, asked_by, event.checks)
    cleared = replace(d, failed_in=None, failure=None, votes=(), verify_by=None, emergency=None, start=None)
    return replace(cleared, stage=Stage.VERIFYING, verification=run, runs=event.run)


def _checked(d: Deployment, event: e.CheckFinished) -> Deployment:
    assert d.verification is not None

    def result(check: Check) -> Check:
        if check.name != event.name:
            return check
        return replace(
            check, state=event.state, expected=event.expected, seen=event.seen, where=event.where,
            warning=event.warning, measured=event.measured,
        )  # fmt: skip

    checks = tuple(result(check) for check in d.verification.checks)
    return replace(d, verification=replace(d.verification, checks=checks))


def _verdict(d: Deployment, stage: Stage, passed: bool, at: datetime, valid_until: datetime | None) -> Deployment:
    assert d.verification is not None
    verdict = replace(d.verification, passed=passed, finished_at=at, valid_until=valid_until)
    return replace(d, stage=stage, verification=verdict)


def _deploying(d: Deployment, event: e.LaneTaken, at: datetime) -> Deployment:
    deploying = replace(
        d, stage=Stage.DEPLOYING, generation=event.generation, nonce=event.nonce, packaged=False,
        left_out=event.left_out,
    )  # fmt: skip
    for region, replaced in event.replaces:
        deploying = place(
            deploying, omega(region), desired="running", observed="starting", digest=d.digest, replaced=replaced,
            unasked=event.asks, error=None, since=at,
        )  # fmt: skip
    return deploying


def _mainframe(d: Deployment, event: e.MainframeChanged, at: datetime) -> Deployment:
    new = Mainframe(event.region, event.name, event.owner, event.tier, event.status, at, event.error)
    others = tuple(m for m in d.mainframes if (m.region, m.name) != (new.region, new.name))
    return replace(d, mainframes=tuple(sorted((*others, new), key=lambda m: (m.region, m.name))))


def _failed(d: Deployment, failed_in: Stage, why: str, region: str | None) -> Deployment:
    stage = Stage.ROLLBACK_FAILED if failed_in is Stage.ROLLING_BACK else Stage.FAILED
    failed = replace(d, stage=stage, failed_in=failed_in, failure=why, hold=None)
    if region:
        return place(failed, omega(region), observed="failed", error=why)
    if failed_in is Stage.STAGING:
        return place(failed, PUBLIC, observed="failed", error=why)
    return failed


def _retried(d: Deployment, event: e.Retried, at: datetime) -> Deployment:
    again = replace(d, stage=event.stage, failed_in=None, failure=None, nonce=event.nonce, hold=None)
    if not event.generation:
        return place(again, PUBLIC, observed="absent", error=None, since=at) if d.placement(PUBLIC) else again
    again = replace(again, generation=event.generation, packaged=False, mainframes=(), left_out=event.left_out)
    for row in d.placements:
        if row.server != PUBLIC and event.stage is Stage.DEPLOYING:
            again = place(again, row.server, observed="starting", error=None, since=at)
    return again


def _rolling_back(d: Deployment, event: e.RollbackStarted, by: str) -> Deployment:
    back = replace(
        d, stage=Stage.ROLLING_BACK, generation=event.generation or d.generation, nonce=event.nonce, hold=None,
        restore=event.restore, mainframes=(), failed_in=None, failure=None, ended_why=event.why, ended_by=by,
        watch_until=None, unwell=(), rollback_asked=None, left_out=event.left_out, letting_in=(),
    )  # fmt: skip
    for region, _ in event.restore:
        back = place(back, omega(region), observed="starting", error=None)
    return _leave_public(back)


def evolve_lane(lane: Lane, deployment: Deployment, event: e.DeploymentEvent) -> Lane:
    """The component's lane after `event`; `deployment` is the state after it."""
    leaves_out = deployment.key if deployment.left_out else None
    match event:
        case e.LaneTaken(generation):
            taken = replace(lane, holder=deployment.key, generation=generation, leaves_out=leaves_out)
            return replace(taken, debts=(*lane.debts, *_debt(deployment)))
        case e.Countersigned():
            return replace(lane, debts=tuple(debt for debt in lane.debts if debt.deployment != deployment.key))
        case e.RollbackStarted(generation=generation) if generation:
            back = replace(lane, holder=deployment.key, generation=generation, leaves_out=leaves_out)
            return replace(back, voided_at=deployment.stage_since)
        case e.Retried(generation=generation) if generation:
            return replace(lane, holder=deployment.key, generation=generation, leaves_out=leaves_out)
        case e.Failed(newer=newer) if newer > lane.generation:
            return replace(lane, generation=newer)
        case e.MainframesLetIn():
            return replace(lane, leaves_out=leaves_out)
        case e.RegionSwitched(region):
            return _current(lane, region, _reference(deployment, region))
        case e.RegionRestored(region):
            restored = dict(deployment.restore)[region]
            return _current(lane, region, restored and replace(restored, generation=deployment.generation))
        case e.Completed() | e.RolledBack() | e.Cancelled() if lane.holder == deployment.key:
            return replace(lane, holder=None)
        case _:
            return lane


def _debt(d: Deployment) -> tuple[Debt, ...]:
    one = d.emergency
    return (Debt(d.key, d.name, d.pusher, one.person, one.why, one.countersign_by),) if one else ()


def _reference(d: Deployment, region: str) -> ReleaseRef:
    assert d.digest is not None
    row = d.placement(omega(region))
    before = row.replaced if row else None
    others = before.for_all if before and d.manifest.level != "standard" else None
    return ReleaseRef(d.id, d.attempt, d.digest, d.generation, d.manifest.level, others)


def _current(lane: Lane, region: str, ref: ReleaseRef | None) -> Lane:
    others = tuple(row for row in lane.current if row[0] != region)
    return replace(lane, current=tuple(sorted((*others, (region, ref)), key=lambda row: row[0])))
