"""Text that came from outside, made fit to be shown: the one cleaner that bot and agents share."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 300
"""Characters that one text of a server, check or mainframe may take on a card or in the journal."""

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])|\x9b[0-?]*[ -/]*[@-~]")
_SPACES = frozenset({"Zs", "Zl", "Zp"})
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def one_line(text: str, limit: int = LIMIT) -> str:
    """`text` on one line of at most `limit` characters, without control, bidirectional and terminal characters.

    What is cut ends in an ellipsis, so that nobody takes a part for the whole.
    """
    seen = _TERMINAL.sub("", text[: limit * 20])
    line = " ".join("".join(map(_shown, seen)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _shown(character: str) -> str:
    if character in "\t\n\r\v\f":
        return " "
    category = unicodedata.category(character)
    if category in _SPACES:
        return " "
    return "" if category in _UNSEEN else character
