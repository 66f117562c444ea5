"""Whether what is stored of a deployment is what its journal says: state is the fold of events, so it can be held
against them. Whoever edits the tables, and not the journal, is found by this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from core.events import KINDS, DeploymentEvent, RegionRestored, RegionSwitched
from core.evolve import evolve, evolve_lane
from core.journal import Entry
from core.state import Deployment, Lane, ReleaseRef

COMPARED = (
    "component", "pusher", "pushed_at", "digest", "manifest", "stage", "stage_since", "verification", "votes",
    "placements", "generation", "restore", "left_out", "hold", "failed_in", "ended_by",
)  # fmt: skip
"""What decides about production, or tells who did. Other fields are words, sizes, and marks of duties."""


@dataclass(slots=True)
class Replay:
    """A deployment, folded from its entries in order."""

    key: str
    component: str = ""
    deployment: Deployment | None = None
    fault: str | None = None
    switched: dict[str, tuple[int, ReleaseRef | None]] = field(default_factory=dict)
    """Region to the generation at which it last changed there, and what it has run since."""
    holds: tuple[int, bool] = (0, False)
    """Its highest generation of the lane, and whether it still holds the lane by it."""

    def entry(self, entry: Entry) -> None:
        if self.fault is not None:
            return
        try:
            event = cast(DeploymentEvent, _adapter(entry.kind).validate_python(entry.data))
            after = evolve(self.deployment, event, entry.at, entry.by)
        except (KeyError, ValueError, AssertionError) as error:  # a ValidationError is a ValueError
            why = "cannot be read" if isinstance(error, ValidationError | KeyError) else str(error)
            self.fault = f"{entry.chain} event {entry.seq} ({entry.kind}) does not fit what was before: {why}"
            return
        self._lane(after, event)
        self.component, self.deployment = after.component, after

    def _lane(self, after: Deployment, event: DeploymentEvent) -> None:
        lane = evolve_lane(Lane(after.component, holder=self.key if self.holds[1] else None), after, event)
        self.holds = (max(lane.generation, self.holds[0]), lane.holder == self.key)
        if isinstance(event, RegionSwitched | RegionRestored):
            self.switched[event.region] = (after.generation, lane.running(event.region))

    def unlike(self, stored: Deployment | None) -> str | None:
        """How the stored deployment differs, in a sentence that names the first field."""
        if self.fault is not None or self.deployment is None:
            return self.fault
        if stored is None:
            return f"{self.key} is not among the deployments, and its journal is there"
        for name in COMPARED:
            said, found = getattr(self.deployment, name), getattr(stored, name)
            if said != found:
                return f"{self.key} is stored with another {name.replace('_', ' ')} than its journal tells"
        return None


def lanes(replays: Iterable[Replay]) -> dict[str, Lane]:
    """Every component's lane as the journals of all deployments make it; versions are not known from them."""
    found: dict[str, Lane] = {}
    since: dict[tuple[str, str], int] = {}
    for replay in replays:
        name = replay.component
        lane = found.get(name, Lane(name))
        generation, held = replay.holds
        if generation > lane.generation:
            lane = replace(lane, generation=generation, holder=replay.key if held else None)
        current = dict(lane.current)
        for region, (at, ref) in replay.switched.items():
            if at > since.get((name, region), 0):
                since[name, region], current[region] = at, ref
        found[name] = replace(lane, current=tuple(sorted(current.items(), key=lambda row: row[0])))
    return found


def unlike_lane(told: Lane, stored: Lane) -> str | None:
    for name in ("holder", "generation", "current"):
        if getattr(told, name) != getattr(stored, name):
            return f"the lane of {told.component} is stored with another {name} than the journals tell"
    return None


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    """Raises KeyError for a kind that this version does not know."""
    return TypeAdapter(KINDS[kind])
