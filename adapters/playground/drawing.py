"""What crosses the wire to the page: plain JSON, which the page shows as text and never as markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

from adapters.playground.personas import Persona
from adapters.playground.room import Message
from core.cards import Bar, Button, Card
from core.help import row_of
from core.moments import Moment
from core.plain import BAR_CELLS, bar, parts_of, safe
from core.views.picture import Picture, Place, Running

Json = dict[str, Any]
Allows = Callable[[str], bool]
"""Whether a link may go to this host."""

_TRY_IT = re.compile(r"Try it: (\S+)")
_TYPED = 2
"""The first lines of a card are words that people typed: nothing in them becomes a link."""


def message_json(message: Message, allows: Allows) -> Json:
    drawn: Json = {
        "number": message.number,
        "reference": message.reference,
        "kind": message.kind,
        "at": message.at.isoformat(),
        "card": card_json(message.card, allows if message.kind in ("card", "answer") else _nowhere),
    }
    optional = {
        "thread": message.thread,
        "broadcast": message.broadcast,
        "by": message.by,
        "outcome": message.outcome,
        "shareable": message.shareable,
    }
    drawn |= {key: value for key, value in optional.items() if value}
    if message.form is not None:
        fields = [{"name": name, "label": label, "required": needed} for name, label, needed in message.form.fields]
        drawn["form"] = {"title": message.form.title, "command": message.form.command, "fields": fields}
    return drawn


def card_json(card: Card, allows: Allows) -> Json:
    return {
        "title": safe(card.title),
        "lines": _lines(card.lines, allows),
        "buttons": [_button(button) for button in card.buttons],
        "tone": card.tone,
        "summary": safe(card.summary or card.title),
    }


def _lines(lines: Sequence[str | Bar], allows: Allows) -> list[Json]:
    """Of help the titles and rows are marked: they are drawn as such."""
    rows = [row_of(line) if isinstance(line, str) else None for line in lines]
    drawn = [_line(line, allows if index >= _TYPED else _nowhere) for index, line in enumerate(lines)]
    for line, row, below in zip(drawn, rows, [*rows, None][1:], strict=True):
        if row is not None:
            line["row"] = {"code": safe(row.code or ""), "text": safe(row.text)}
        elif below is not None:
            line["title"] = True
    return drawn


def _line(line: str | Bar, allows: Allows) -> Json:
    if isinstance(line, Bar):
        share = 1.0 if line.total <= 0 else min(max(line.done / line.total, 0.0), 1.0)
        cells = bar(line.done, line.total).count("▓") / BAR_CELLS
        return {"text": safe(line.text), "after": safe(line.after), "share": round(share, 3), "cells": cells}
    found = _TRY_IT.fullmatch(line)
    if found and may_link(found[1], allows):
        return {"text": "Try it:", "link": found[1]}
    parts = list(parts_of(line))
    return {"text": safe(line)} | ({"parts": [*map(_part, parts)]} if any(isinstance(p, Moment) for p in parts) else {})


def _part(part: str | Moment) -> str | Json:
    """A moment as the page writes it: in the zone of whoever looks."""
    return part if isinstance(part, str) else {"at": part.at.isoformat(), "style": part.style}


def _button(button: Button) -> Json:
    return {
        "label": safe(button.label),
        "command": button.command,
        "seen": asdict(button.seen) if button.seen else None,
        "confirm": button.confirm,
        "asks": button.asks,
        "style": button.style,
    }


def may_link(url: str, allows: Allows) -> bool:
    """Whether people may be sent there: http or https, without credentials, to a host that settings name."""
    try:
        parts = urlsplit(url)
        host, plain = parts.hostname, parts.username is None and parts.password is None
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and plain and bool(host) and allows(host or "")


def _nowhere(host: str) -> bool:
    return False


def picture_json(picture: Picture, allows: Allows) -> Json:
    return {
        "alpha": _place(picture.alpha, allows),
        "public": _place(picture.public, allows),
        "omegas": [_place(place, allows) for place in picture.omegas],
        "mainframes": [_place(place, allows) for place in picture.mainframes],
        "journeys": [asdict(journey) for journey in picture.journeys],
    }


def _place(place: Place, allows: Allows) -> Json:
    drawn = asdict(replace(place, running=()))
    return drawn | {"about": safe(place.about), "running": [_running(one, allows) for one in place.running]}


def _running(one: Running, allows: Allows) -> Json:
    url = one.url if one.url and may_link(one.url, allows) else None
    return asdict(replace(one, url=url, release=safe(one.release)))


def people_json(personas: Sequence[Persona], mail: Mapping[str, int]) -> list[Json]:
    return [
        {"id": one.id, "name": safe(one.name), "roles": list(one.roles), "mail": mail.get(one.id, 0)}
        for one in personas
    ]


def event(name: str, data: object, id_: int | None = None) -> str:
    """One server-sent event (WHATWG HTML, 9.2.6). JSON has no line breaks, so that one data line holds it."""
    number = "" if id_ is None else f"id: {id_}\n"
    return f"{number}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
