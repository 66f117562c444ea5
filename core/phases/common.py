"""What the phases share: the refusals that every command can meet."""

from __future__ import annotations

from core import say
from core.commands import Seen
from core.facts import Facts, Refused
from core.policy import Gate
from core.stages import HELPS, Stage
from core.state import Deployment

_ENOUGH = 24
"""Hexadecimal digits that tell a digest from every other."""


def gate_line(gate: Gate, facts: Facts, zone: str) -> str:
    """One unmet condition, when it is met by itself, and who can meet it before: `Needs … : Fri 18:00, or Eve Poe`."""
    by_itself = [say.clock(gate.until, zone, facts.now)] if gate.until else []
    who = say.listed([facts.name_of(person) for person in gate.who], "or")
    how = f"{who} can: `{gate.how}`" if gate.how and gate.who else who
    if not gate.who:
        return f"Needs {gate.needs}: {by_itself[0] if by_itself else 'nobody'}"
    return f"Needs {gate.needs}: {', or '.join((*by_itself, how))}"


def does_not_fit(d: Deployment, facts: Facts, wanted: str) -> Refused:
    """The command has no place in this stage: what the stage is, who ended it, and which command helps."""
    helps = f"`deploy {HELPS[d.stage].format(id=d.name)}`"
    if d.stage in (Stage.REJECTED, Stage.CANCELLED, Stage.ROLLED_BACK, Stage.ROLLING_BACK) and d.ended_by:
        at = say.clock(d.stage_since, facts.me.time_zone, facts.now)
        by = facts.name_of(d.ended_by)
        if d.stage is Stage.ROLLING_BACK:
            return Refused("too_late", f"Too late: {by} is rolling {d.name} back since {at}. {helps}")
        return Refused("too_late", f"Too late: {by} {d.stage.words} {d.name} at {at}. {helps}")
    if d.stage is Stage.ROLLBACK_FAILED:
        return Refused("stage", f"{d.name}'s rollback failed, so it cannot {wanted} now. {helps} tries it again")
    if d.stage is Stage.FAILED and d.failed_in is not None:
        return Refused("stage", f"{d.name} failed in {d.failed_in.words}, so it cannot {wanted} now. {helps_failed(d)}")
    return Refused("stage", f"{d.name} is {d.stage.words}, so it cannot {wanted} now. {helps}")


def helps_failed(d: Deployment) -> str:
    """What can be done about a failed deployment."""
    if d.failed_in is Stage.VERIFYING:
        return f"`deploy verify {d.name}` again, or `deploy rollback {d.name}`"
    if d.touched:
        return f"`deploy retry {d.name}`, or `deploy rollback {d.name}`"
    return f"`deploy retry {d.name}`, or `deploy cancel {d.name}`"


def way_out(d: Deployment) -> str:
    """The command that ends a deployment, so that something else can take its place."""
    if d.stage is Stage.ROLLING_BACK:
        return f"`deploy status {d.name}`"
    undone = d.touched or d.stage is Stage.ROLLBACK_FAILED
    return f"`deploy {'rollback' if undone else 'cancel'} {d.name}`"


def stale_click(d: Deployment, seen: Seen | None, facts: Facts) -> Refused | None:
    """A button acts on what its card showed. Where that has changed, say what it is now."""
    if seen is None:
        return None
    run = d.verification.run if d.verification else 0
    if (seen.attempt, seen.run) == (d.attempt, run) and _same(seen.digest, d.digest or ""):
        return None
    return Refused(
        "stale_button",
        f"That card is old: {d.name} is now {d.stage.words}, run {run}. Nothing was changed. "
        f"`deploy status {d.name}` shows it as it is",
    )


def _same(shown: str, digest: str) -> bool:
    """A button may hold the beginning of a digest, where its platform has no room for all of it."""
    return shown == digest or (len(shown) >= _ENOUGH and digest.startswith(shown))
