"""The dialogs: a push, and the reason for a rejection or a rollback; checked field by field.

What a dialog is about is in its custom id, which Discord brings back: `push`, or the button's own id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.discord import buttons
from adapters.discord.buttons import Clicked
from adapters.discord.escaping import escaped
from core.commands import spec_named
from core.parsing import LONGEST, Reply, from_fields, parse
from core.plain import safe
from core.rendering import quoted, render
from core.text import clean

PUSH = "push"
_TITLE = 45
_LABEL = 45
_OPTIONS = 25
_OPTION = 100
_LINE, _PARAGRAPH = 1, 2
"""Numbers and limits: https://discord.com/developers/docs/components/reference."""


def push_form(given: Mapping[str, str | Sequence[str]], updates: Sequence[str]) -> dict[str, Any]:
    """`given` is what was typed already, by field. ALPHA's updates are offered where a list can hold them all."""
    id_ = str(given.get("id", ""))
    tasks = given.get("tasks", ())
    listed = [one for one in updates if len(one) <= _OPTION]
    chooses = 0 < len(listed) <= _OPTIONS and (not id_ or id_ in listed)
    rows = [
        _select("id", "Update on ALPHA", listed, id_) if chooses else _text("id", "Update on ALPHA", id_, 64, _LINE),
        _text("description", "What changes", str(given.get("description", "")), 500),
        _text("info", "More information", str(given.get("info", "")), 2000, needed=False),
        _text("tasks", "Linked tasks, one a line", tasks if isinstance(tasks, str) else "\n".join(tasks), 2000,
              needed=False),
    ]  # fmt: skip
    return {"custom_id": PUSH, "title": "New deployment", "components": rows}


def push_line(values: Mapping[str, str]) -> tuple[str, str]:
    """The line that somebody would type for it, or what is wrong."""
    tasks = [task.strip() for task in values.get("tasks", "").splitlines() if task.strip()]
    fields: dict[str, str | Sequence[str]] = {**values, "tasks": tasks}
    parsed = from_fields("push", fields)
    return ("", parsed.text) if isinstance(parsed, Reply) else (render(parsed), "")


def reason_form(about: Clicked, consequences: str = "") -> dict[str, Any]:
    """`about` is a click on a button that asks why. Raises ValueError where its custom id does not fit."""
    told = [{"type": 10, "content": escaped(consequences)}] if consequences else []
    name, _, update = about.command.partition(" ")
    spec = spec_named(name)
    label = f"Why{'' if about.kind == 'why' else ' (optional)'}"
    title = safe(f"{name.capitalize()} {update}") if spec else "Why"
    return {
        "custom_id": buttons.custom_id(about.kind, about.command, about.seen), "title": _cut(title, _TITLE),
        "components": [*told, _text("reason", label, "", 500, needed=about.kind == "why")],
    }  # fmt: skip


def reason_line(about: Clicked, values: Mapping[str, str]) -> tuple[str, str]:
    """The command with its reason, or what is wrong."""
    reason = clean(values.get("reason", ""), LONGEST)
    line = f"{about.command} {quoted(reason)}" if reason else about.command
    parsed = parse(line)
    return ("", parsed.text) if isinstance(parsed, Reply) else (line, "")


def values_of(components: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What was filled in, by the inputs' custom ids; of a list, what was chosen."""
    return dict(_values(components))


def _values(components: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in components:
        if one.get("custom_id"):
            chosen = one.get("values")
            yield str(one["custom_id"]), str(chosen[0]) if chosen else str(one.get("value") or "")
        yield from _values(one.get("components") or ())
        if one.get("component"):
            yield from _values((one["component"],))


def _text(
    name: str, label: str, value: str, most: int, style: int = _PARAGRAPH, *, needed: bool = True
) -> dict[str, Any]:
    given = {"value": _cut(value, most)} if value else {}
    field = {"type": 4, "custom_id": name, "style": style, "max_length": most, "required": needed, **given}
    return {"type": 18, "label": _cut(label, _LABEL), "component": field}


def _select(name: str, label: str, options: Sequence[str], chosen: str) -> dict[str, Any]:
    offered = [{"label": one, "value": one, "default": one == chosen} for one in options]
    return {
        "type": 18,
        "label": label,
        "component": {"type": 3, "custom_id": name, "options": offered, "required": True},
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
