"""From a push to a healthy slot on Public."""

from __future__ import annotations

from statistics import median

from core import say
from core.commands import Push, spec_named
from core.events import ArtifactFixed, DeploymentEvent, Failed, Pushed, Staged
from core.facts import AlphaFacts, ArtifactCopied, Decided, Facts, Refused, SlotHealthy, StepFailed, Verdict
from core.phases import verify
from core.phases.common import way_out
from core.policy import names, who_may
from core.ports import AlphaFile
from core.release.manifest import Manifest
from core.stages import Stage
from core.state import Deployment, ManifestFacts, Plan, label

ESTIMATED = (Stage.STAGING, Stage.VERIFYING, Stage.DEPLOYING, Stage.DISTRIBUTING)
"""The stages whose measured medians make the estimate: all that do not wait for people."""


def push(command: Push, facts: Facts) -> Verdict:
    """Open a session for the update, with its plan; or say why not."""
    refused = _not_now(command, facts)
    if refused:
        return refused
    alpha = _alpha(facts)
    assert alpha.manifest is not None  # _not_now has refused a missing one
    file = alpha.files[0]
    before = facts.deployment
    attempt = before.attempt + 1 if before else 1
    manifest = manifest_facts(alpha.manifest)
    plan = _plan(manifest, alpha, facts)
    event = Pushed(
        id=command.id,
        attempt=attempt,
        component=manifest.component,
        description=command.description,
        info=command.info,
        tasks=command.tasks,
        source=file.name,
        size=file.size,
        home=facts.channel,
        manifest=manifest,
        plan=plan,
        warnings=_warnings(command, manifest, alpha, facts),
        nonce=facts.nonce,
    )
    return Decided((event,), ("Deployment session created", *plan_lines(event), *event.warnings))


def _alpha(facts: Facts) -> AlphaFacts:
    if facts.alpha is None:
        raise ValueError("a push is decided with what ALPHA has")
    return facts.alpha


def _not_now(command: Push, facts: Facts) -> Refused | None:
    configure = spec_named("configure")
    if facts.public is None:
        admins = names(who_may(facts.people, configure, facts.policy)) if configure else "an admin"
        return Refused(
            "no_public", f"Public Server not configured. {admins} can: `deploy configure public <url> <name>`"
        )
    before = facts.deployment
    if before is not None and not before.ended:
        return Refused(
            "exists",
            f"Deployment session already exists: {before.name} is {before.stage.words} "
            f"({facts.name_of(before.pusher)}). {way_out(before)}, or push under another id",
        )
    if any(ref.id == command.id for ref in facts.lane.releases):
        return Refused(
            "in_production",
            f"{command.id} is what production runs. Push under another id, or `deploy rollback {command.id}` first",
        )
    return _alpha_refuses(command, _alpha(facts)) or _too_much(_alpha(facts).files[0], facts)


def _alpha_refuses(command: Push, alpha: AlphaFacts) -> Refused | None:
    if not alpha.files:
        if alpha.problem:
            return Refused("alpha", f"{alpha.problem} Nothing was changed; `deploy servers` shows ALPHA")
        near = alpha.nearest[0] if alpha.nearest else None
        nearest = f"Nearest: {say.listed(alpha.nearest, 'or')}. " if near else "It has no updates yet. "
        advice = f'`deploy push {near} "…"`' if near else f"Put {command.id}.tar.gz there, and push again"
        return Refused("not_on_alpha", f"ALPHA has no {command.id}. {nearest}{advice}")
    if len(alpha.files) > 1:
        found = say.listed([file.name for file in alpha.files])
        return Refused("ambiguous", f"ALPHA has {command.id} more than once: {found}. Keep one of them, and push again")
    if alpha.manifest is None:
        return Refused("manifest", f"{alpha.files[0].name}: {alpha.problem}. Mend it on ALPHA, and push again")
    return None


def _too_much(file: AlphaFile, facts: Facts) -> Refused | None:
    mine = [d for d in facts.unfinished if d.pusher == facts.me.id]
    limit = facts.policy.max_active_per_person
    if len(mine) >= limit:
        return Refused(
            "too_many",
            f"You have {len(mine)} deployments that have not ended; {limit} is the limit. "
            "Finish or cancel one: `deploy status`",
        )
    room = facts.policy.max_staged_bytes - sum(d.size for d in mine)
    if file.size > min(room, facts.policy.max_artifact_bytes):
        allowed = min(max(room, 0), facts.policy.max_artifact_bytes)
        return Refused(
            "too_large",
            f"{file.name} is {say.size(file.size)}, and {say.size(allowed)} are left to you. "
            "Cancel or finish another of your deployments: `deploy status`",
        )
    return None


