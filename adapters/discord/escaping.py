"""Words as Discord shows them: what somebody typed neither formats, nor pings, nor leads away.

Discord has no plain-text objects: all that is drawn is markdown. So every character that could begin something gets a
backslash, which Discord takes off again before punctuation. Pings are switched off on every message besides.
"""

from __future__ import annotations

import re
from functools import lru_cache

from core.cards import Bar
from core.moments import Moment
from core.plain import parts_of

_ANYWHERE = re.compile(r"([\\*_~`|<>@\[\]()])")
"""Emphasis, code, spoilers, mentions, time stamps, masked links."""
_LINK = re.compile(r"(?<=[A-Za-z]):(?=//)")
"""`https://`: without its colon it is no link."""
_INVITE = re.compile(r"(?i)\b(discord(?:app)?)\.(?=(?:gg|com|new|gift)\b)")
_AT_START = re.compile(r"^(\s*)([#+-]|\d+(?=[.)]))")
"""Headings, lists, small print. A number's own dot is what gets the backslash."""


@lru_cache(maxsize=2048)  # of a card that is drawn again most lines are as they were
def escaped(line: str | Bar) -> str:
    """One line, shown as it was typed; a moment in it as a time in the reader's own zone."""
    text = "".join(_time(part) if isinstance(part, Moment) else _inside(part) for part in parts_of(line)).rstrip()
    return _AT_START.sub(_first, text)


def _inside(text: str) -> str:
    text = _ANYWHERE.sub(r"\\\1", text)
    return _INVITE.sub(r"\1\\.", _LINK.sub(r"\\:", text))


def _time(moment: Moment) -> str:
    """https://discord.com/developers/docs/reference#message-formatting-timestamp-styles"""
    return f"<t:{int(moment.at.timestamp())}:{'t' if moment.style == 'time' else 'f'}>"


def _first(found: re.Match[str]) -> str:
    space, mark = found[1], found[2]
    return f"{space}{mark}\\" if mark.isdigit() else f"{space}\\{mark}"
