"""The workflow: every command and every outcome, decided. Facts in; events, or a refusal, out. No I/O, no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from core import commands as c
from core import say
from core.events import DeploymentEvent, Failed, Noted, OutcomeStale
from core.facts import (
    ArtifactCopied,
    BaselineRuns,
    ChecksSeen,
    Decided,
    Elapsed,
    Facts,
    FleetSeen,
    FreezeOver,
    HealthSeen,
    HeldWithAll,
    LaneFree,
    Outcome,
    PackageSigned,
    Refused,
    RegionHealthy,
    RegionReady,
    RunTaken,
    SlotGone,
    SlotHealthy,
    StatementSigned,
    StepFailed,
    Superseded,
    Verdict,
    VotesStale,
)
from core.phases import approve, blocks, configure, deploy, emergency, push, remind, rollback, start, thaw, verify
from core.phases.common import stale_click
from core.policy import EVERY, Policy, Scope, may, names, production, roles_in, who_may
from core.policy.roles import ANYWHERE
from core.stages import Stage
from core.state import DEFAULT_REGION, PUBLIC, Deployment

AboutOne = (
    c.Verify | c.Approve | c.Unapprove | c.Countersign | c.Reject | c.Rollback | c.Cancel | c.Retry | c.Pause | c.Resume
    | c.Note
)  # fmt: skip
"""The commands that are about one deployment."""
AboutAll = c.Lock | c.Unlock | c.Freeze | c.Unfreeze | c.Pause | c.Resume
"""About production as a whole, or about one component of it; pause and resume where they name no deployment."""
Writing = c.Configure | c.Unconfigure | c.Push | c.Lock | c.Unlock | c.Freeze | c.Unfreeze | AboutOne
"""The commands that change something; the others only read."""


def decide(command: Writing, facts: Facts) -> Verdict:
    """What `command` by `facts.asker` leads to now."""
    spec, scope = _asked_for(command), scope_of(command, facts)
    if not may(facts.me, spec, facts.policy, scope):
        return not_allowed(facts, spec, scope)
    match command:
        case c.Configure():
            return configure.configure(command, facts)
        case c.Unconfigure():
            return configure.unconfigure(command, facts)
        case c.Push():
            return push.push(command, facts)
        case c.Lock():
            return blocks.lock(command, facts)
        case c.Unlock():
            return blocks.unlock(command, facts)
        case c.Freeze():
            return blocks.freeze(command, facts)
        case c.Unfreeze():
            return blocks.unfreeze(command, facts)
        case c.Pause(id=None):
            return blocks.pause_all(command, facts)
        case c.Resume(id=None):
            return blocks.resume_all(command, facts)
        case _:
            return _about(command, facts)


def _asked_for(command: Writing) -> c.Spec:
    """An emergency is for admins, whoever may approve."""
    spec = c.spec_of(command)
    if isinstance(command, c.Approve) and command.emergency is not None:
        return replace(spec, name="an emergency", role="admin", also=frozenset())
    return spec


def about(command: Writing) -> str | None:
    """The deployment that the command is about, as typed; None where it is about none, or opens one."""
    match command:
        case c.Configure() | c.Unconfigure() | c.Push() | c.Lock() | c.Unlock() | c.Freeze() | c.Unfreeze():
            return None
        case _:
            return command.id


def scope_of(command: Writing, facts: Facts) -> Scope:
    """What the command would concern: the component and the servers for which a role is asked."""
    d = facts.deployment
    match command:
        case c.Configure(role=role, region=region):
            return Scope(EVERY, (role if role == "public" else (region or DEFAULT_REGION).lower(),))
        case c.Unconfigure(region=region):
            return Scope(EVERY, (region.lower(),))
        case c.Push():
            manifest = facts.alpha.manifest if facts.alpha else None
            return Scope(manifest.component if manifest else None, (PUBLIC,))
        case c.Lock(component=component) | c.Unlock(component=component):
            return Scope(component or EVERY) if isinstance(command, c.Lock) else Scope(component)
        case c.Freeze(component=component, region=region) | c.Unfreeze(component=component, region=region):
            return Scope(component or EVERY, (region.lower(),) if region else facts.regions)
        case c.Pause(id=None) | c.Resume(id=None):
            return Scope(EVERY)
        case _ if d is None:
            return ANYWHERE
        case c.Note():
            return Scope(d.component)
        case c.Verify() | c.Cancel():
            return Scope(d.component, (PUBLIC,))
        case c.Countersign():
            return Scope(d.component, facts.regions)
        case c.Retry() | c.Rollback():
            return Scope(d.component, d.regions or (PUBLIC,))
        case _:
            return production(d, facts)


def not_allowed(facts: Facts, spec: c.Spec, scope: Scope = ANYWHERE) -> Refused:
    """Whoever may not view gets no names and no ids."""
    me, policy = facts.me, facts.policy
    unsure = f". {me.unsure}" if me.unsure else ""
    if not roles_in(me, policy):
        why = "You have no role here. An admin gives roles, in the settings under [people]"
        return Refused("stranger", f"{why}{unsure}")
    others = names(who_may(facts.people, spec, policy, scope))
    elsewhere = may(me, spec, policy) and scope.component is not None
    here = roles_in(me, policy, scope.component)
    mine = f"not for {_concerned(scope)}" if elsewhere else say.listed(sorted(here or roles_in(me, policy)))
    verb = spec.name.capitalize()
    return Refused("role", f"{verb} needs {spec.role}; you are {mine}. Ask {others}{unsure}. `deploy whoami`")


def _concerned(scope: Scope) -> str:
    """`main on Public`, `main on OMEGA eu and us`, `everything`."""
    what = "everything" if scope.component == EVERY else scope.component or "it"
    if not scope.places:
        return what
    where = "Public" if scope.places == (PUBLIC,) else f"OMEGA {say.listed(scope.places)}"
    return f"{what} on {where}"


def _about(command: AboutOne, facts: Facts) -> Verdict:
    d = facts.deployment
    if d is None:
        return Refused("unknown", f"There is no deployment {command.id}. `deploy status` lists what is there")
    match command:
        case c.Verify():
            return verify.verify(command, d, facts)
        case c.Approve(emergency=str()):
            return stale_click(d, command.seen, facts) or emergency.declare(command, d, facts)
        case c.Countersign():
            return emergency.countersign(command, d, facts)
        case c.Approve():
            return approve.approve(command, d, facts)
        case c.Unapprove():
            return approve.unapprove(command, d, facts)
        case c.Reject():
            return approve.reject(command, d, facts)
        case c.Rollback():
            return rollback.rollback(command, d, facts)
        case c.Cancel():
            return rollback.cancel(command, d, facts)
        case c.Retry():
            return deploy.retry(command, d, facts)
        case c.Pause():
            return deploy.pause(command, d, facts)
        case c.Resume():
            return deploy.resume(command, d, facts)
        case c.Note():
            return Decided((Noted(command.text),), (f"Done: noted on {d.name}",))
        case _:
            assert_never(command)


def conclude(outcome: Outcome, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """The events that what was observed leads to. One that no longer fits is recorded, and has no effect."""
    d = facts.deployment
    if d is None:
        raise ValueError("an outcome belongs to a deployment")
    events = _concluded(outcome, d, facts)
    if events is None:
        return (OutcomeStale(type(outcome).__name__, d.stage),)
    return events


def _concluded(outcome: Outcome, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    match outcome:
        case ArtifactCopied():
            return push.copied(outcome, d)
        case SlotHealthy():
            return push.healthy(outcome, d, facts)
        case ChecksSeen():
            return verify.seen(outcome, d, facts)
        case RunTaken():
            return verify.taken(outcome, d, facts)
        case VotesStale():
            return approve.stale(d, facts)
        case LaneFree():
            return approve.free(d, facts)
        case HeldWithAll():
            return deploy.held_with_all(d, facts)
        case PackageSigned():
            return deploy.packaged(outcome, d)
        case RegionReady():
            return deploy.region_ready(outcome, d)
        case RegionHealthy():
            return (
                rollback.region_restored(outcome, d)
                if d.stage is Stage.ROLLING_BACK
                else deploy.region_healthy(outcome, d)
            )
        case StepFailed():
            found = (one(outcome, d) for one in (push.failed, verify_failed, deploy.failed, rollback.failed))
            return next((events for events in found if events is not None), None)
        case FleetSeen():
            return _fleet_seen(outcome, d, facts)
        case FreezeOver():
            return thaw.freeze_over(d, facts)
        case Superseded():
            return thaw.superseded(d, facts)
        case SlotGone():
            return rollback.slot_gone(d)
        case BaselineRuns():
            return rollback.baseline_runs(d)
        case HealthSeen():
            return deploy.health_seen(outcome, d)
        case StatementSigned():
            return deploy.attested(outcome, d)
        case Elapsed():
            return elapsed(d, facts)
        case _:
            assert_never(outcome)


def _fleet_seen(outcome: FleetSeen, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    if d.stage in thaw.AT_REST:
        return thaw.fleet_seen(outcome, d, facts)
    if d.stage is Stage.ROLLING_BACK:
        return rollback.fleet_seen(outcome, d, facts)
    return deploy.fleet_seen(outcome, d, facts)


def verify_failed(outcome: StepFailed, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    """Public refused to run the checks at all: the verification has failed, for that reason."""
    return (Failed(Stage.VERIFYING, outcome.why),) if d.stage is Stage.VERIFYING else None


def due(d: Deployment, policy: Policy) -> datetime | None:
    """The next deadline, which comes back as Elapsed: of the present stage, or of an emergency's countersignature."""
    owed = d.emergency.countersign_by if d.emergency and owes(d) else None
    return min((at for at in (_stage_due(d, policy), owed) if at is not None), default=None)


