"""A card as Slack's blocks, within Slack's limits. All words are plain-text objects, or text elements of rich text.

That is the whole defence: Slack neither formats them nor looks for mentions, links or emoji codes in them, so that
nothing that somebody typed can ping, lead away, or look like something that the bot says.

Blocks are made as they are sent. slack_sdk's classes for them would look at each field of each element again, which
took half of the time of an answer; that what is drawn here passes them is what the tests ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from core.cards import Bar, Button, Card
from core.commands import Seen
from core.moments import Moment, Style
from core.plain import joined, parts_of, safe

Block: TypeAlias = dict[str, Any]
Element: TypeAlias = dict[str, Any]
Blocks = list[Block]
Line: TypeAlias = tuple[str | Moment, ...]
"""A card's line, safe, with the moments in it."""
Allows = Callable[[str], bool]
"""Whether a link may go to this host."""
Extra: TypeAlias = Sequence[Element]
"""Buttons that Slack's own answers have, besides the card's."""

MAX_BLOCKS = 50
"""https://docs.slack.dev/reference/block-kit/blocks: in one message."""
_SECTION = 3000
_HEADER = 150
_BUTTON = 75
_VALUE = 2000
_CONFIRM = 300
_ROW = 25
_FALLBACK = 3000
_MOST_SECTIONS = MAX_BLOCKS - 6
"""Sections of one message; what stands above and below them needs the rest."""
_MOST_WORDS = 12_000
"""Characters of one message in sections: beyond, people do not read, and Slack's own limit is near."""
_TRY_IT = re.compile(r"Try it: (\S+)")
_DATES: Mapping[Style, str] = {
    "time": "{time}", "day": "{date_short_pretty} {time}", "date": "{date_short_pretty} {time}",
}  # fmt: skip
"""How Slack writes a moment in the reader's zone; "pretty" says yesterday, today and tomorrow."""
_TYPED = 2
"""The first lines of a card are words that people typed: nothing in them becomes a link."""


def blocks(card: Card, allows: Allows | None = None, extra: Extra = (), mentions: Sequence[str] = ()) -> Blocks:
    """The card, title first. What does not fit is named, never cut silently. `mentions`: accounts that it pings."""
    rows = _rows([*map(button, _fit(card.buttons)), *extra])
    return [*_title(card.title), *_mentions(mentions), *_body(card, allows or _nowhere), *rows]


def fallback(card: Card) -> str:
    """The sentence of a notification. Escaped, for Slack reads this one as markup."""
    text = safe(card.summary or card.title)
    return escaped(text if len(text) <= _FALLBACK else f"{text[: _FALLBACK - 1]}…")


def words(card: Card) -> str:
    """The whole card as escaped text, for where Slack refuses its drawing."""
    text = "\n".join([fallback(card), *map(_marked_up, card.lines)])
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}… (more does not fit here)"


def escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text: the three characters that are Slack's own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _marked_up(line: str | Bar) -> str:
    return "".join(_token(part) if isinstance(part, Moment) else escaped(part) for part in parts_of(line))


def _token(moment: Moment) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#date-formatting"""
    return f"<!date^{int(moment.at.timestamp())}^{_DATES[moment.style]}|{escaped(moment.words)}>"


def _title(title: str) -> Iterator[Block]:
    parts, text = tuple(parts_of(title)), safe(title)
    if any(isinstance(part, Moment) for part in parts) and len(text) <= _SECTION:
        bold = {"style": {"bold": True}}
        yield _rich([one | bold if one["type"] == "text" else one for one in _elements([parts])])
    elif text and len(text) <= _HEADER:
        yield {"type": "header", "text": plain(text)}
    elif text:
        yield from map(_section, _pieces([text]))


def _body(card: Card, allows: Allows) -> Iterator[Block]:
    lines: list[Line] = []
    links: list[str] = []
    for index, line in enumerate(card.lines):
        found = _TRY_IT.fullmatch(line) if isinstance(line, str) and index >= _TYPED else None
        if found and _may_link(found[1], allows):
            links.append(found[1])
        else:
            lines.append(tuple(parts_of(line)))
    texts = list(_within(map(joined, lines)))
    yield from islice(_texts(lines[: len(texts)], texts), _MOST_SECTIONS)
    if len(texts) < len(lines):
        more = f"{len(lines) - len(texts)} more lines do not fit here; `ashat deploy` in a shell shows all."
        yield {"type": "context", "elements": [plain(more)]}
    for url in links[:1]:
        yield {"type": "section", "text": {"type": "mrkdwn", "text": f"Try it: <{url}>", "verbatim": True}}


def _within(texts: Iterable[str]) -> Iterator[str]:
    left = _MOST_WORDS
    for text in texts:
        left -= len(text) + 1
        if left < 0:
            return
        yield text


def _texts(lines: Sequence[Line], texts: Sequence[str]) -> Iterator[Block]:
    """Rich text where a time stands in them, which each reader sees in their own zone; sections otherwise."""
    if not any(isinstance(part, Moment) for line in lines for part in line):
        yield from map(_section, _pieces(texts))
        return
    for start, end in _groups(texts):
        if end - start == 1 and len(texts[start]) > _SECTION:
            yield from map(_section, _pieces(texts[start:end]))
        else:
            yield _rich(list(_elements(lines[start:end])))


