"""A card as Slack's blocks, within Slack's limits. All words are plain-text objects.

Plain text is the whole defence: Slack neither formats it nor looks for mentions, links or emoji codes in it, so that
nothing that somebody typed can ping, lead away, or look like something that the bot says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from core.cards import Button, Card
from core.commands import Seen
from core.plain import line_of, safe

Blocks = list[dict[str, Any]]
Allows = Callable[[str], bool]
"""Whether a link may go to this host."""
Extra: TypeAlias = Sequence[ButtonElement]
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
_TYPED = 2
"""The first lines of a card are words that people typed: nothing in them becomes a link."""


def blocks(card: Card, allows: Allows | None = None, extra: Extra = ()) -> Blocks:
    """The card, title first. What does not fit is named, never cut silently."""
    drawn = [*_title(card.title), *_body(card, allows or _nowhere), *_rows([*map(button, _fit(card.buttons)), *extra])]
    return [block.to_dict() for block in drawn]


def fallback(card: Card) -> str:
    """The sentence of a notification. Escaped, for Slack reads this one as markup."""
    text = safe(card.summary or card.title)
    return escaped(text if len(text) <= _FALLBACK else f"{text[: _FALLBACK - 1]}…")


def words(card: Card) -> str:
    """The whole card as escaped text, for where Slack refuses its drawing."""
    text = "\n".join([fallback(card), *(escaped(line_of(line)) for line in card.lines)])
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}… (more does not fit here)"


def escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text: the three characters that are Slack's own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _title(title: str) -> Iterator[Block]:
    text = safe(title)
    if text and len(text) <= _HEADER:
        yield HeaderBlock(text=plain(text))
    elif text:
        yield from (SectionBlock(text=plain(piece)) for piece in _pieces([text]))


def _body(card: Card, allows: Allows) -> Iterator[Block]:
    lines: list[str] = []
    links: list[str] = []
    for index, line in enumerate(card.lines):
        found = _TRY_IT.fullmatch(line) if isinstance(line, str) and index >= _TYPED else None
        if found and _may_link(found[1], allows):
            links.append(found[1])
        else:
            lines.append(line_of(line))
    kept = list(_within(lines))
    yield from (SectionBlock(text=plain(piece)) for piece in islice(_pieces(kept), _MOST_SECTIONS))
    if len(kept) < len(lines):
        more = f"{len(lines) - len(kept)} more lines do not fit here; `ashat deploy` in a shell shows all."
        yield ContextBlock(elements=[plain(more)])
    yield from (SectionBlock(text=MarkdownTextObject(text=f"Try it: <{url}>", verbatim=True)) for url in links[:1])


def _within(lines: Sequence[str]) -> Iterator[str]:
    left = _MOST_WORDS
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return
        yield line


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


def value(command: str, seen: Seen | None) -> str:
    """What a click brings back: the command it stands for, and what was before the person who clicked."""
    bound = [seen.attempt, seen.digest, seen.run] if seen else None
    return json.dumps({"c": command, "s": bound}, separators=(",", ":"), ensure_ascii=False)


def read_value(text: str) -> tuple[str, Seen | None]:
    """The way back. Raises ValueError where it is none of ours."""
    try:
        data = json.loads(text)
        command, bound = data["c"], data["s"]
        seen = Seen(int(bound[0]), str(bound[1]), int(bound[2])) if bound else None
    except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
        raise ValueError("this button is none of Ashat's") from error
    return str(command), seen


def button(one: Button) -> ButtonElement:
    """`say:` says its command, `ask:` asks for a reason first; the rest makes the id unique within the message."""
    asks = {"reason": "ask:needed", "optional reason": "ask:optional"}.get(one.asks or "", "say")
    return ButtonElement(
        text=plain(one.label[:_BUTTON], _BUTTON),
        action_id=f"{asks}:{one.command}"[:255],
        value=value(one.command, one.seen),
        style=None if one.style == "plain" else one.style,
        confirm=_confirm(one),
        accessibility_label=f"{one.label}: {one.command}"[:_BUTTON],
    )


def share(command: str) -> ButtonElement:
    """Shows the answer to `command` to the channel."""
    return ButtonElement(text=plain("Share", _BUTTON), action_id="share", value=value(command, None))


def new_deployment() -> ButtonElement:
    """Opens the form of a push."""
    return ButtonElement(text=plain("New deployment", _BUTTON), action_id="new", value="push", style="primary")


def _confirm(one: Button) -> ConfirmObject | None:
    if one.confirm is None or one.asks is not None:
        return None
    text = safe(one.confirm)
    return ConfirmObject(
        title=PlainTextObject(text="Are you sure?"),
        text=plain(text if len(text) <= _CONFIRM else f"{text[: _CONFIRM - 1]}…", _CONFIRM),
        confirm=PlainTextObject(text=one.label[:30]),
        deny=PlainTextObject(text="Not now"),
    )


def _fit(found: Sequence[Button]) -> list[Button]:
    return [one for one in found if len(value(one.command, one.seen)) <= _VALUE]


def _rows(elements: Sequence[ButtonElement]) -> Iterator[Block]:
    for start in range(0, len(elements), _ROW):
        yield ActionsBlock(elements=list(elements[start : start + _ROW]))


def plain(text: str, limit: int = _SECTION) -> PlainTextObject:
    """With `emoji` off, `:tada:` stays what was typed; emoji that are characters are shown as they are."""
    return PlainTextObject(text=text[:limit] or " ", emoji=False)


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
