"""A verification: one run of all checks on one digest, and its verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core import say
from core.commands import Verify
from core.events import (
    CheckFinished,
    DeploymentEvent,
    VerificationFailed,
    VerificationPassed,
    VerificationQueued,
    VerificationStarted,
    VotesFell,
)
from core.facts import ChecksSeen, Decided, Facts, Refused, RunTaken, Verdict
from core.phases.common import does_not_fit, stale_click
from core.stages import Stage
from core.state import FINAL, Deployment, Verification

NO_CHECK = "no check ran"


def verify(command: Verify, d: Deployment, facts: Facts) -> Verdict:
    """Start a run, or say that one is under way. A new run voids the votes."""
    refused = stale_click(d, command.seen, facts)
    if refused:
        return refused
    match d.stage:
        case Stage.PLANNED | Stage.STAGING if d.verify_by:
            return Decided((), (f"{d.name} is being staged; {facts.name_of(d.verify_by)} asked for its verification",))
        case Stage.PLANNED | Stage.STAGING:
            return Decided((VerificationQueued(),), (f"{d.name} is being staged; its verification starts once it is",))
        case Stage.VERIFYING:
            return Decided((), (_under_way(d),))
        case Stage.FAILED if d.failed_in is not Stage.VERIFYING:
            return does_not_fit(d, facts, "be verified")
        case Stage.STAGED | Stage.AWAITING_APPROVAL | Stage.FAILED:
            return _start(d, facts)
        case _:
            return does_not_fit(d, facts, "be verified")


def _start(d: Deployment, facts: Facts) -> Verdict:
    event = started(d, facts)
    if not event.checks:
        return no_checks(d)
    fell = votes_fall(d, "a new verification run was started")
    says = f"Verification of {d.name} started, run {event.run}: {say.count(len(event.checks), 'check')}"
    return Decided((*fell, event), (says,))


def no_checks(d: Deployment) -> Refused:
    why = (
        f"Every check of {d.component} is switched off, so nothing could pass. An admin can enable one in the settings"
    )
    return Refused("no_checks", f"{why}. `deploy status {d.name}`")


def votes_fall(d: Deployment, why: str) -> tuple[VotesFell, ...]:
    return (VotesFell(tuple(vote.person for vote in d.votes), why),) if d.votes else ()


def _under_way(d: Deployment) -> str:
    run = d.verification
    assert run is not None
    done = sum(check.final for check in run.checks)
    return f"{d.name} is verifying already: run {run.run}, {done} of {len(run.checks)} checks done"


def started(d: Deployment, facts: Facts) -> VerificationStarted:
    """The next run of `d`, with the checks that settings ask of its component."""
    deadline = facts.now + timedelta(seconds=facts.policy.verification_timeout)
    assert d.digest is not None
    return VerificationStarted(d.runs + 1, facts.nonce, d.digest, deadline, facts.policy.checks_for(d.component))


def queued(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """The run that was asked for while it was being staged. One without checks has failed already."""
    event = started(d, facts)
    return (event,) if event.checks else (event, VerificationFailed(event.run, (NO_CHECK,)))


# -- outcomes ----------------------------------------------------------------------------------------------------------


def seen(outcome: ChecksSeen, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """Record each check that has finished since, and the verdict once all have."""
    run = d.verification
    if d.stage is not Stage.VERIFYING or run is None or run.run != outcome.run:
        return None
    open_checks = {check.name for check in run.checks if not check.final}
    results = {result.name: result for result in outcome.results if result.state in FINAL}
    new = tuple(result for name, result in results.items() if name in open_checks)
    after = _with(run, new)
    if not all(check.final for check in after.checks):
        return new
    return (*new, verdict(after, facts))


def taken(outcome: RunTaken, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """As after a restore from a backup: the next number is asked for, under a nonce of its own.

    The deadline stays, so that it ends whatever Public goes on to tell.
    """
    run = d.verification
    if d.stage is not Stage.VERIFYING or run is None or run.run != outcome.run:
        return None
    first, *more = queued(d, facts)
    assert isinstance(first, VerificationStarted)
    return (replace(first, deadline=run.deadline), *more)


def timed_out(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """The run's deadline has passed: what did not answer has failed."""
    run = d.verification
    assert run is not None
    limit = say.duration((run.deadline - run.started_at).total_seconds())
    missing = tuple(
        CheckFinished(run.run, check.name, "timed_out", expected=f"a result within {limit}", seen="no answer",
                      where=f"Public, run {run.run}")
        for check in run.checks
        if not check.final
    )  # fmt: skip
    return (*missing, verdict(_with(run, missing), facts))


def _with(run: Verification, results: tuple[CheckFinished, ...]) -> Verification:
    states = {result.name: result.state for result in results}
    checks = tuple(replace(check, state=states.get(check.name, check.state)) for check in run.checks)
    return replace(run, checks=checks)


def verdict(run: Verification, facts: Facts) -> VerificationPassed | VerificationFailed:
    """Passed where nothing failed, and at least one check ran and passed."""
    bad = tuple(check.name for check in run.checks if check.bad)
    if bad:
        return VerificationFailed(run.run, bad)
    if not any(check.state == "passed" for check in run.checks):
        return VerificationFailed(run.run, (NO_CHECK,))
    return VerificationPassed(run.run, facts.now + timedelta(seconds=facts.policy.verification_ttl))
