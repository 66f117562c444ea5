"""Text that came from outside, made fit to be shown: the one cleaner that bot and agents share."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 300
"""Characters that one text of a server, check or mainframe may take on a card or in the journal."""

_READ = 20
"""Times `limit` characters are looked at: a flood of what is stripped must not cost more than that."""
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])|\x9b[0-?]*[ -/]*[@-~]")
_SPACES = frozenset({"Zs", "Zl", "Zp"})
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_JOINERS = "\u200c\u200d"
"""Shown although of category Cf: Persian, Hindi and emoji need them."""


def one_line(text: str, limit: int = LIMIT) -> str:
    """`text` on one line of at most `limit` characters, without control, bidirectional and terminal characters.

    What is cut ends in an ellipsis, so that nobody takes a part for the whole.
    """
    read = text[: limit * _READ]
    line = " ".join("".join(map(_shown, _TERMINAL.sub("", read))).split())
    if len(line) <= limit and len(read) == len(text):
        return line
    return line[: limit - 1].rstrip() + "…"


def _shown(character: str) -> str:
    if character in "\t\n\r\v\f":
        return " "
    if character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category in _SPACES:
        return " "
    return "" if category in _UNSEEN else character
