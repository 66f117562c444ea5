"""A command as the line that a person would type for it: `parse(render(command)) == command`."""

from __future__ import annotations

import re

from core.commands import Argument, Command, spec_of
from core.lexing import QUOTES, unescaped
from core.values import Value

_PLAIN = re.compile(r"[A-Za-z0-9][\w.:/#@+~=?%-]*")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def render(command: Command) -> str:
    """The line for `command`. What a button had bound (`seen`) is no part of it."""
    spec = spec_of(command)
    parts = ["deploy", spec.name]
    for argument in spec.arguments:
        value = getattr(command, argument.name)
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None:
                parts += [argument.flag, _shown(argument, one)] if argument.flag else [_shown(argument, one)]
    return " ".join(parts)


def quoted(text: str) -> str:
    """`text`, which is `clean`, as one quoted argument."""
    if '"' in text and not re.search("[\\\\'‘’]", text):
        return f"'{_escaped(text)}'"
    marks = QUOTES if "\\" in text else '"'
    inner = re.sub(f"([{marks}])", r"\\\1", text)
    return f'"{_escaped(inner)}{" " if text.endswith(chr(92)) else ""}"'


def duration(seconds: float) -> str:
    """`5400` is `1h30m`."""
    parts = []
    left = round(seconds, 3)
    for unit, letter in _UNITS:
        count, left = divmod(left, unit)
        if count:
            parts.append(f"{int(count)}{letter}")
    if left:
        parts.append(f"{left:.3f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts) or "0s"


def _shown(argument: Argument, value: Value) -> str:
    if argument.kind == "duration":
        return duration(float(value))
    text = str(value)
    if argument.kind == "url":
        return _escaped(text)
    free = argument.kind == "text" and argument.flag is None
    return text if not free and _PLAIN.fullmatch(text) else quoted(text)


def _escaped(text: str) -> str:
    """`&` and `<` as a chat would send them, where they would otherwise be read as its escapes."""
    if unescaped(text) == text and unescaped(text, links=True) == text:
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
