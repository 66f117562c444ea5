"""How far a mainframe is: pure answers from what is wanted and what the host says."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal

from core.release.wire import ComponentState, MainframeReport, Release


@dataclass(frozen=True)
class Wanted:
    """A release that OMEGA assigned and the bot signed."""

    release: Release
    envelope: dict[str, Any]


@dataclass(frozen=True)
class Phase:
    """What this loop does about a generation that the host has not been told of yet."""

    generation: int
    status: Literal["switching", "failed"]
    error: str | None = None


def report(component: str, state: ComponentState | None, phase: Phase | None) -> MainframeReport:
    """How `component` stands: the loop's phase while the host has not been told of that generation, else the host."""
    if phase is not None and (state is None or phase.generation > state.generation):
        return MainframeReport(
            component=component,
            running=state.running if state else None,
            generation=phase.generation,
            status=phase.status,
            url=state.url if state else None,
            error=phase.error,
        )
    assert state is not None  # a name comes from a state or from a phase
    return MainframeReport(
        component=component,
        running=state.running,
        generation=state.generation,
        status=state.status,
        url=state.url,
        error=state.error,
    )


def arrived(state: ComponentState, release: Release) -> bool:
    """Whether the host runs exactly `release` and found it healthy, or is offline as `release` says."""
    if state.generation != release.generation or state.running != release.digest:
        return False
    return state.status == ("healthy" if release.digest else "offline")


def claimed_generation(envelope: dict[str, Any]) -> int:
    """What an envelope that is not believed calls itself: only so that OMEGA knows what the refusal is about."""
    try:
        generation = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["generation"]
    except (KeyError, TypeError, ValueError):
        return 0
    return generation if isinstance(generation, int) else 0
