"""What a button brings back: a custom id that says by itself what it stands for, so that it lives for ever.

`<letter>:<command>` and, where the card bound it, `|<attempt>.<run>.<digest>`. A custom id holds 100 characters, and an
update's id up to 64; so the digest is its first 96 bits, which is as much as a stale button needs to be told by.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.cards import Button
from core.commands import Seen

MOST = 100
"""Characters: https://discord.com/developers/docs/components/reference."""
_LABEL = 80
_PREFIX = 24
"""Hexadecimal digits of a digest."""

Kind = Literal["say", "sure", "yes", "no", "why", "maybe", "share", "new"]
"""say: the command. sure: asks first whether it is meant; yes and no answer that, in its place. why, maybe: asks for a
needed or an optional reason first. share: shows the answer to the command to all. new: opens the form of a push."""
_LETTERS: dict[Kind, str] = {
    "say": "s", "sure": "q", "yes": "y", "no": "x", "why": "w", "maybe": "m", "share": "h", "new": "n",
}  # fmt: skip
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
STYLES = {"plain": 2, "primary": 1, "danger": 4}


@dataclass(frozen=True, slots=True)
class Clicked:
    kind: Kind
    command: str
    seen: Seen | None = None


def custom_id(kind: Kind, command: str, seen: Seen | None = None) -> str:
    """Raises ValueError where it does not fit."""
    bound = "" if seen is None else f"|{seen.attempt}.{seen.run}.{_short(seen.digest)}"
    text = f"{_LETTERS[kind]}:{command}{bound}"
    if len(text) > MOST:
        raise ValueError(f"a custom id holds {MOST} characters")
    return text


def read(text: str) -> Clicked:
    """The way back. Raises ValueError where it is none of ours."""
    letter, colon, rest = text.partition(":")
    command, bar, bound = rest.partition("|")
    kind = _KINDS.get(letter)
    if not colon or kind is None:
        raise ValueError("this button is none of Ashat's")
    if not bar:
        return Clicked(kind, command)
    attempt, run, short = [*bound.split("."), "", ""][:3]
    if not (attempt.isdecimal() and run.isdecimal()):
        raise ValueError("this button is none of Ashat's")
    return Clicked(kind, command, Seen(int(attempt), _long(short), int(run)))


def shows(seen: Seen, drawn: Button) -> bool:
    """Whether that is what `drawn` would bring back as seen."""
    return drawn.seen is not None and seen == replace(drawn.seen, digest=_long(_short(drawn.seen.digest)))


def _short(digest: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(digest[:_PREFIX])).decode() if digest else ""


def _long(short: str) -> str:
    try:
        return base64.urlsafe_b64decode(short.encode()).hex()
    except ValueError as error:
        raise ValueError("this button is none of Ashat's") from error


# -- drawn -------------------------------------------------------------------------------------------------------------


def button(one: Button) -> dict[str, Any]:
    """Raises ValueError where its custom id does not fit."""
    kind: Kind = "say"
    if one.asks is not None:
        kind = "why" if one.asks == "reason" else "maybe"
    elif one.confirm is not None:
        kind = "sure"
    return made(kind, one.label, one.command, one.seen, STYLES[one.style])


def made(kind: Kind, label: str, command: str = "", seen: Seen | None = None, style: int = 2) -> dict[str, Any]:
    text = label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"
    return {"type": 2, "style": style, "label": text, "custom_id": custom_id(kind, command, seen)}


def link(label: str, url: str) -> dict[str, Any]:
    """A button that leads to `url`, of at most 512 characters; the click is no business of ours."""
    return {"type": 2, "style": 5, "label": label, "url": url}


def share(command: str) -> Sequence[dict[str, Any]]:
    """Shows the answer to `command` to the channel; none where it is too long for a button."""
    try:
        return (made("share", "Share", command),)
    except ValueError:
        return ()


def new_deployment() -> dict[str, Any]:
    """Opens the form of a push."""
    return made("new", "New deployment", style=1)
