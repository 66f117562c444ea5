"""What a release printed, made fit to be shown: the last lines, printable, short, and without the host's secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_TAIL = 8192
_LINES = 8
_CHARACTERS = 800
_SECRET_AT_LEAST = 6
"""Characters: shorter values (a port, `true`) are no secrets, and hiding them would hide the log."""
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")


def last_words(log: Path, secrets: Iterable[str]) -> str:
    """The end of `log` on one line; empty where nothing was printed."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    for secret in secrets:
        if len(secret) >= _SECRET_AT_LEAST:
            text = text.replace(secret, "•••")
    lines = [line for line in map(printable, text.splitlines()) if line]
    return " | ".join(lines[-_LINES:])[-_CHARACTERS:]


def printable(text: str) -> str:
    """Without terminal escapes, control and bidirectional characters."""
    return "".join(c if c.isprintable() else " " for c in _ESCAPES.sub("", text)).strip()
