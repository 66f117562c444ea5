"""When an approved deployment may take the lane: a time or a window that an approver asked for."""

from __future__ import annotations

from core import say, times
from core.commands import Approve
from core.events import DeploymentEvent, StartDue, StartSet
from core.facts import Facts, Refused
from core.stages import Stage
from core.state import Deployment


def asked(command: Approve, d: Deployment, facts: Facts) -> StartSet | Refused | None:
    """What --at or --window of this command means now."""
    if command.at is not None and command.window is not None:
        return Refused("twice", "Say --at or --window, not both. `deploy help approve`")
    if command.at is not None:
        try:
            at = times.resolve(command.at, facts.now, facts.me.time_zone)
        except times.TimeProblem as problem:
            return Refused("time", f"{problem} Your vote was not counted; `deploy help approve` shows times")
        return StartSet(at, None, facts.me.id)
    if command.window is None:
        return None
    window = facts.policy.window(command.window)
    if window is None or not window.concerns(d.component):
        known = [one.name for one in facts.policy.windows if one.concerns(d.component)]
        why = f"{d.component} has no window {command.window}; there are {say.listed(known) if known else 'none'}"
        return Refused("window", f"{why}. Your vote was not counted. `deploy when {d.name}`")
    return StartSet(window.opening(facts.now), window.name, facts.me.id)


def is_set(event: StartSet, d: Deployment) -> bool:
    """Whether that is what it waits for already."""
    if d.start is None or d.start.window != event.window:
        return False
    return event.window is not None or d.start.at == event.at


def in_words(event: StartSet, facts: Facts) -> str:
    """In the asker's zone, which is named: the time was typed in it."""
    zone = facts.me.time_zone
    window = f" (window {event.window})" if event.window else ""
    return f"Not before {say.clock(event.at, zone, facts.now, named=True)}{window}"


def missed(d: Deployment, facts: Facts) -> bool:
    """Whether its time came, and its window has closed again before the lane was free."""
    if d.stage is not Stage.SCHEDULED or d.start is None or d.start.at is not None:
        return False
    window = facts.policy.window(d.start.window)
    return window is not None and not window.is_open(facts.now)


def due(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """Its time has come; or, where the window is closed again, it waits for the next one."""
    if d.stage is not Stage.SCHEDULED or d.start is None:
        return ()
    if missed(d, facts) or _came_too_late(d, facts):
        window = facts.policy.window(d.start.window)
        assert window is not None
        return (StartSet(window.opening(facts.now), window.name, d.start.by),)
    return (StartDue(),) if d.start.at is not None and facts.now >= d.start.at else ()


def _came_too_late(d: Deployment, facts: Facts) -> bool:
    assert d.start is not None
    window = facts.policy.window(d.start.window)
    return window is not None and d.start.at is not None and facts.now >= d.start.at and not window.is_open(facts.now)