def manifest_facts(manifest: Manifest) -> ManifestFacts:
    return ManifestFacts(manifest.component, manifest.level, manifest.irreversible, manifest.contains)


def _plan(manifest: ManifestFacts, alpha: AlphaFacts, facts: Facts) -> Plan:
    running = tuple((region, ref.name if (ref := facts.lane.running(region)) else None) for region in facts.regions)
    return Plan(
        regions=facts.regions,
        checks=tuple(check.name for check in facts.policy.checks_for(manifest.component)),
        quorum=facts.policy.quorum_for(manifest.component),
        mainframes=alpha.mainframes,
        replaces=running,
        estimate=_estimate(alpha),
    )


def _estimate(alpha: AlphaFacts) -> float | None:
    """The sum of the medians of the last measured steps; None until each has been measured once."""
    measured = [alpha.durations.get(stage.value) for stage in ESTIMATED]
    if not all(measured):
        return None
    return float(sum(median(values) for values in measured if values))


def _warnings(command: Push, manifest: ManifestFacts, alpha: AlphaFacts, facts: Facts) -> tuple[str, ...]:
    found: list[str] = []
    if not alpha.tested:
        found.append(f"Not tested on ALPHA: `ashat alpha test {command.id}` runs the checks there")
    lost = [ref for ref in facts.lane.releases if ref.id not in manifest.contains]
    if lost and manifest.contains:
        found.append(f"It says it contains {say.listed(manifest.contains)}, but production runs {lost[0].name}")
    if manifest.irreversible:
        found.append("Its manifest says it is irreversible: rolling back restores the program, not the data")
    if facts.public is not None and facts.public.url.startswith("http://"):
        found.append("Public is reached over plain http: its certificate cannot be checked")
    return tuple(found)


def plan_lines(event: Pushed) -> tuple[str, ...]:
    """The action plan and the estimated timeline, as the reply to a push has them."""
    plan, name = event.plan, label(event.id, event.attempt)
    regions = say.listed([f"OMEGA {region}" for region in plan.regions]) if plan.regions else "OMEGA (not configured)"
    fleet = "its mainframes" if plan.mainframes is None else say.count(plan.mainframes, "mainframe")
    steps = (
        f"1. Stage {name} on Public",
        f"2. Verify: {say.count(len(plan.checks), 'check')} (`deploy verify {name}`)",
        f"3. Approve: {say.count(plan.quorum, 'approval')} (`deploy approve {name}`)",
        f"4. Packaging, then push to {regions}{_replacing(plan)}",
        f"5. Distribution to {fleet}, SERVER OWNER LEVEL propagation",
    )
    return ("Action plan", *steps, f"Estimated timeline: {estimate(plan)}")


def _replacing(plan: Plan) -> str:
    running = sorted({name for _, name in plan.replaces if name})
    return f", replacing {say.listed(running)}" if running else ""


def estimate(plan: Plan) -> str:
    if plan.estimate is None:
        return "no history yet for this component"
    return f"{say.duration(plan.estimate)} plus approvals"


# -- outcomes ----------------------------------------------------------------------------------------------------------


def copied(outcome: ArtifactCopied, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    if d.stage is not Stage.PLANNED:
        return None
    if outcome.manifest.component != d.component:
        why = f"the file on ALPHA changed after the push: it is now of component {outcome.manifest.component}"
        return (Failed(Stage.PLANNED, why),)
    return (ArtifactFixed(outcome.digest, outcome.size, outcome.manifest, outcome.tested),)


def healthy(outcome: SlotHealthy, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    if d.stage is not Stage.STAGING:
        return None
    staged = Staged(outcome.url)
    return (staged, *verify.queued(d, facts)) if d.verify_by else (staged,)


def failed(outcome: StepFailed, d: Deployment) -> tuple[DeploymentEvent, ...] | None:
    if d.stage not in (Stage.PLANNED, Stage.STAGING):
        return None
    return (Failed(d.stage, outcome.why),)
