"""Writing TOML: the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

Table = tuple[str, Mapping[str, object]]
"""A heading with its brackets, like `[run]` or `[[api]]`, and the pairs below it."""


def document(top: Mapping[str, object], tables: Iterable[Table]) -> str:
    """A whole TOML text. Pairs whose value is None are left out. Raises TypeError for a value that TOML has not."""
    blocks = [_pairs(top), *(f"{heading}\n{_pairs(pairs)}" for heading, pairs in tables)]
    return "\n".join(block for block in blocks if block)


def _pairs(pairs: Mapping[str, object]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in pairs.items() if value is not None)


def _value(value: object) -> str:
    match value:
        case bool() | int() | float():
            return json.dumps(value)
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)  # for printable texts TOML quotes as JSON does
        case datetime():
            return value.isoformat()
        case Mapping():
            return "{ " + ", ".join(f"{name} = {_value(item)}" for name, item in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")
