"""What becomes of what people type on its way to an app: phones' punctuation, mentions, links, entities."""

from __future__ import annotations

import re
from collections.abc import Mapping

_URL = re.compile(r"https?://[^\s<>|'\"‘’“”]+")
_NAME = re.compile(r"([@#])([\w.-]*\w)")


def on_a_phone(text: str) -> str:
    """As iOS and macOS correct it: curly quotes, dashes, an ellipsis."""
    text = text.replace("--", "—").replace("...", "…")
    text = re.sub(r'"([^"]*)"', "“\\1”", text)
    return re.sub(r"'([^']*)'", "‘\\1’", text).replace("'", "’")


def as_sent(text: str, known: Mapping[str, str], *, labels: bool) -> str:
    """Entities, and `<…>` for people, channels and links; `known` has ids by `@name` and `#name`.

    `labels`: with the name in it, as slash commands carry it.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _URL.sub(lambda found: f"<{found[0]}>", text)

    def named(found: re.Match[str]) -> str:
        id_ = known.get(found[0])
        if id_ is None:
            return found[0]
        label = f"|{found[2]}" if labels or found[1] == "#" else ""
        return f"<{found[1]}{id_}{label}>"

    parts = re.split(r"(<[^>]*>)", text)
    return "".join(part if part.startswith("<") else _NAME.sub(named, part) for part in parts)
