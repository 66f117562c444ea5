"""On OMEGA: one region after another towards a release."""

from __future__ import annotations

from collections.abc import Sequence

from core import say
from core.effects import Desire, Look, Observed, Package, Step, Upload, Wait
from core.facts import RegionHealthy, RegionReady, StepFailed
from core.phases.deploy import is_switched
from core.release.wire import ComponentState, Release
from core.state import Deployment, omega
from core.steps.fleet import cannot_leave_out, left_out_in
from core.steps.looking import runs_at, unseen
from core.steps.wanted import BACK, release_of

_LEAP = 1_000_000
"""Generations that a restored backup may lack. All regions share them, so no OMEGA may use them up with one word."""


def deploying(d: Deployment, seen: Observed, poll: float) -> Step:
    release = release_of(d)
    if not d.packaged:
        return seen.package or Package(omega(d.regions[0]), release)
    steps = [
        (region, switch(d, omega(region), region, release, seen, poll))
        for region in d.regions
        if not is_switched(d, region)
    ]
    failed = next((step for _, step in steps if isinstance(step, StepFailed)), None)
    if failed is not None:
        return _before(failed, d, steps, seen, poll)
    waiting = [step for _, step in steps if isinstance(step, Wait)]
    return next((step for _, step in steps if not isinstance(step, Wait)), None) or next(iter(waiting), Wait(poll))


def _before(failed: StepFailed, d: Deployment, steps: Sequence[tuple[str, Step]], seen: Observed, poll: float) -> Step:
    """Where one region has failed no other begins, but what was begun is seen to its end: it may be in production."""
    begun = [(region, step) for region, step in steps if region not in d.unasked]
    seen_to = next((step for _, step in begun if isinstance(step, RegionHealthy | Look)), None)
    coming = any(isinstance(step, Wait) and omega(region) in seen.states for region, step in begun)
    return seen_to or (Wait(poll) if coming else failed)


def switch(d: Deployment, place: str, region: str, release: Release, seen: Observed, poll: float) -> Step:
    """One region towards `release`, or what it has come to."""
    if blind := unseen(place, seen, poll):
        return blind
    runs = runs_at(place, d.component, seen)
    if runs is None or runs.generation < release.generation:
        if d.hold is not None:
            return Wait(None, "paused")
        names = left_out_in(d, region)
        if names and d.stage not in BACK and not seen.states[place].leaves_out:
            return cannot_leave_out(d, region, names)
        if release.digest is not None and (place, release.digest) not in seen.uploaded:
            return Upload(place, release.digest)
        return RegionReady(region, release.generation) if region in d.unasked else Desire(place, release)
    if runs.generation > release.generation or runs.wanted != release.digest:
        if runs.generation - release.generation > _LEAP:
            return StepFailed(
                f"OMEGA {region} tells of a generation that no backup explains; is it still yours?", region
            )
        return StepFailed(_by_another(region, runs, release), region, runs.generation)
    return _come_to(runs, region, release, poll)


def _by_another(region: str, runs: ComponentState, release: Release) -> str:
    """As after a restore from a backup, which does not know what was deployed since."""
    what = say.digest(runs.wanted) if runs.wanted else "nothing"
    numbers = f"generation {runs.generation}; this is {release.generation}"
    return (f"OMEGA {region} was given {what} by another, as {numbers}. "
            "The next try goes above it: make sure that nothing is lost by that")  # fmt: skip


def _come_to(runs: ComponentState, region: str, release: Release, poll: float) -> Step:
    match runs.status:
        case "healthy" if runs.running == release.digest:
            return RegionHealthy(region, release.generation, runs.url)
        case "offline" if release.digest is None:
            return RegionHealthy(region, release.generation, None)
        case "failed" | "crashed":
            return StepFailed(f"OMEGA {region}: {runs.error or 'the release did not become healthy'}", region)
        case _:
            return Wait(poll)
