"""What was seen of a server, or a look at it."""

from __future__ import annotations

from core.effects import Look, Observed, Wait
from core.release.wire import ComponentState

POLL_SLOW = 15.0
"""Seconds between looks at what only people or time can change: the watch after completion, and duties that wait."""


def unseen(place: str, seen: Observed, poll: float) -> Look | Wait | None:
    if place in seen.away:
        return Wait(poll, f"{place} does not answer: {seen.away[place]}")
    return None if place in seen.states else Look(place)


def runs_at(place: str, component: str, seen: Observed) -> ComponentState | None:
    if place in seen.components:
        return seen.components[place]
    state = seen.states.get(place)
    return next((row for row in state.components if row.component == component), None) if state else None
