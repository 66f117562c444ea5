"""Moments in texts: a time that each reader sees in their own zone, where the platform can draw that.

A text that many read has no zone. So the text holds the moment itself, between characters that no text from outside can
hold (`core.text.visible` takes them away), and each platform draws it in its own way; where it cannot, its words stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

Style = Literal["time", "day", "date"]
"""How much is told: the time of the day, which is today; the day of the week too; or the date too."""

_MARKED = re.compile("\ufdd0([0-9]{1,11}) (time|day|date)\ufdd1([^\ufdd0-\ufdd2]*)\ufdd2")
"""Noncharacters (Unicode 23.7): for use inside a program, and never part of what people exchange."""


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    style: Style
    words: str
    """What stands for it where it cannot be drawn: the time in the zone of the team, or of the one who asked."""


def moment(at: datetime, style: Style, words: str) -> str:
    """The moment as a part of a text. To the second."""
    return f"\ufdd0{int(at.timestamp())} {style}\ufdd1{words}\ufdd2"


def pieces(text: str) -> Iterator[str | Moment]:
    """The text in order, taken apart; no empty piece."""
    end = 0
    for found in _MARKED.finditer(text):
        if found.start() > end:
            yield text[end : found.start()]
        yield Moment(datetime.fromtimestamp(int(found[1]), UTC), cast(Style, found[2]), found[3])
        end = found.end()
    if end < len(text):
        yield text[end:]


def flat(text: str) -> str:
    """The text with every moment in its words."""
    return _MARKED.sub(lambda found: found[3], text)
