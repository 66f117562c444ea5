"""The card once OMEGA is concerned: on the way there, arrived, and back again."""

from __future__ import annotations

from core import say
from core.cards import Bar
from core.facts import Facts
from core.stages import Stage
from core.state import PUBLIC, Deployment, Placement
from core.views.card.fleet import back_again, frozen, left_out, owner_level, reached
from core.views.card.progress import Progress


def deploying(d: Deployment, facts: Facts, zone: str, progress: Progress | None) -> tuple[str | Bar, ...]:
    packaging = "✅ Packaging" if d.packaged else "⏳ Packaging: hashing and signing"
    lines: list[str | Bar] = [packaging]
    for place in d.placements:
        if place.server == PUBLIC:
            continue
        region = place.server.removeprefix("omega/")
        if place.observed == "healthy" and place.since:
            lines.append(f"✅ OMEGA {region}: healthy since {say.clock(place.since, zone, facts.now)}")
        else:
            lines.append(f"⏳ Push to OMEGA {region}")
    if progress is not None and d.packaged:
        lines.append(progress.bar(say.size(progress.total)))
    lines.append("Next: Distribution to Licensed Mainframes, SERVER OWNER LEVEL propagation")
    lines += frozen(d, facts, zone)
    return tuple(lines)


def _regions(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    return tuple(
        f"OMEGA {place.server.removeprefix('omega/')}: healthy since {say.clock(place.since, zone, facts.now)}"
        for place in d.placements
        if place.server != PUBLIC and place.observed == "healthy" and place.since
    )


def of_each(d: Deployment) -> tuple[str, ...]:
    """How far it came in each of several regions."""
    rows = [place for place in d.placements if place.server != PUBLIC]
    return tuple(f"OMEGA {row.server.removeprefix('omega/')}: {_came(row)}" for row in rows) if len(rows) > 1 else ()


def _came(row: Placement) -> str:
    if row.unasked:
        return "given nothing of it"
    return "runs it" if row.observed == "healthy" else "asked to run it, and not healthy"


def distributing(d: Deployment, facts: Facts, zone: str) -> tuple[str | Bar, ...]:
    owners = (owner_level(d),) if d.mainframes else ()
    return (*_regions(d, facts, zone), reached(d), *left_out(d, facts, zone), *owners)


def completed(d: Deployment, facts: Facts, zone: str) -> tuple[str, ...]:
    regions = ", ".join(f"OMEGA {region}" for region in d.regions)
    included = [m for m in d.mainframes if m.included]
    well = sum(m.status == "healthy" for m in included)
    replaced = sorted({place.replaced.name for place in d.placements if place.replaced})
    first = "the first release of this component" if d.generation == 1 else "nothing ran when it came"
    was = f"; replaced {say.listed(replaced)}" if replaced else f"; {first}"
    lagging = [m.name for m in included if m.status == "asleep"]
    took = say.duration((d.stage_since - d.pushed_at).total_seconds())
    approved = ", ".join(facts.name_of(vote.person) for vote in d.votes) or "in an emergency"
    return (
        f"{regions} and {well} of {len(included)} mainframes healthy{was}",
        *((f"Lagging, they follow when they wake: {', '.join(lagging[:5])}",) if lagging else ()),
        *left_out(d, facts, zone),
        f"{took}, {say.duration(d.waited)} of them waiting for approval · Approved: {approved}",
        *(f"⚠ OMEGA {region} is worse since. `deploy rollback {d.name}`" for region in d.unwell),
    )


def rollback(d: Deployment, facts: Facts, zone: str) -> tuple[str | Bar, ...]:
    at = say.clock(d.stage_since, zone, facts.now)
    why = f": “{d.ended_why}”" if d.ended_why else ""
    lines: list[str | Bar] = [f"{facts.name_of(d.ended_by or '')}, {at}{why}"]
    if not d.restore:
        lines.append("Off Public; nothing was pushed to OMEGA")
    else:
        lines += [_restored(d, region, ref.name if ref else None) for region, ref in d.restore]
        lines += [f"OMEGA {region}: was given nothing" for region in d.regions if region not in dict(d.restore)]
        lines += [*back_again(d), *frozen(d, facts, zone)]
    if d.stage is Stage.ROLLBACK_FAILED:
        lines += [d.failure or "", f"Next: `deploy rollback {d.name}` tries again what failed"]
    return tuple(lines)


def _restored(d: Deployment, region: str, name: str | None) -> str:
    place = d.placement(f"omega/{region}")
    done = place is not None and place.observed == "restored"
    verb = "Running" if done else "Returning to"
    return f"OMEGA {region}: {verb} {name}" if name else f"OMEGA {region}: {'offline' if done else 'going offline'}"


def runs_now(facts: Facts) -> str:
    running = [ref.name for ref in facts.lane.releases]
    return say.listed(running) if running else f"{facts.lane.component} is offline"
