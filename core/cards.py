"""Cards: messages to people as platform-neutral data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.commands import Seen

Tone = Literal["neutral", "moving", "asking", "good", "bad"]
"""What colour repeats; the words say it already."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Progress: numbers first, then the bar. `text` stands before it, `after` behind it."""

    done: float
    total: float
    text: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A click says `command`; `seen` binds it to what the card showed. `asks` opens a dialog for that argument."""

    label: str
    command: str
    seen: Seen | None = None
    confirm: str | None = None
    """The consequences, asked before it is said; with `asks`, in the dialog that asks."""
    asks: Literal["reason", "optional reason"] | None = None
    style: Literal["plain", "primary", "danger"] = "plain"


@dataclass(frozen=True, slots=True)
class Card:
    """One message. Lines are plain text without markup; adapters escape and draw them natively."""

    title: str
    lines: tuple[str | Bar, ...] = ()
    buttons: tuple[Button, ...] = ()
    tone: Tone = "neutral"
    summary: str = ""
    """The plain-text fallback: a full sentence. The title where empty."""
