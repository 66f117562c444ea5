"""What a person does in a modal: finds a field by its label, fills it in, and is held back as the client does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.slack.peer.blocks import words_of
from tests.slack.peer.refused import Json

Options = Mapping[str, list[Json]]
"""By block id, what a live select has offered."""


def inputs(view: Json) -> Iterator[tuple[str, Json]]:
    """All input blocks, each with its block id."""
    for number, block in enumerate(view["blocks"]):
        if block["type"] == "input":
            block.setdefault("block_id", f"b{number}")
            block["element"].setdefault("action_id", f"a{number}")
            yield block["block_id"], block


def field_named(view: Json, name: str) -> tuple[str, Json]:
    """The input whose label, block id or action id is, or begins with, `name`."""
    wanted = name.lower()
    for block_id, block in inputs(view):
        label = block["label"]["text"].lower()
        if label.startswith(wanted) or wanted in (block_id.lower(), block["element"]["action_id"].lower()):
            return block_id, block
    raise AssertionError(f"there is no field {name!r} in {[block['label']['text'] for _, block in inputs(view)]}")


def filled(view: Json, answers: Mapping[str, str], offered: Options) -> Json:
    """The state of the view, with what was there before and what is answered by label. Raises where Slack would not."""
    by_block = {field_named(view, name)[0]: answer for name, answer in answers.items()}
    values: Json = {}
    for block_id, block in inputs(view):
        element = block["element"]
        value = _value(element, by_block.get(block_id), offered.get(block_id, []))
        if _empty(value) and not block.get("optional"):
            raise AssertionError(f"Slack's client wants {block['label']['text']!r} filled in")
        values[block_id] = {element["action_id"]: value}
    return values


def _value(element: Json, answer: str | None, offered: list[Json]) -> Json:
    kind = element["type"]
    if kind == "plain_text_input":
        text = element.get("initial_value") if answer is None else answer
        most, least = element.get("max_length", 3000), element.get("min_length", 0)
        assert text is None or least <= len(text) <= most, f"Slack's client takes {least} to {most} characters"
        return {"type": kind, "value": text or None}
    if kind == "checkboxes":
        chosen = element.get("initial_options", []) if answer is None else [_option(element, answer, offered)]
        return {"type": kind, "selected_options": chosen}
    if kind in ("static_select", "external_select", "radio_buttons"):
        one = element.get("initial_option") if answer is None else _option(element, answer, offered)
        return {"type": kind, "selected_option": one}
    raise AssertionError(f"no story fills in a {kind} yet")


def _option(element: Json, answer: str, offered: list[Json]) -> Json:
    known = [*element.get("options", []), *offered]
    known += [option for group in element.get("option_groups", []) for option in group["options"]]
    for option in known:
        if answer in (option["value"], option["text"]["text"]):
            return dict(option)
    for option in known:
        if answer in option["text"]["text"]:
            return dict(option)
    raise AssertionError(f"{answer!r} is not offered: {[option['text']['text'] for option in known]}")


def _empty(value: Json) -> bool:
    return not (value.get("value") or value.get("selected_option") or value.get("selected_options"))


def actions(blocks: list[Json]) -> Iterator[tuple[str, Json]]:
    """All that can be clicked or chosen in these blocks, each with its block id."""
    for number, block in enumerate(blocks):
        block_id = block.get("block_id", f"b{number}")
        candidates = block.get("elements", []) if block["type"] == "actions" else [block.get("accessory")]
        for one in candidates:
            if isinstance(one, dict) and one["type"] not in ("image", "mrkdwn", "plain_text"):
                yield block_id, one


def buttons(blocks: list[Json]) -> list[str]:
    """The labels of all buttons, in order, links left out."""
    return [element["text"]["text"] for _, element in actions(blocks) if element["type"] == "button"]


def button(blocks: list[Json], label: str) -> tuple[str, Json]:
    """The button that says `label`. Raises where there is none."""
    found = [(id_, one) for id_, one in actions(blocks) if one["type"] == "button"]
    for exact in (True, False):
        for block_id, element in found:
            text = element["text"]["text"]
            if text == label or (not exact and label in text):
                return block_id, element
    raise AssertionError(f"there is no button {label!r}; there are {buttons(blocks)}, below {words_of(blocks)[:3]}")
