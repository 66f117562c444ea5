"""The dialogs: a push, and the reason for a rejection or a rollback; checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack.drawing import Block, Blocks, Element, plain
from core.commands import Argument, Seen, spec_named
from core.lexing import lex
from core.parsing import LONGEST, Reply, from_fields, parse
from core.plain import safe
from core.rendering import quoted, render
from core.text import clean, visible
from core.values import ArgumentError, read

_TITLE = 24
_INPUT = 3000
_OPTIONS = 100
_OPTION = 75
"""Characters and counts: https://docs.slack.dev/reference/views and /block-kit/block-elements."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a dialog is about; it travels in the dialog itself, and Slack brings it back."""

    command: str
    channel: str = ""
    thread: str | None = None
    seen: Seen | None = None

    def text(self) -> str:
        bound = [self.seen.attempt, self.seen.digest, self.seen.run] if self.seen else None
        return json.dumps([self.command, self.channel, self.thread, bound])

    @classmethod
    def read(cls, text: str) -> Asked:
        command, channel, thread, bound = json.loads(text)
        return cls(command, channel, thread, Seen(*bound) if bound else None)


# -- a push ------------------------------------------------------------------------------------------------------------


def push_form(asked: Asked, given: Mapping[str, str]) -> dict[str, Any]:
    """`given` is what was typed already, by field."""
    update = given.get("id", "")
    chosen = {"initial_option": _option(update)} if 0 < len(update) <= _OPTION else {}
    select = {
        "type": "external_select", "action_id": "update", "min_query_length": 0,
        "placeholder": plain("Newest first"), **chosen,
    }  # fmt: skip
    blocks = [
        {"type": "input", "block_id": "id", "label": plain("Update on ALPHA"), "element": select},
        _text("description", "What changes", given, most=500),
        _text("info", "More information", given, most=2000, optional=True),
        _text("tasks", "Linked tasks, one a line", given, most=_INPUT, optional=True),
    ]
    return _view("push", "New deployment", "Push", asked, blocks)


def push_fields(view: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    """What was filled in, by the command's own field names."""
    state = view["state"]["values"]
    chosen = state["id"]["update"].get("selected_option") or {}
    words = {name: state[name][name].get("value") or "" for name in ("description", "info", "tasks")}
    tasks = [task for line in words.pop("tasks").splitlines() if (task := line.strip())]
    return {"id": str(chosen.get("value", "")), **words, "tasks": tasks}


def push_line(fields: Mapping[str, str | Sequence[str]]) -> tuple[str, dict[str, str]]:
    """The line that somebody would type for it, or what is wrong, by field."""
    spec = spec_named("push")
    assert spec is not None, "the table of commands has push"
    wrong = {one.name: problem for one in spec.arguments if (problem := _problem(one, fields.get(one.name, "")))}
    if wrong:
        return "", wrong
    parsed = from_fields("push", fields)
    if isinstance(parsed, Reply):
        return "", {"description": parsed.problem}
    return render(parsed), {}


def lacking(text: str) -> dict[str, str] | None:
    """What a typed `push` gave, by field, where it is not enough for a push; None where it is, or is none."""
    line = visible(text)
    tokens = lex(line) if "push" in line.lower() else ()
    if not isinstance(tokens, tuple) or not tokens or not isinstance(parse(text), Reply):
        return None
    words = [token.text for token in tokens if token.text.lower() not in ("deploy", "/deploy") and not token.flag]
    if not words or words[0].lower() != "push" or len(words) > 2:
        return None
    return {"id": words[1]} if len(words) == 2 else {}


def options(updates: Sequence[str], typed: str) -> dict[str, Any]:
    """ALPHA's updates that hold what was typed, as a select wants them."""
    found = [one for one in updates if typed.lower() in one.lower() and len(one) <= _OPTION]
    return {"options": [_option(one) for one in found[:_OPTIONS]]}


# -- a reason ----------------------------------------------------------------------------------------------------------


def reason_form(asked: Asked, *, needed: bool, says: str = "") -> dict[str, Any]:
    """`says`: the consequences, for whoever is about to ask for them."""
    told = [{"type": "section", "text": plain(safe(says))}] if says else []
    blocks = [*told, _text("reason", "Why", {}, most=500, optional=not needed)]
    name, _, about = asked.command.partition(" ")
    return _view("reason", f"{name.capitalize()} {about}", name.capitalize(), asked, blocks)


def reason_line(view: Mapping[str, Any], asked: Asked) -> tuple[str, dict[str, str]]:
    """The command with its reason, or what is wrong."""
    reason = clean(view["state"]["values"]["reason"]["reason"].get("value") or "", LONGEST)
    line = f"{asked.command} {quoted(reason)}" if reason else asked.command
    parsed = parse(line)
    return (line, {}) if not isinstance(parsed, Reply) else ("", {"reason": parsed.problem})


# -- inside ------------------------------------------------------------------------------------------------------------


def _problem(argument: Argument, value: str | Sequence[str]) -> str:
    texts = [value] if isinstance(value, str) else list(value)
    cleaned = [text for text in (clean(one, LONGEST) for one in texts) if text]
    if argument.required and not cleaned:
        return f"This is missing: {argument.summary}."
    try:
        for text in cleaned:
            read(argument, text)
    except ArgumentError as error:
        return str(error)
    return ""


def _option(update: str) -> Element:
    return {"text": plain(update), "value": update}


def _text(name: str, label: str, given: Mapping[str, str], *, most: int, optional: bool = False) -> Block:
    filled = {"initial_value": text} if (text := given.get(name)) else {}
    element = {"type": "plain_text_input", "action_id": name, "multiline": True, "max_length": most, **filled}
    return {"type": "input", "block_id": name, "label": plain(label), "element": element, "optional": optional}


def _view(id_: str, title: str, submit: str, asked: Asked, blocks: Blocks) -> dict[str, Any]:
    short = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"
    return {
        "type": "modal", "callback_id": id_, "title": plain(short), "submit": plain(submit), "close": plain("Not now"),
        "blocks": blocks, "private_metadata": asked.text(),
    }  # fmt: skip
