"""The slash command `/deploy`, made from the one table of commands; and what somebody chose, as a line of text.

A command of Discord's holds 25 options. Those of the table that are asked for every day stand in it directly, the
others in nested groups (`/deploy policy lock`); the line of text is the same for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.commands import SPECS, Argument, Spec, spec_named
from core.completion import CompletionContext, suggest
from core.parsing import Reply, from_fields
from core.rendering import render

NAME = "deploy"
MOST = 25
"""Options of a command, of a group, and choices: https://discord.com/developers/docs/interactions/application-commands."""
_DESCRIPTION = 100
_CHOICE = 100
_LONGEST = 6000
_SUBCOMMAND, _GROUP, _STRING, _INTEGER = 1, 2, 3, 4
_COMPLETED = ("id", "update", "component", "region", "mainframe", "command", "stage", "duration", "time")
"""Kinds of arguments that Discord asks for while they are typed."""
FORMS = {"push": ("id", "description"), "reject": ("reason",)}
"""Commands that ask in a form for what is missing: so Discord does not insist on it."""
_SELDOM = dict.fromkeys(("lock", "unlock", "freeze", "unfreeze", "countersign"), "policy")
"""Commands of everyday groups that are asked for seldom, and the nested group that they stand in."""
_FLAT = ("Deployment Management", "Monitoring", "Server Configuration")
"""Groups of the table in the order in which they keep their place in the command itself."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen: the line for it, or what is wrong; and what of it was given, for a form."""

    spec: Spec
    given: Mapping[str, str | Sequence[str]]
    line: str
    problem: str = ""
    lacks: bool = False
    """Whether a form should ask for the rest."""


def offered() -> tuple[Spec, ...]:
    return tuple(spec for spec in SPECS if spec.where == "everywhere")


def placed(specs: Sequence[Spec]) -> dict[str, str]:
    """Each command's nested group (the first word of the table's), "" for those in `/deploy` itself.

    Of the others as many groups of the table stay whole in it as there is room for; the last of `_FLAT` give way first.
    """
    places = {spec.name: _SELDOM.get(spec.name, "") for spec in specs}
    kinds = list(dict.fromkeys(spec.group for spec in specs))
    kinds.sort(key=lambda kind: _FLAT.index(kind) if kind in _FLAT else len(_FLAT))
    for kind in reversed(kinds):
        flat = sum(1 for place in places.values() if not place)
        if kind in _FLAT and flat + len({place for place in places.values() if place}) <= MOST:
            break
        places |= {spec.name: _slug(kind.split()[0]) for spec in specs if spec.group == kind and not places[spec.name]}
    return places


def registration(specs: Sequence[Spec] | None = None) -> dict[str, Any]:
    """What Discord is told. Raises ValueError where it does not fit, which a test of the table notices first."""
    specs = offered() if specs is None else specs
    places = placed(specs)
    options = [_subcommand(spec) for spec in specs if not places[spec.name]]
    for group in dict.fromkeys(place for place in places.values() if place):
        inside = [_subcommand(spec) for spec in specs if places[spec.name] == group]
        about = f"More commands: {', '.join(option['name'] for option in inside)}"
        options.append({"type": _GROUP, "name": group, "description": _short(about), "options": inside})
    if any(len(one.get("options", ())) > MOST for one in ({"options": options}, *options)):
        raise ValueError(f"a command of Discord's holds {MOST} options")
    return {
        "type": 1, "name": NAME, "description": "Carry an update to production", "options": options,
        "contexts": [0], "integration_types": [0],
    }  # fmt: skip


