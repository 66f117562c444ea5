"""What a release printed, made fit to be shown: the last lines, printable, short, and without the host's secrets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.release.text import clean

_TAIL = 8192
_LINES = 8
_CHARACTERS = 800
_SECRET_AT_LEAST = 6
"""Characters: shorter values (a port, `true`) are no secrets, and hiding them would hide the log."""


def last_words(log: Path, secrets: Iterable[str]) -> str:
    """The end of `log` on one line; empty where nothing was printed."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    lines = [line for line in map(clean, text.splitlines()) if line]
    words = " | ".join(lines[-_LINES:])
    for secret in secrets:  # in what is shown: escapes inside one must not hide it from us
        if len(secret) >= _SECRET_AT_LEAST:
            words = words.replace(secret, "•••")
    return words[-_CHARACTERS:]
