"""The live picture: where every release is now, by what ALPHA and the servers themselves say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core import say
from core.cards import Tone
from core.ports import AlphaFile
from core.release.wire import ComponentState, MainframeReport, Registered, SlotState, State
from core.stages import MOVING, Stage
from core.state import Block, Deployment, Server, label

Leg = Literal["staging", "production"]
"""The way from ALPHA to Public, or from Public to OMEGA and on to its mainframes."""

NEWEST = 5
"""How many of ALPHA's updates are shown; their number is said besides."""

_LEGS: Mapping[Stage, Leg] = {
    Stage.PLANNED: "staging",
    Stage.STAGING: "staging",
    Stage.SCHEDULED: "production",
    Stage.DEPLOYING: "production",
    Stage.DISTRIBUTING: "production",
    Stage.ROLLING_BACK: "production",
}
_STAGE_TONES: Mapping[Stage, Tone] = {
    Stage.AWAITING_APPROVAL: "asking",
    Stage.FAILED: "bad",
    Stage.ROLLBACK_FAILED: "bad",
    Stage.STAGED: "good",
}
_STATUS_TONES: Mapping[str, Tone] = {
    "healthy": "good",
    "failed": "bad",
    "crashed": "bad",
    "switching": "moving",
    "preparing": "moving",
    "starting": "moving",
}


@dataclass(frozen=True, slots=True)
class Running:
    """One release in one place. `status` is in words; `tone` only repeats it."""

    release: str
    component: str = ""
    status: str = ""
    tone: Tone = "neutral"
    url: str | None = None
    """Where people can open it."""
    slot: bool = False
    """Staged beside what is current there."""


@dataclass(frozen=True, slots=True)
class Place:
    """ALPHA, a server or a mainframe. `key` is the same as long as it exists."""

    key: str
    title: str
    about: str
    tone: Tone = "neutral"
    running: tuple[Running, ...] = ()
    hint: str | None = None
    """The command that helps, where something is missing."""


@dataclass(frozen=True, slots=True)
class Journey:
    """A deployment that moves between two places now."""

    release: str
    leg: Leg
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    alpha: Place
    public: Place
    omegas: tuple[Place, ...]
    mainframes: tuple[Place, ...]
    journeys: tuple[Journey, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A configured server, and what it answered; `problem` says why it did not. Only an OMEGA has a fleet."""

    server: Server
    state: State | None = None
    fleet: Sequence[Registered] = ()
    problem: str | None = None


def digests(seen: Iterable[Seen]) -> set[str]:
    """Everything that runs anywhere, by digest: whoever draws it has to know the names."""
    found: set[str | None] = set()
    for one in seen:
        found |= {component.running for component in one.state.components} if one.state else set()
        found |= {report.running for row in one.fleet for report in row.reports}
    return {digest for digest in found if digest}


def picture(
    alpha: Place, seen: Sequence[Seen], active: Sequence[Deployment], names: Mapping[str, str],
    frozen: Sequence[Block] = (),
) -> Picture:  # fmt: skip
    """`names` gives the release's name for a digest; what is unknown is shown by its digest. `frozen` stand now."""
    publics = [_public(one, active, names) for one in seen if one.server.role == "public"]
    omegas = [_server(one, f"OMEGA {one.server.region}", names) for one in seen if one.server.role == "omega"]
    return Picture(
        alpha,
        publics[0] if publics else _missing("public", "Public", "deploy configure public <url> <name>"),
        tuple(omegas) or (_missing("omega", "OMEGA", "deploy configure omega <url> <name>"),),
        tuple(_mainframe(one.server.region, row, names, frozen) for one in seen for row in one.fleet),
        tuple(_journey(d) for d in active if d.stage in _LEGS and d.hold is None),
    )


def alpha_place(name: str, updates: Sequence[AlphaFile], problem: str | None = None) -> Place:
    """ALPHA with its newest updates, or why it cannot be read."""
    if problem is not None:
        return Place("alpha", name, problem, "bad")
    count = say.count(len(updates), "update")
    return Place("alpha", name, count, "neutral", tuple(Running(file.id) for file in updates[:NEWEST]))


def _missing(key: str, title: str, command: str) -> Place:
    return Place(key, title, "Not Configured", "neutral", hint=command)


def _server(one: Seen, title: str, names: Mapping[str, str]) -> Place:
    key = one.server.role if one.server.role == "public" else f"omega/{one.server.region}"
    if one.state is None:
        return Place(key, title, f"{one.server.name}, not reachable: {one.problem}", "bad")
    running = tuple(_current(component, names) for component in one.state.components)
    return Place(key, title, f"{one.server.name}, reachable", "good", running)


def _public(one: Seen, active: Sequence[Deployment], names: Mapping[str, str]) -> Place:
    """What is current on Public is the baseline; each pushed update stands in a slot beside it."""
    place = _server(one, "Public", names)
    if one.state is None:
        return place
    stages = {(d.id, d.attempt): d for d in active}
    slots = tuple(
        _slot(slot, stages.get((slot.deployment, slot.attempt)))
        for slot in one.state.slots
        if slot.status != "withdrawn"
    )
    return Place(place.key, place.title, place.about, place.tone, place.running + slots)


def _current(component: ComponentState, names: Mapping[str, str]) -> Running:
    release = _name(component.running, names)
    return Running(
        release, component.component, component.status, _STATUS_TONES.get(component.status, "neutral"), component.url
    )


def _slot(slot: SlotState, d: Deployment | None) -> Running:
    """How far its deployment is says more than that its process is healthy."""
    status, tone = slot.status.replace("_", " "), _STATUS_TONES.get(slot.status, "neutral")
    if d is not None and slot.status == "healthy":
        status, tone = _stage_words(d), _stage_tone(d)
    return Running(label(slot.deployment, slot.attempt), slot.component, status, tone, slot.url, slot=True)


def _stage_words(d: Deployment) -> str:
    failed = f" in {d.failed_in.words}" if d.stage is Stage.FAILED and d.failed_in else ""
    return d.stage.words + failed + (", paused" if d.hold else "")


def _stage_tone(d: Deployment) -> Tone:
    return "moving" if d.stage in MOVING else _STAGE_TONES.get(d.stage, "neutral")


def _mainframe(region: str, row: Registered, names: Mapping[str, str], frozen: Sequence[Block]) -> Place:
    key = f"mainframe/{region}/{row.name}"
    if not row.licensed:
        return Place(key, row.name, f"{row.owner}: licence expired, gets nothing", "bad", _reported(row, names))
    level = ", server owner" if row.tier == "server-owner" else ""
    tone: Tone = "good" if row.online else "neutral"
    cold = any(block.mainframe == row.name and block.region in (None, region) for block in frozen)
    words = f"{row.owner}{level}, {'online' if row.online else 'asleep'}{', ❄ frozen' if cold else ''}"
    return Place(key, row.name, words, tone, _reported(row, names))


def _reported(row: Registered, names: Mapping[str, str]) -> tuple[Running, ...]:
    return tuple(_report(report, names) for report in row.reports)


def _report(report: MainframeReport, names: Mapping[str, str]) -> Running:
    tone = _STATUS_TONES.get(report.status, "neutral")
    return Running(_name(report.running, names), report.component, report.status, tone, report.url)


def _name(digest: str | None, names: Mapping[str, str]) -> str:
    return names.get(digest, say.digest(digest)) if digest else "nothing"


def _journey(d: Deployment) -> Journey:
    return Journey(d.name, _LEGS[d.stage], d.stage.words)
