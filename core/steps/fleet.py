"""On the mainframes, through OMEGA: a distribution, and those that come later."""

from __future__ import annotations

from collections.abc import Mapping

from core.effects import Distribute, Look, Observed, Step, Upload, Wait
from core.facts import Facts, FleetRow, FleetSeen, FreezeOver, StepFailed, Superseded
from core.phases.thaw import AT_REST, is_newest
from core.policy import free_again, frozen_until
from core.release.wire import DistributionState, Release
from core.state import Deployment, omega
from core.steps.looking import POLL_SLOW
from core.steps.wanted import BACK, Given, for_mainframes


def distributing(d: Deployment, seen: Observed, given: Mapping[str, Given], poll: float) -> Step:
    """Each region's distribution as it should be; then what its mainframes have come to. None waits for another.

    Where nobody is waited for any more that is the end of it, also if all of it was seen before, while it was held.
    """
    away: Wait | None = None
    for region, (release, otherwise) in given.items():
        place = omega(region)
        if place in seen.away:
            away = Wait(poll, f"OMEGA {region} does not answer: {seen.away[place]}")
        elif place not in seen.distributions:
            return _distribute(d, region, release, otherwise, seen)
    fleets = [fleet_of(region, seen.distributions[omega(region)]) for region in given if omega(region) not in seen.away]
    over = d.hold is None and not away and not any(_is_waiting(fleet) for fleet in fleets)
    for fleet in fleets:
        if (over or _is_news(fleet, d)) and fleet not in seen.fruitless:
            return fleet
    return away or Wait(poll)


def _distribute(d: Deployment, region: str, release: Release, otherwise: Release | None, seen: Observed) -> Step:
    """What one region's mainframes are to run, without those that are left out."""
    place = omega(region)
    if otherwise and otherwise.digest and (place, otherwise.digest) not in seen.uploaded:
        return Upload(place, otherwise.digest)
    names = left_out_in(d, region)
    if names is not None:
        if place not in seen.states:
            return Look(place)
        if not seen.states[place].leaves_out:
            if names and d.stage not in BACK:
                failed = cannot_leave_out(d, region, names)
                return Wait(POLL_SLOW, failed.why) if d.stage in AT_REST else failed
            names = None
    return Distribute(place, release, d.hold is not None, d.order, otherwise, names)


def left_out_in(d: Deployment, region: str) -> tuple[str, ...] | None:
    """The names of those that get nothing there; None where nobody was ever left out of this generation."""
    names = tuple(one.name for one in d.left_out if one.region == region)
    return names if names or any(at == region for at, _ in d.letting_in) else None


def cannot_leave_out(d: Deployment, region: str, names: tuple[str, ...]) -> StepFailed:
    """An agent that does not know of frozen mainframes would give them the release like all others."""
    why = (
        f"OMEGA {region} has an older agent, which cannot leave frozen mainframes out ({', '.join(names)}), so nothing "
        f"goes there; `deploy retry {d.name}` once that agent is updated, or the freeze lifted"
    )
    return StepFailed(why, region)


def let_in(d: Deployment, seen: Observed, facts: Facts, poll: float) -> Step | None:
    """Mainframes whose freeze has ended, brought to what their peers run; None where none is left out."""
    if d.stage not in AT_REST or not (d.left_out or d.letting_in):
        return None
    if not is_newest(d, facts):
        return Superseded() if d.letting_in else None
    if free_again(d, facts):
        return FreezeOver()
    if d.letting_in:
        return _bring_up(d, seen, poll)
    end = frozen_until(d, facts)
    return Wait((end - facts.now).total_seconds() if end else None, "mainframes are frozen")


def _bring_up(d: Deployment, seen: Observed, poll: float) -> Step:
    away: Wait | None = None
    for region, (release, otherwise) in for_mainframes(d).items():
        place, names = omega(region), {name for at, name in d.letting_in if at == region}
        if not names:
            continue
        if place in seen.away:
            away = Wait(poll, f"OMEGA {region} does not answer: {seen.away[place]}")
            continue
        if place not in seen.distributions:
            return _distribute(d, region, release, otherwise, seen)
        told = fleet_of(region, seen.distributions[place])
        fleet = FleetSeen(region, told.generation, tuple(row for row in told.rows if row.name in names))
        if fleet not in seen.fruitless:
            return fleet
    return away or Wait(poll)


def fleet_of(region: str, state: DistributionState) -> FleetSeen:
    rows = tuple(FleetRow(m.name, m.owner, m.tier, m.status, m.error) for m in state.mainframes)
    return FleetSeen(region, state.generation, rows)


def _is_news(fleet: FleetSeen, d: Deployment) -> bool:
    """Whether a decision could come of it. Waiting mainframes are news, for they may be late by now."""
    place = d.placement(omega(fleet.region))
    known = {m.name: (m.status, m.error) for m in d.mainframes if m.region == fleet.region}
    new = {row.name: (row.status, row.error) for row in fleet.rows}
    return place is None or place.distributing != fleet.generation or known != new or _is_waiting(fleet)


def _is_waiting(fleet: FleetSeen) -> bool:
    return any(row.status == "waiting" for row in fleet.rows)