def _groups(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where as many lines as make a section together begin and end; a longer one is alone."""
    start = size = 0
    for at, text in enumerate(texts):
        length = len(text) + 1
        if at > start and size + length > _SECTION:
            yield start, at
            start, size = at, 0
        size += length
    if texts:
        yield start, len(texts)


def _elements(lines: Sequence[Line]) -> Iterator[Element]:
    text = ""
    for number, line in enumerate(lines):
        text += "\n" if number else ""
        for part in line:
            if isinstance(part, str):
                text += part
                continue
            if text:
                yield {"type": "text", "text": text}
            text = ""
            yield {"type": "date", "timestamp": int(part.at.timestamp()), "format": _DATES[part.style],
                   "fallback": part.words}  # fmt: skip
    if text:
        yield {"type": "text", "text": text}


def _mentions(accounts: Sequence[str]) -> Iterator[Block]:
    if accounts:
        spaced: list[Element] = [{"type": "text", "text": " "}] * (2 * len(accounts) - 1)
        spaced[::2] = [{"type": "user", "user_id": account} for account in accounts]
        yield _rich(spaced)


def _rich(elements: list[Element]) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _section(text: str) -> Block:
    return {"type": "section", "text": plain(text)}


def _pieces(lines: Sequence[str]) -> Iterator[str]:
    """The lines in as few texts as a section's limit allows; a line that is longer by itself goes on in the next."""
    piece = ""
    for line in lines:
        for start in range(0, max(len(line), 1), _SECTION):
            part = line[start : start + _SECTION]
            joined = f"{piece}\n{part}" if piece else part
            if len(joined) > _SECTION:
                yield piece
                joined = part
            piece = joined
    if piece.strip():
        yield piece


# -- buttons -----------------------------------------------------------------------------------------------------------


def value(command: str, seen: Seen | None, says: str = "") -> str:
    """What a click brings back: the command it stands for, and what was before the person who clicked.

    `says` is for the dialog that the click opens.
    """
    bound = [seen.attempt, seen.digest, seen.run] if seen else None
    told = {"w": says} if says else {}
    return json.dumps({"c": command, "s": bound, **told}, separators=(",", ":"), ensure_ascii=False)


def read_value(text: str) -> tuple[str, Seen | None]:
    """The way back. Raises ValueError where it is none of ours."""
    try:
        data = json.loads(text)
        command, bound = data["c"], data["s"]
        seen = Seen(int(bound[0]), str(bound[1]), int(bound[2])) if bound else None
    except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
        raise ValueError("this button is none of Ashat's") from error
    return str(command), seen


def read_says(text: str) -> str:
    """What the dialog that a click opens is to say."""
    data = json.loads(text)
    return str(data.get("w", "")) if isinstance(data, dict) else ""


def button(one: Button) -> Element:
    """`say:` says its command, `ask:` asks for a reason first; the rest makes the id unique within the message."""
    asks = {"reason": "ask:needed", "optional reason": "ask:optional"}.get(one.asks or "", "say")
    made = {
        "type": "button",
        "text": plain(one.label, _BUTTON),
        "action_id": f"{asks}:{one.command}"[:255],
        "value": _value_of(one),
        "accessibility_label": f"{one.label}: {one.command}"[:_BUTTON],
    }
    style = {} if one.style == "plain" else {"style": one.style}
    confirm = {} if one.confirm is None or one.asks is not None else {"confirm": _confirm(one.label, one.confirm)}
    return made | style | confirm


def share(command: str) -> Element:
    """Shows the answer to `command` to the channel."""
    return {"type": "button", "text": plain("Share"), "action_id": "share", "value": value(command, None)}


def leads_to(team: str, channel: str) -> Element:
    """Opens the channel; the click is acknowledged, and no business of ours.

    https://docs.slack.dev/interactivity/deep-linking
    """
    url = f"https://slack.com/app_redirect?team={team}&channel={channel}"
    return {"type": "button", "text": plain("Go to its card"), "action_id": "open", "url": url}


def new_deployment() -> Element:
    """Opens the form of a push."""
    return {
        "type": "button", "text": plain("New deployment"), "action_id": "new", "value": "push", "style": "primary",
    }  # fmt: skip


def _confirm(label: str, consequences: str) -> Element:
    text = safe(consequences)
    return {
        "title": plain("Are you sure?"),
        "text": plain(text if len(text) <= _CONFIRM else f"{text[: _CONFIRM - 1]}…"),
        "confirm": plain(label, 30),
        "deny": plain("Not now"),
    }


def _value_of(one: Button) -> str:
    return value(one.command, one.seen, (one.confirm or "")[:_CONFIRM] if one.asks else "")


def _fit(found: Sequence[Button]) -> list[Button]:
    return [one for one in found if len(_value_of(one)) <= _VALUE]


def _rows(elements: Sequence[Element]) -> Iterator[Block]:
    for start in range(0, len(elements), _ROW):
        yield actions(elements[start : start + _ROW])


def actions(elements: Sequence[Element]) -> Block:
    """At most 25 buttons in a row."""
    return {"type": "actions", "elements": list(elements)}


def plain(text: str, limit: int = _SECTION) -> Element:
    """With `emoji` off, `:tada:` stays what was typed; emoji that are characters are shown as they are."""
    return {"type": "plain_text", "text": text[:limit] or " ", "emoji": False}


def _may_link(url: str, allows: Allows) -> bool:
    """Whether people may be sent there: http or https, without credentials, to a host that settings name."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    clean = not re.search(r"[<>|\s&]", url) and parts.username is None
    return parts.scheme in ("http", "https") and clean and bool(host) and allows(host or "")


def _nowhere(host: str) -> bool:
    return False
