"""Words as Discord shows them: what somebody typed neither formats, nor pings, nor leads away.

Discord has no plain-text objects: all that is drawn is markdown. So every character that could begin something gets a
backslash, which Discord takes off again before punctuation. Pings are switched off on every message besides.
"""

from __future__ import annotations

import re

from core.plain import safe

_ANYWHERE = re.compile(r"([\\*_~`|<>@\[\]()])")
"""Emphasis, code, spoilers, mentions, time stamps, masked links."""
_LINK = re.compile(r"(?<=[A-Za-z]):(?=//)")
"""`https://`: without its colon it is no link."""
_INVITE = re.compile(r"(?i)\b(discord(?:app)?)\.(?=(?:gg|com|new|gift)\b)")
_AT_START = re.compile(r"^(\s*)([#+-]|\d+(?=[.)]))")
"""Headings, lists, small print. A number's own dot is what gets the backslash."""


def escaped(text: str) -> str:
    """One line, shown as it was typed."""
    line = _ANYWHERE.sub(r"\\\1", safe(text))
    line = _INVITE.sub(r"\1\\.", _LINK.sub(r"\\:", line))
    return _AT_START.sub(_first, line)


def _first(found: re.Match[str]) -> str:
    space, mark = found[1], found[2]
    return f"{space}{mark}\\" if mark.isdigit() else f"{space}\\{mark}"
