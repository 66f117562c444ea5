"""The card while the update is on its way to Public, and is proved there."""

from __future__ import annotations

from core import say
from core.cards import Bar
from core.phases.push import estimate
from core.state import PUBLIC, Deployment
from core.views.card.progress import Progress

_MARKS = {"passed": "✅", "failed": "❌", "timed_out": "❌", "skipped": "⏭", "not_applicable": "➖"}


def planned(d: Deployment) -> tuple[str, ...]:
    plan = d.plan
    regions = f"OMEGA {', '.join(plan.regions)}" if plan.regions else "OMEGA (not configured)"
    fleet = "its mainframes" if plan.mainframes is None else say.count(plan.mainframes, "mainframe")
    steps = (say.count(len(plan.checks), "check"), say.count(plan.quorum, "approval"), regions, fleet)
    return (f"Plan: Public, {', '.join(steps)}", f"Estimate: {estimate(plan)}", *d.warnings)


def staging(d: Deployment, progress: Progress | None) -> tuple[str | Bar, ...]:
    queued = ("Verification starts once it is staged",) if d.verify_by else ()
    if progress is None:
        return ("Starting on Public, then health", *queued)
    bar = progress.bar(f"{say.size(progress.done)} of {say.size(progress.total)}")
    return (bar, "Next: start, then health", *queued)


def slot_url(d: Deployment) -> str:
    place = d.placement(PUBLIC)
    return (place.url if place else None) or "no address yet"


def verifying(d: Deployment) -> tuple[str | Bar, ...]:
    assert d.verification is not None
    checks = d.verification.checks
    done = [check for check in checks if check.final]
    waiting = [check.name for check in checks if not check.final]
    shown = ("  ".join(f"{_MARKS[check.state]} {check.name}" for check in done),) if done else ()
    running = (
        f"Running: {waiting[0]}" + (f" · Waiting: {', '.join(waiting[1:])}" if waiting[1:] else "") if waiting else ""
    )
    return (Bar(len(done), len(checks), f"{len(done)} of {len(checks)} done"), *shown, *((running,) if running else ()))
