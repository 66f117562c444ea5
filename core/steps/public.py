"""On Public: the slot, its checks, and the baseline beside it."""

from __future__ import annotations

import hashlib

from core.effects import Desire, LookReport, Observed, PutSlot, StartChecks, Step, Upload, Wait, Withdraw
from core.events import CheckFinished
from core.facts import ChecksSeen, Facts, RunTaken, SlotGone, SlotHealthy, StepFailed
from core.release.wire import CheckWanted, Release, SlotState, VerificationWanted
from core.state import PUBLIC, Deployment, Lane, Placement, ReleaseRef
from core.steps.looking import runs_at, unseen


def staging(d: Deployment, seen: Observed, poll: float) -> Step:
    if blind := unseen(PUBLIC, seen, poll):
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


def verifying(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step:
    run = d.verification
    assert run is not None
    if run.run not in seen.reports:
        if PUBLIC in seen.away:
            return Wait(poll, f"Public does not answer: {seen.away[PUBLIC]}")
        return LookReport(PUBLIC, d.slot, run.run)
    report = seen.reports[run.run]
    if report is None:
        return baseline(d, seen, facts.lane, poll) or StartChecks(PUBLIC, d.slot, _wanted(d, seen, facts))
    if report.nonce != run.nonce:
        return RunTaken(run.run)
    if report.digest != run.digest:
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
    runs = runs_at(PUBLIC, d.component, seen)
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


def baseline(d: Deployment, seen: Observed, lane: Lane, poll: float) -> Step | None:
    """The next step towards Public's baseline; None where it stands, cannot be had, or there is nothing to run."""
    wanted = _baseline_release(d, lane)
    if wanted.digest is None and not lane.generation:
        return None
    if blind := unseen(PUBLIC, seen, poll):
        return blind
    runs = runs_at(PUBLIC, d.component, seen)
    if wanted.digest is None and (runs is None or runs.wanted is None):
        return None
    if runs is not None and runs.generation >= wanted.generation:
        return Wait(poll) if runs.status == "switching" else None
    if wanted.digest is not None and (PUBLIC, wanted.digest) not in seen.uploaded:
        return Upload(PUBLIC, wanted.digest)
    return Desire(PUBLIC, wanted)


def withdraw(d: Deployment, seen: Observed, poll: float) -> Step:
    place: Placement | None = d.placement(PUBLIC)
    if place is None or seen.withdrawn:
        return SlotGone()
    if PUBLIC in seen.away:
        return Wait(poll, f"Public does not answer: {seen.away[PUBLIC]}")
    return Withdraw(PUBLIC, d.slot)
