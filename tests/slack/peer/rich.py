"""Rich text as Slack checks it: sections of typed elements, in which nothing is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.slack.peer.refused import Json

_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "text": ({"text"}, {"style"}),
    "date": ({"timestamp", "format"}, {"fallback", "url", "style"}),
    "user": ({"user_id"}, {"style"}),
    "link": ({"url"}, {"text", "unsafe", "style"}),
    "emoji": ({"name"}, {"unicode", "skin_tone", "style"}),
}
"""Element type to the keys that it must have, and those that it may have."""
_DATE_TOKENS = re.compile(
    r"\{(?:date_num|date_slash|date_long|date_long_full|date_long_pretty|date|date_pretty|date_short|date_short_pretty"
    r"|time|time_secs|ago|day_divider_pretty)\}"
)


def faults(block: Json, at: str) -> Iterator[tuple[str, str]]:
    """Pointer and words of everything that is wrong with a rich_text block."""
    for key in block.keys() - {"type", "block_id", "elements"}:
        yield f"{at}/{key}", f"invalid additional property: {key}"
    elements = block.get("elements")
    if not isinstance(elements, list) or not elements:
        yield f"{at}/elements", "must have at least 1 item"
        return
    for number, section in enumerate(elements):
        where = f"{at}/elements/{number}"
        if not isinstance(section, dict) or section.get("type") != "rich_text_section":
            yield f"{where}/type", "unsupported type"
            continue
        for inner, element in enumerate(section.get("elements") or ()):
            yield from _element(element, f"{where}/elements/{inner}")


def _element(element: Any, at: str) -> Iterator[tuple[str, str]]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in _KEYS:
        yield f"{at}/type", f"unsupported type: {kind}"
        return
    needed, allowed = _KEYS[kind]
    for key in needed - element.keys():
        yield at, f"missing required field: {key}"
    for key in element.keys() - needed - allowed - {"type"}:
        yield f"{at}/{key}", f"invalid additional property: {key}"
    if kind == "text" and not element.get("text"):
        yield f"{at}/text", "must be more than 0 characters"
    if kind == "date" and not isinstance(element.get("timestamp"), int):
        yield f"{at}/timestamp", "must be an integer"
    if kind == "date" and re.search(r"[{}]", _DATE_TOKENS.sub("", str(element.get("format")))):
        yield f"{at}/format", "unknown token"


def words(block: Json) -> str:
    """What a reader sees, with dates in the words for those who cannot draw them."""
    return "".join(_shown(one) for section in block["elements"] for one in section.get("elements", ()))


def _shown(element: Json) -> str:
    match element:
        case {"type": "date"}:
            return str(element.get("fallback") or element["timestamp"])
        case {"type": "user", "user_id": user}:
            return f"<@{user}>"
        case {"type": "emoji", "name": name}:
            return f":{name}:"
        case _:
            return str(element.get("text") or element.get("url"))
