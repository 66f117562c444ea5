"""Lines that fit into so many columns: wide characters and emoji take two."""

from __future__ import annotations

import re

from rich.cells import cell_len, chop_cells

_COMMAND = r"`(?:deploy|ashat) [^`]+`"
_WORDS = re.compile(rf"(?:{_COMMAND}|\S)+\s*")
"""A command in backticks is one of them: it can be copied from its row."""


def wrapped(text: str, width: int, indent: int = 0, hang: int = 0) -> list[str]:
    """`text` in rows of at most `width` columns, the first `indent` columns in and the others `hang` more."""
    rows: list[str] = []
    row = " " * indent
    for word in _pieces(text, width - indent - hang):
        if cell_len(row) + cell_len(word.rstrip()) > width:
            if row.strip():
                rows.append(row.rstrip())
            row = " " * (indent + hang if rows else indent)
        row += word
    return [*rows, row.rstrip()]


def _pieces(text: str, room: int) -> list[str]:
    """Words with the space behind them; one that fits into no row is cut where the row ends, but for a command."""
    leading = text[: len(text) - len(text.lstrip())]
    found: list[str] = [leading] if leading else []
    for word in _WORDS.findall(text):
        fits = re.search(_COMMAND, word) is not None or cell_len(word.rstrip()) <= room
        found += [word] if fits else chop_cells(word, max(room, 2))
    return found
