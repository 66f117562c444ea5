"""One deployment's evidence: each event with its number, time, author and hash, and what it was decided from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import say
from core.cards import Card
from core.facts import ASHAT, Facts
from core.journal import Entry, first_fault
from core.state import Deployment
from core.views.answers import event_words

_SHORT = 12
"""Digits of a key's id."""


def evidence(d: Deployment, entries: Sequence[Entry], facts: Facts, zone: str) -> Card:
    """Who, when, why and on what grounds; times in full, for it may be read in a year. Read from the journal alone."""
    lines = [
        d.description,
        f"Artifact: sha256 {d.digest or 'not yet fixed'}",
        *(line for entry in entries for line in _lines(entry, facts, zone)),
        _chain(entries),
        f"`ashat audit verify` checks it against the signed checkpoints{_statement(d, entries)}",
    ]
    return Card(f"Evidence: {d.name}, {d.stage.words}", tuple(lines))


def _lines(entry: Entry, facts: Facts, zone: str) -> Iterator[str]:
    by = "Ashat" if entry.by == ASHAT else _named(entry.by, facts)
    via = f" on {entry.via}" if entry.via else ""
    yield f"{entry.seq}. {_time(entry.at, zone)} {by}{via}: {event_words(entry)} [{say.digest(entry.hash)}]"
    yield from (f"   {line}" for line in _grounds(entry.kind, entry.data, facts, zone))


def _named(person: str, facts: Facts) -> str:
    """The name as it is now, and the id as it was written."""
    name = facts.name_of(person)
    return name if name == person else f"{name} ({person})"


def _time(when: datetime | str, zone: str) -> str:
    at = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}"


def _grounds(kind: str, data: Mapping[str, Any], facts: Facts, zone: str) -> Iterator[str]:
    """What an event says beyond its words."""
    match kind:
        case "Pushed":
            plan = data["plan"]
            yield f"planned checks: {', '.join(plan['checks']) or 'none'}; votes needed: {plan['quorum']}"
            yield from (f"warned: {warning}" for warning in data["warnings"])
        case "ArtifactFixed":
            tested = "these bytes passed the checks on ALPHA" if data["tested"] else "not tested on ALPHA"
            yield f"sha256 {data['digest']}, {say.size(data['size'])}; {tested}"
        case "VerificationStarted":
            yield f"of sha256 {say.digest(data['digest'])}, to end by {_time(data['deadline'], zone)}"
        case "CheckFinished":
            yield from _check(data)
        case "VerificationPassed":
            yield f"valid until {_time(data['valid_until'], zone)}"
        case "Voted":
            yield f"covers sha256 {say.digest(data['digest'])}, run {data['run']}; terms {say.digest(data['covers'])}"
        case "VotesFell":
            yield f"of {', '.join(_named(person, facts) for person in data['people'])}"
        case "Approved":
            yield f"by {', '.join(_named(person, facts) for person in data['people'])}"
        case "LaneTaken":
            yield from (_replaced(region, ref) for region, ref in data["replaces"])
            yield from _left_out(data, facts, zone)
        case "RollbackStarted":
            yield f"generation {data['generation']}"
            yield from (_returns(region, ref) for region, ref in data["restore"])
            yield from _left_out(data, facts, zone)
        case "Retried":
            yield from _left_out(data, facts, zone)
        case "Packaged":
            yield f"statement for OMEGA, sha256 {data['statement']}"
        case "Attested":
            yield f"statement of the deployment, sha256 {data['statement']}, key {data['key'][:_SHORT]}"
        case _:
            return


def _check(data: Mapping[str, Any]) -> Iterator[str]:
    """A failure's words have it already."""
    if data["state"] == "passed" and (data["expected"] or data["seen"]):
        where = f" at {data['where']}" if data["where"] else ""
        yield f"expected {data['expected'] or 'nothing'}, seen {data['seen'] or 'nothing'}{where}"
    if data["measured"]:
        yield f"measured {', '.join(f'{name} {value:g}' for name, value in sorted(data['measured'].items()))}"


def _replaced(region: str, ref: Mapping[str, Any] | None) -> str:
    what = f"{ref['id']}#{ref['attempt']}, sha256 {say.digest(ref['digest'])}" if ref else "nothing"
    return f"OMEGA {region} ran {what}"


def _returns(region: str, ref: Mapping[str, Any] | None) -> str:
    what = f"returns to {ref['id']}#{ref['attempt']}, sha256 {say.digest(ref['digest'])}" if ref else "goes offline"
    return f"OMEGA {region} {what}"


def _left_out(data: Mapping[str, Any], facts: Facts, zone: str) -> Iterator[str]:
    for one in data.get("left_out", ()):
        end = f" until {_time(one['until'], zone)}" if one["until"] else ""
        by = _named(one["by"], facts)
        yield f"mainframe {one['name']} of OMEGA {one['region']} is left out: frozen{end} by {by}, “{one['why']}”"


def _chain(entries: Sequence[Entry]) -> str:
    fault = first_fault(entries)
    if fault is not None:
        return f"❌ The chain is broken: {fault}"
    end = say.digest(entries[-1].hash) if entries else "nothing"
    return f"The chain is whole: {say.count(len(entries), 'event')}, head {end}"


def _statement(d: Deployment, entries: Sequence[Entry]) -> str:
    has_one = any(entry.kind == "Attested" for entry in entries)
    return f"; `ashat attest verify {d.name}` checks its statement" if has_one else ""