def same(registered: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether what Discord has is what it should have: it adds ids, versions and empty translations."""
    return _plain(registered) == _plain(wanted)


def _plain(option: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("type", "name", "description", "required", "autocomplete", "min_value", "max_value", "max_length")
    plain = {key: option[key] for key in kept if option.get(key) not in (None, False)}
    plain["choices"] = [(one["name"], one["value"]) for one in option.get("choices") or ()]
    plain["options"] = [_plain(below) for below in option.get("options") or ()]
    return plain


# -- one command -------------------------------------------------------------------------------------------------------


def _subcommand(spec: Spec) -> dict[str, Any]:
    options = [_option(spec, argument) for argument in spec.arguments]
    options.sort(key=lambda option: not option["required"])
    return {"type": _SUBCOMMAND, "name": spec.name, "description": _short(spec.summary), "options": options}


def _option(spec: Spec, argument: Argument) -> dict[str, Any]:
    required = argument.required and argument.name not in FORMS.get(spec.name, ())
    about = argument.summary + ("; several with commas between" if argument.repeatable else "")
    option: dict[str, Any] = {
        "type": _STRING, "name": option_name(argument), "description": _short(about[0].upper() + about[1:]),
        "required": required,
    }  # fmt: skip
    match argument.kind:
        case "count":
            return option | {"type": _INTEGER, "min_value": 1, "max_value": argument.limit}
        case "choice":
            return option | {"choices": [{"name": one, "value": one} for one in argument.choices]}
        case kind if kind in _COMPLETED:
            return option | {"autocomplete": True}
    return option | {"max_length": min(argument.limit, _LONGEST)}


def option_name(argument: Argument) -> str:
    """https://discord.com/developers/docs/interactions/application-commands, naming: lower case, no spaces."""
    return _slug(argument.name)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32]


def _short(text: str) -> str:
    return text if len(text) <= _DESCRIPTION else f"{text[: _DESCRIPTION - 1]}…"


# -- what was chosen ---------------------------------------------------------------------------------------------------


def chosen(data: Mapping[str, Any]) -> Chosen | None:
    """What an interaction's `data` asks for; None where there is no such command any more."""
    found = _found(data)
    if found is None:
        return None
    spec, options = found
    given = dict(_fields(spec, options))
    parsed = from_fields(spec.name, given)
    if isinstance(parsed, Reply):
        lacks = any(not given.get(name) for name in FORMS.get(spec.name, ()))
        return Chosen(spec, given, "", parsed.text, lacks)
    return Chosen(spec, given, render(parsed))


def completed(data: Mapping[str, Any], context: CompletionContext) -> list[dict[str, str]]:
    """The choices for the option that is being typed."""
    found = _found(data)
    if found is None:
        return []
    spec, options = found
    focused = next((option for option in options if option.get("focused")), None)
    argument = next((one for one in spec.arguments if focused and option_name(one) == focused.get("name")), None)
    if focused is None or argument is None:
        return []
    words = suggest(spec, argument, str(focused.get("value", "")).strip(), context)
    fitting = [word for word in words if 0 < len(word) <= _CHOICE]
    return [{"name": word, "value": word} for word in fitting[:MOST]]


def _found(data: Mapping[str, Any]) -> tuple[Spec, Sequence[Mapping[str, Any]]] | None:
    if data.get("name") != NAME:
        return None
    inside = next(iter(data.get("options") or ()), None)
    if inside is not None and inside.get("type") == _GROUP:
        inside = next(iter(inside.get("options") or ()), None)
    spec = spec_named(str(inside.get("name"))) if inside is not None else None
    if inside is None or spec is None or spec.where != "everywhere":
        return None
    return spec, inside.get("options") or ()


def _fields(spec: Spec, options: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str | Sequence[str]]]:
    """By the argument's own name; a number that Discord has read is text again."""
    names = {option_name(argument): argument for argument in spec.arguments}
    for option in options:
        argument = names.get(str(option.get("name")))
        if argument is not None:
            text = str(option.get("value", ""))
            yield argument.name, several(text) if argument.repeatable else text


def several(text: str) -> list[str]:
    """`OPS-7, OPS-8`, or a line each."""
    return [one.strip() for one in re.split(r"[,\n]", text) if one.strip()]
