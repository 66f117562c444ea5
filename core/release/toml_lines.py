"""Where a key stands in a TOML text: the standard parser gives values without lines, and people need the line."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TABLE = re.compile(r"^\s*\[(?!\[)([^\]]+)\]")
_ARRAY = re.compile(r"^\s*\[\[([^\]]+)\]\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The 1-based line of the longest part of `path` that stands in `text`, or None where none of it does."""
    found: dict[tuple[str | int, ...], int] = {}
    prefix: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _ARRAY.match(line):
            names = _split(match[1])
            counts[names] = counts.get(names, -1) + 1
            prefix = (*names, counts[names])
            found.setdefault(names, number)
            found.setdefault(prefix, number)
        elif match := _TABLE.match(line):
            prefix = _split(match[1])
            found.setdefault(prefix, number)
        elif match := _KEY.match(line):
            found.setdefault((*prefix, *_split(match[1])), number)
    wanted = tuple(path)
    while wanted:
        if wanted in found:
            return found[wanted]
        wanted = wanted[:-1]
    return None


def _split(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", dotted)
    return tuple(part.strip("\"'") for part in parts)
