"""Commands, buttons and modals as a person has them before them: what can be typed, clicked and filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.discord.peer.commands import BOOLEAN, GROUP, INTEGER, NUMBER, STRING, SUBCOMMAND
from tests.discord.peer.components import BUTTON, INPUT, LABEL, ROW, nested
from tests.discord.peer.refused import Json

_TYPED: dict[int, type | tuple[type, ...]] = {STRING: str, INTEGER: int, BOOLEAN: bool, NUMBER: (int, float)}


def button(components: Iterable[Json], label: str) -> Json:
    """The one button that says `label`, that can be clicked."""
    shown = [one for one in nested([*components]) if one["type"] == BUTTON]
    found = [one for one in shown if one.get("label") == label]
    assert len(found) == 1, f"{len(found)} buttons say {label!r}; there are {labels(components)}"
    assert not found[0].get("disabled"), f"{label!r} cannot be clicked"
    return found[0]


def labels(components: Iterable[Json]) -> list[str]:
    return [str(one.get("label")) for one in nested([*components]) if one["type"] == BUTTON]


def command(registered: Iterable[Json], path: str) -> tuple[Json, list[Json], Json]:
    """The command that `path` names: the registered one, the groups and subcommand within, the leaf of them."""
    by_name = {one["name"]: one for one in registered}
    words = path.removeprefix("/").split()
    words = words if words[0] in by_name else ["deploy", *words]
    assert words[0] in by_name, f"no command {words[0]!r} is registered; there are {[*by_name]}"
    root = leaf = by_name[words[0]]
    within = []
    for word in words[1:]:
        inner = {one["name"]: one for one in leaf.get("options", []) if one["type"] in (SUBCOMMAND, GROUP)}
        assert word in inner, f"{path!r} is not registered; there are {[*inner]}"
        leaf = inner[word]
        within.append(leaf)
    nesting = any(one["type"] in (SUBCOMMAND, GROUP) for one in leaf.get("options", []))
    assert not nesting, f"{path!r} is a group: it cannot be sent"
    return root, within, leaf


def options(leaf: Json, given: Mapping[str, Any], *, typing: str | None = None) -> list[Json]:
    """As a client sends them, in the order in which they are registered; `typing`: the one that is being typed."""
    known = {one["name"]: one for one in leaf.get("options", [])}
    named = {name if name in known else name.replace("_", "-"): value for name, value in given.items()}
    assert named.keys() <= known.keys(), f"{leaf['name']} has no options {named.keys() - known.keys()}: {[*known]}"
    missing = [name for name, one in known.items() if one.get("required") and name not in named]
    assert not missing or typing, f"{leaf['name']} cannot be sent without {missing}"
    made = []
    for name, one in known.items():
        if name in named:
            if name != typing:
                _fits(one, named[name])
            made.append({"name": name, "type": one["type"], "value": named[name]})
            if name == typing:
                made[-1]["focused"] = True
    return made


def _fits(one: Json, value: Any) -> None:
    """What a client lets nobody send."""
    wanted = _TYPED.get(one["type"], str)
    assert isinstance(value, wanted), f"{one['name']} takes {wanted}, not {value!r}"
    choices = [choice["value"] for choice in one.get("choices", [])]
    assert not choices or value in choices, f"{one['name']} is one of {choices}, not {value!r}"
    if isinstance(value, str):
        assert one.get("min_length", 0) <= len(value) <= one.get("max_length", 6000), (
            f"{one['name']}: {len(value)} long"
        )
    elif not isinstance(value, bool):
        assert one.get("min_value", value) <= value <= one.get("max_value", value), f"{one['name']}: {value}"


def fields(modal: Json) -> dict[str, Json]:
    """The inputs of a modal by what stands above each."""
    made = {}
    for one in modal["components"]:
        if one["type"] == LABEL:
            made[str(one["label"])] = one["component"]
        elif one["type"] == ROW:
            made |= {str(inner.get("label")): inner for inner in one["components"]}
    return made


def filled(modal: Json, answers: Mapping[str, Any]) -> list[Json]:
    """The components of the submission, answered by label; what is left out stays as the modal had it."""
    known = fields(modal)
    assert answers.keys() <= known.keys(), f"the modal has no {answers.keys() - known.keys()}: {[*known]}"
    by_id = {known[label]["custom_id"]: value for label, value in answers.items()}
    return [_submitted(one, by_id) for one in modal["components"]]


def _submitted(one: Json, by_id: Mapping[str, Any]) -> Json:
    made: Json = {"type": one["type"], "id": one["id"]}
    if one["type"] == ROW:
        return made | {"components": [_submitted(inner, by_id) for inner in one["components"]]}
    if one["type"] == LABEL:
        return made | {"component": _submitted(one["component"], by_id)}
    if "custom_id" not in one:
        return made
    made["custom_id"] = one["custom_id"]
    if one["type"] == INPUT:
        value = by_id.get(one["custom_id"], one.get("value") or "")
        least = one.get("min_length") or (1 if one.get("required", True) else 0)
        assert value or not one.get("required", True), f"{one['custom_id']} is to be filled in"
        assert not value or least <= len(value) <= one.get("max_length", 4000), f"{one['custom_id']}: {len(value)} long"
        return made | {"value": value}
    chosen = by_id.get(one["custom_id"], [o["value"] for o in one.get("options", []) if o.get("default")])
    chosen = [chosen] if isinstance(chosen, str) else list(chosen)
    offered = [o["value"] for o in one.get("options", [])]
    assert not offered or set(chosen) <= set(offered), f"{one['custom_id']} offers {offered}, not {chosen}"
    return made | {"values": chosen}