def owes(d: Deployment) -> bool:
    """Whether the time for a countersignature runs."""
    return d.owing and d.emergency is not None and not d.emergency.overdue


def _stage_due(d: Deployment, policy: Policy) -> datetime | None:

    def after(seconds: float) -> datetime:
        return d.moving_since + timedelta(seconds=seconds)

    match d.stage:
        case Stage.PLANNED | Stage.STAGING:
            return after(policy.staging_timeout)
        case Stage.VERIFYING:
            return d.verification.deadline if d.verification else None
        case Stage.SCHEDULED:
            return d.start.at if d.start and not d.hold else None
        case Stage.AWAITING_APPROVAL:
            return remind.due(d, policy)
        case Stage.DEPLOYING:
            return None if d.hold else after(policy.deploy_timeout)
        case Stage.DISTRIBUTING:
            return None if d.hold or deploy.told_by_all(d) else after(policy.deploy_timeout)
        case Stage.ROLLING_BACK:
            return after(policy.deploy_timeout)
        case _:
            return None


def elapsed(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """A stage that took too long has failed; people who take long are reminded.

    What is late by the clock alone is not late if the deadline moved.
    """
    late = emergency.overdue(d, facts) or (() if d.hold else start.due(d, facts))
    if late:
        return late
    deadline = _stage_due(d, facts.policy)
    if deadline is None or facts.now < deadline or d.stage is Stage.SCHEDULED:
        return None
    if d.stage is Stage.VERIFYING:
        return verify.timed_out(d, facts)
    if d.stage is Stage.AWAITING_APPROVAL:
        return remind.elapsed(d, facts)
    limit = say.duration((deadline - d.moving_since).total_seconds())
    return (Failed(d.stage, f"{d.stage.words} was not finished within {limit}: {_missing(d)}"),)


def _missing(d: Deployment) -> str:
    """What it was still waiting for."""
    match d.stage:
        case Stage.PLANNED:
            return "the artifact was not copied from ALPHA"
        case Stage.STAGING:
            return "the slot on Public did not become healthy"
        case Stage.ROLLING_BACK if not d.restore:
            return "the slot on Public was not withdrawn"
        case Stage.DISTRIBUTING:
            return "OMEGA did not take the distribution on"
        case _:
            silent = [f"OMEGA {region}" for region in d.unasked]
            late = [row.server.replace("omega/", "OMEGA ") for row in d.placements
                    if row.observed == "starting" and not row.unasked]  # fmt: skip
            found = (f"{say.listed(silent)} could not be asked" if silent else "",
                     f"{say.listed(late)} did not become healthy" if late else "")  # fmt: skip
            return "; ".join(filter(None, found)) or "the mainframes did not answer"
