"""Text that came from outside, made fit to be shown: the one cleaner that bot and agents share."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 300
"""Characters that one text of a server, check or mainframe may take on a card or in the journal."""

_READ = 20
"""Times `limit` characters are looked at: a flood of what is stripped must not cost more than that."""
_TERMINAL = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)")
"""Control sequences of terminals (ECMA-48): colours and cursor moves, window titles and links."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""What shows nothing or reorders what is shown: control and bidirectional characters, invisible spaces and tags, halves
of surrogate pairs, and noncharacters, with which core.moments marks times. Joiners (U+200C, U+200D) stay: Persian,
Hindi and emoji need them."""


def visible(text: str) -> str:
    """`text` in NFC without terminal sequences and characters that cannot be seen; line breaks and spaces stay."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", _UNSEEN.sub("", _TERMINAL.sub("", text)))


def clean(text: str, limit: int = LIMIT) -> str:
    """`text` as one visible line of at most `limit` characters.

    What is cut ends in an ellipsis, so that nobody takes a part for the whole.
    """
    read = text[: limit * _READ]
    line = " ".join(visible(read).split())
    if len(line) <= limit and len(read) == len(text):
        return line
    return line[: limit - 1].rstrip() + "…"
