"""A card as Discord's Components V2, within Discord's limits; what does not fit is named, and given as a file.

https://discord.com/developers/docs/components/reference: 40 components and 4000 characters of text in a message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from adapters.discord import buttons
from adapters.discord.escaping import escaped
from core.cards import Bar, Button, Card, Tone
from core.plain import line_of

Component: TypeAlias = dict[str, Any]
Allows = Callable[[str], bool]
"""Whether a link may go to this host."""
Extra: TypeAlias = Sequence[Component]
"""Buttons that Discord's own answers have, besides the card's."""

V2 = 1 << 15
"""Message flag: it consists of components."""
EPHEMERAL = 1 << 6
SILENT = 1 << 12
"""Message flag: it notifies nobody."""
NO_PINGS: dict[str, Any] = {"parse": []}
"""`allowed_mentions`: nothing in a message pings anybody."""
MOST_TEXT = 4000
MOST_COMPONENTS = 40
FILE = "answer.txt"
_MORE = 150
"""Characters that are kept for what says that there are more lines."""
_ROW = 5
_ROWS = 4
_URL = 512
_TRY_IT = re.compile(r"Try it: (\S+)")
_TYPED = 2
"""The first lines of a card are words that people typed: nothing in them becomes a link."""
_COLOURS: dict[Tone, int] = {
    "neutral": 0x95A5A6, "moving": 0x3498DB, "asking": 0xF1C40F, "good": 0x2ECC71, "bad": 0xE74C3C,
}  # fmt: skip
_MARKED = 1 << 30


@dataclass(frozen=True, slots=True)
class Drawing:
    """`components` of a message, and the whole text where not all of it fits."""

    components: tuple[Component, ...]
    whole: str | None = None
    pings: tuple[str, ...] = ()
    """Ids of the people whom it pings, and nobody else."""

    def body(self, flags: int = 0) -> dict[str, Any]:
        allowed = {**NO_PINGS, "users": list(self.pings)} if self.pings else NO_PINGS
        return {"components": list(self.components), "flags": V2 | flags, "allowed_mentions": allowed}


def draw(
    card: Card, allows: Allows | None = None, extra: Extra = (), nonce: str = "", *, file: bool = False,
    pings: Sequence[str] = (),
) -> Drawing:  # fmt: skip
    """The card, title first. `file`: there may be one, with all lines, where they do not fit."""
    title = [*_title(card), *([" ".join(f"<@{id_}>" for id_ in pings)] if pings else [])]
    lines, links = _sorted(card.lines, allows or _nowhere)
    rows, unfit = _buttons(card.buttons, extra)
    lines += [escaped(f"{one.label}: deploy {one.command}") for one in unfit]
    beside = [_section(url) for url in links[:1]]
    room = MOST_TEXT - _MORE - sum(len(text) for part in beside for text in texts_of(part))
    kept = list(_within([*title, *lines], room))
    cut = len(title) + len(lines) - len(kept)
    inside = [*_texts(kept, len(title) + _TYPED), *beside]
    if cut and file:
        inside += [_text(f"{cut} more lines are in the file."), {"type": 13, "file": {"url": f"attachment://{FILE}"}}]
    elif cut:
        inside.append(_text(f"{cut} more lines do not fit here; Details, or `ashat deploy` in a shell, shows all."))
    inside = [*inside, *rows] or [_text("")]
    container: Component = {"type": 17, "accent_color": _COLOURS[card.tone], "components": inside}
    if nonce:
        container["id"], inside[0]["id"] = marks(nonce)
    whole = "\n".join(line_of(line) for line in (card.title, *card.lines)) if cut and file else None
    return Drawing((container,), whole, tuple(pings))


def words(card: Card) -> Drawing:
    """The card's text alone, for where Discord refuses its drawing."""
    lines = [escaped(line) for line in (card.title, *card.lines)]
    kept = list(_within(lines, MOST_TEXT - _MORE))
    more = [] if len(kept) == len(lines) else [f"{len(lines) - len(kept)} more lines do not fit here."]
    return Drawing((_text("\n".join([*kept, *more])),))


def marks(nonce: str) -> tuple[int, int]:
    """Two ids of components that tell a message from all others, so that it can be found again.

    They are high numbers, for Discord counts the ids that nobody gives from 1.
    """
    hashed = hashlib.sha256(nonce.encode()).digest()
    first, second = (int.from_bytes(hashed[at : at + 4], "big") >> 2 | _MARKED for at in (0, 4))
    return (first, second) if first != second else (first, second ^ 1)


def marks_of(message: Component) -> tuple[int, int] | None:
    """The marks that a message has."""
    outer: Component = next(iter(message.get("components") or ()), {})
    inner: Component = next(iter(outer.get("components") or ()), {})
    return (int(outer["id"]), int(inner["id"])) if outer.get("id") and inner.get("id") else None


def texts_of(message: Component) -> list[str]:
    """All that a message says, piece by piece."""
    found = [str(message["content"])] if message.get("content") else []
    for below in message.get("components") or ():
        found += texts_of(below)
    return found


def _title(card: Card) -> list[str]:
    text = escaped(card.title)
    return [f"### {text}"] if text and len(text) < 250 else [text] if text else []


def _sorted(lines: Sequence[str | Bar], allows: Allows) -> tuple[list[str], list[str]]:
    """The lines as text, and the links among them that may be drawn as such."""
    texts: list[str] = []
    links: list[str] = []
    for index, line in enumerate(lines):
        found = _TRY_IT.fullmatch(line) if isinstance(line, str) and index >= _TYPED else None
        if found and may_link(found[1], allows):
            links.append(found[1])
        else:
            texts.append(escaped(line))
    return texts, links


def _within(lines: Sequence[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line


def _texts(lines: Sequence[str], head: int) -> Iterator[Component]:
    """What is known from the beginning, a line between, and how it goes."""
    first, rest = lines[:head], lines[head:]
    if first:
        yield _text("\n".join(first))
    if rest:
        yield {"type": 14, "divider": True, "spacing": 1}
        yield _text("\n".join(rest))


def _text(text: str) -> Component:
    return {"type": 10, "content": text or "-"}


def _section(url: str) -> Component:
    """The address that people can open, with a button that does."""
    return {"type": 9, "components": [_text(escaped(f"Try it: {url}"))], "accessory": buttons.link("Open", url)}


def _buttons(found: Sequence[Button], extra: Extra) -> tuple[list[Component], list[Button]]:
    """Rows of buttons, and the buttons that Discord cannot hold."""
    drawn: list[Component] = []
    unfit: list[Button] = []
    known: set[str] = set()
    for one in found:
        try:
            made = buttons.button(one)
        except ValueError:
            unfit.append(one)
            continue
        if made["custom_id"] not in known and len(drawn) < _ROW * _ROWS - len(extra):
            known.add(made["custom_id"])
            drawn.append(made)
        else:
            unfit.append(one)
    every = [*drawn, *extra]
    rows = [every[at : at + _ROW] for at in range(0, len(every), _ROW)]
    return [{"type": 1, "components": row} for row in rows], unfit


def may_link(url: str, allows: Allows) -> bool:
    """Whether people may be sent there: http or https, without credentials, to a host that settings name."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    clean = not re.search(r"[<>|\s&`\\]", url) and parts.username is None and len(url) <= _URL
    return parts.scheme in ("http", "https") and clean and bool(host) and allows(host or "")


def _nowhere(host: str) -> bool:
    return False
