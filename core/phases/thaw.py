"""After a freeze: mainframes that were left out are brought to what their peers run, by themselves.

The release was approved for every licensed mainframe; the freeze has only put it off, as every other freeze does.
"""

from __future__ import annotations

from dataclasses import replace

from core.events import DeploymentEvent, MainframesLetIn, MainframesSettled
from core.facts import Facts, FleetSeen
from core.phases.deploy import fleet_changes
from core.policy import free_again
from core.stages import Stage
from core.state import Deployment

AT_REST = frozenset({Stage.COMPLETED, Stage.ROLLED_BACK})
"""The stages in which a deployment's distribution stands as it is, and takes in those whose freeze has ended."""


def is_newest(d: Deployment, facts: Facts) -> bool:
    """Whether what `d` last gave the mainframes is still what they are to run."""
    return d.stage in AT_REST and d.generation == facts.lane.generation


def freeze_over(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    if not is_newest(d, facts):
        return None
    free = free_again(d, facts)
    return (MainframesLetIn(free, d.order + 1),) if free else ()


def superseded(d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...]:
    """What came after brings them up, or leaves them out by itself."""
    return (MainframesSettled(d.letting_in),) if d.letting_in and not is_newest(d, facts) else ()


def fleet_seen(outcome: FleetSeen, d: Deployment, facts: Facts) -> tuple[DeploymentEvent, ...] | None:
    """How far those are that are being brought up; the others of a deployment at rest are no news."""
    names = {name for region, name in d.letting_in if region == outcome.region}
    if d.stage not in AT_REST or outcome.generation != d.generation or not names:
        return None
    rows = tuple(row for row in outcome.rows if row.name in names)
    changes, after = fleet_changes(replace(outcome, rows=rows), d, facts)
    awaited = {m.name for m in after.mainframes if m.region == outcome.region and m.status in ("waiting", "frozen")}
    settled = tuple((outcome.region, name) for name in sorted(names - awaited))
    return (*changes, MainframesSettled(settled)) if settled else changes
