"""Frozen mainframes: whom a distribution leaves out, and when they are brought to what their peers run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from core.policy.gates import closed
from core.policy.votes import emergency_counts
from core.stages import Stage
from core.state import Block, Deployment, LeftOut

if TYPE_CHECKING:
    from core.facts import Facts

Key = tuple[str, str]
"""A mainframe's region and name."""


def freezes(component: str, facts: Facts) -> list[Block]:
    """The freezes of single mainframes that concern the component now."""
    return [
        block
        for block in facts.blocks
        if block.mainframe and block.stands(facts.now) and block.component in (None, component)
    ]


def would_leave_out(d: Deployment, facts: Facts) -> tuple[LeftOut, ...]:
    """Whom `d` would not reach if it took the lane now. An emergency skips freezes, and so these too."""
    return () if emergency_counts(d, facts) else _frozen(d.component, facts.regions, facts)


def left_out_still(d: Deployment, facts: Facts) -> tuple[LeftOut, ...]:
    """Those that `d` left out and that are frozen still."""
    before = {one.key for one in d.left_out}
    return tuple(one for one in _frozen(d.component, d.regions, facts) if one.key in before)


def not_undone(d: Deployment, regions: tuple[str, ...], facts: Facts) -> tuple[LeftOut, ...]:
    """Whom a rollback of `d` does not reach: frozen mainframes that never took it. It reaches all others, frozen too.

    Before the distribution began nothing of it has reached any.
    """
    if d.stage is Stage.DEPLOYING or (d.stage is Stage.FAILED and d.failed_in is Stage.DEPLOYING):
        return _frozen(d.component, regions, facts)
    return tuple(one for one in left_out_still(d, facts) if one.region in regions)


def free_again(d: Deployment, facts: Facts) -> tuple[Key, ...]:
    """Those that `d` left out whose freeze has ended, where nothing else keeps production as it is."""
    frozen = {one.key for one in left_out_still(d, facts)}
    return tuple(one.key for one in d.left_out if one.key not in frozen and not closed(d.component, one.region, facts))


def frozen_until(d: Deployment, facts: Facts) -> datetime | None:
    """When to look again at those that are left out; None where time alone changes nothing."""
    ends = [block.until for block in freezes(d.component, facts)]
    ends += [gate.until for one in d.left_out for gate in closed(d.component, one.region, facts)]
    return min((end for end in ends if end is not None), default=None)


def _frozen(component: str, regions: tuple[str, ...], facts: Facts) -> tuple[LeftOut, ...]:
    """Of several freezes of one mainframe, the one that lasts longest."""
    found: dict[Key, Block] = {}
    for block in freezes(component, facts):
        for region in regions:
            key = (region, block.mainframe or "")
            if block.region in (None, region) and (key not in found or _lasts_longer(block, found[key])):
                found[key] = block
    return tuple(LeftOut(*key, block.by, block.why, block.until) for key, block in sorted(found.items()))


def _lasts_longer(one: Block, other: Block) -> bool:
    return other.until is not None and (one.until is None or one.until > other.until)
