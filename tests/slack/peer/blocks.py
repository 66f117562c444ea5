"""Block Kit as Slack checks it: every block of a message, a modal or a Home tab, with a JSON pointer to each fault."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.slack.peer import limits, rich
from tests.slack.peer.refused import Json

Surface = Literal["message", "modal", "home"]


@dataclass
class Checker:
    """Collects what is wrong. Each block type and each element type is one method named after it."""

    surface: Surface
    faults: list[str] = field(default_factory=list)
    _block_ids: set[str] = field(default_factory=set)

    def says(self, pointer: str, words: str) -> None:
        self.faults.append(f"{words} [json-pointer:{pointer}]")

    # -- blocks --------------------------------------------------------------------------------------------------------

    def blocks(self, blocks: Any, pointer: str = "/blocks") -> None:
        most = limits.BLOCKS_IN_MESSAGE if self.surface == "message" else limits.BLOCKS_IN_VIEW
        if not self._items(blocks, pointer, 0, most):
            return
        for number, block in enumerate(blocks):
            self._block(block, f"{pointer}/{number}")

    def _block(self, block: Any, pointer: str) -> None:
        kinds: dict[str, Callable[[Json, str], None]] = {
            "section": self._section, "header": self._header, "divider": self._divider, "context": self._context,
            "actions": self._actions, "image": self._image, "input": self._input, "markdown": self._markdown,
            "rich_text": self._rich_text,
        }  # fmt: skip
        kind = block.get("type") if isinstance(block, dict) else None
        check = kinds.get(str(kind))
        if check is None or (kind == "markdown" and self.surface != "message"):
            self.says(f"{pointer}/type", f"unsupported type: {kind}")
            return
        self._text_value(block, "block_id", pointer, limits.ID)
        name = block.get("block_id")
        if name in self._block_ids:
            self.says(f"{pointer}/block_id", f"`block_id` {name!r} already exists")
        elif name:
            self._block_ids.add(str(name))
        check(block, pointer)

    def _section(self, block: Json, at: str) -> None:
        self._keys(block, at, {"text", "fields", "accessory", "expand"})
        if not block.get("text") and not block.get("fields"):
            self.says(at, "must have either `text` or `fields`")
        if "text" in block:
            self.text(block["text"], f"{at}/text", limits.SECTION_TEXT)
        if "fields" in block and self._items(block["fields"], f"{at}/fields", 1, limits.SECTION_FIELDS):
            for number, one in enumerate(block["fields"]):
                self.text(one, f"{at}/fields/{number}", limits.SECTION_FIELD)
        if "accessory" in block:
            self._element(block["accessory"], f"{at}/accessory", _IN_SECTION)

    def _header(self, block: Json, at: str) -> None:
        self._keys(block, at, {"text"})
        self.text(block.get("text"), f"{at}/text", limits.HEADER, plain=True)

    def _divider(self, block: Json, at: str) -> None:
        self._keys(block, at, set())

    def _context(self, block: Json, at: str) -> None:
        self._keys(block, at, {"elements"})
        elements = block.get("elements")
        if not self._items(elements, f"{at}/elements", 1, limits.CONTEXT_ELEMENTS):
            return
        for number, one in enumerate(elements or []):
            where = f"{at}/elements/{number}"
            if isinstance(one, dict) and one.get("type") == "image":
                self._image_element(one, where)
            else:
                self.text(one, where, limits.SECTION_TEXT)

    def _actions(self, block: Json, at: str) -> None:
        self._keys(block, at, {"elements"})
        elements = block.get("elements")
        if not self._items(elements, f"{at}/elements", 1, limits.ACTIONS_ELEMENTS):
            return
        seen: set[object] = set()
        for number, one in enumerate(elements or []):
            self._element(one, f"{at}/elements/{number}", _IN_ACTIONS)
            name = one.get("action_id") if isinstance(one, dict) else None
            if name is not None and name in seen:
                self.says(f"{at}/elements/{number}/action_id", f"`action_id` {name!r} already exists in this block")
            seen.add(name)

    def _image(self, block: Json, at: str) -> None:
        self._keys(block, at, {"image_url", "slack_file", "alt_text", "title"})
        self._picture(block, at)
        if "title" in block:
            self.text(block["title"], f"{at}/title", limits.ALT_TEXT, plain=True)

    def _input(self, block: Json, at: str) -> None:
        self._keys(block, at, {"label", "element", "hint", "optional", "dispatch_action"})
        self.text(block.get("label"), f"{at}/label", limits.LABEL, plain=True)
        if "hint" in block:
            self.text(block["hint"], f"{at}/hint", limits.HINT, plain=True)
        self._element(block.get("element"), f"{at}/element", _IN_INPUT)

    def _markdown(self, block: Json, at: str) -> None:
        self._keys(block, at, {"text"})
        self._text_value(block, "text", at, limits.MARKDOWN, needed=True)

    def _rich_text(self, block: Json, at: str) -> None:
        for pointer, fault in rich.faults(block, at):
            self.says(pointer, fault)

    # -- elements ------------------------------------------------------------------------------------------------------

    def _element(self, element: Any, at: str, allowed: Collection[str]) -> None:
        kind = element.get("type") if isinstance(element, dict) else None
        if kind not in allowed:
            self.says(f"{at}/type", f"unsupported type: {kind}")
            return
        if kind == "image":
            self._image_element(element, at)
            return
        self._keys(element, at, _KEYS[str(kind)] | {"action_id", "confirm", "focus_on_load"})
        self._text_value(element, "action_id", at, limits.ID)
        if "confirm" in element:
            self._confirm(element["confirm"], f"{at}/confirm")
        if "placeholder" in element:
            self.text(element["placeholder"], f"{at}/placeholder", limits.PLACEHOLDER, plain=True)
        self._by_kind(str(kind), element, at)

    def _by_kind(self, kind: str, element: Json, at: str) -> None:
        match kind:
            case "button":
                self._button(element, at)
            case "overflow":
                self._options(element.get("options"), f"{at}/options", limits.OVERFLOW_OPTIONS)
            case "checkboxes" | "radio_buttons":
                self._options(element.get("options"), f"{at}/options", limits.CHOICES)
            case "static_select" | "multi_static_select":
                self._static_select(element, at)
            case "external_select" | "multi_external_select":
                self._initial(element, at)
            case "plain_text_input":
                self._plain_text_input(element, at)

    def _button(self, element: Json, at: str) -> None:
        self.text(element.get("text"), f"{at}/text", limits.BUTTON_TEXT, plain=True)
        self._text_value(element, "value", at, limits.BUTTON_VALUE)
        self._text_value(element, "accessibility_label", at, limits.BUTTON_TEXT)
        if "url" in element:
            self._address(element, "url", at)
        if element.get("style", "primary") not in ("primary", "danger"):
            self.says(f"{at}/style", "must be one of: primary, danger")

    def _static_select(self, element: Json, at: str) -> None:
        if ("options" in element) == ("option_groups" in element):
            self.says(at, "must have either `options` or `option_groups`")
        if "options" in element:
            self._options(element["options"], f"{at}/options", limits.OPTIONS)
        groups = element.get("option_groups", [])
        if self._items(groups, f"{at}/option_groups", 0, limits.OPTIONS):
            for number, group in enumerate(groups):
                self.text(group.get("label"), f"{at}/option_groups/{number}/label", limits.OPTION_TEXT, plain=True)
                self._options(group.get("options"), f"{at}/option_groups/{number}/options", limits.OPTIONS)
        self._initial(element, at)

    def _initial(self, element: Json, at: str) -> None:
        initial = element.get("initial_option")
        if initial is None:
            return
        self.option(initial, f"{at}/initial_option")
        offered = [*element.get("options", []), *(o for g in element.get("option_groups", []) for o in g["options"])]
        if offered and initial not in offered:
            self.says(f"{at}/initial_option", "must be one of the options")

    def _plain_text_input(self, element: Json, at: str) -> None:
        for key in ("min_length", "max_length"):
            if not 0 <= int(element.get(key, 1)) <= limits.INPUT:
                self.says(f"{at}/{key}", f"must be between 0 and {limits.INPUT}")
        self._text_value(element, "initial_value", at, int(element.get("max_length", limits.INPUT)))

    def _image_element(self, element: Json, at: str) -> None:
        self._keys(element, at, {"image_url", "slack_file", "alt_text"})
        self._picture(element, at)

    def _picture(self, element: Json, at: str) -> None:
        self._text_value(element, "alt_text", at, limits.ALT_TEXT, needed=True)
        if "slack_file" not in element:
            self._address(element, "image_url", at)

    # -- composition objects -------------------------------------------------------------------------------------------

    def text(self, value: Any, at: str, most: int, *, plain: bool = False) -> None:
        """A text object of 1 to `most` characters."""
        if not isinstance(value, dict):
            self.says(at, "missing required field: text object")
            return
        kind = value.get("type")
        if kind not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
            self.says(f"{at}/type", "must be plain_text" if plain else "must be one of: plain_text, mrkdwn")
            return
        self._keys(value, at, {"text", "emoji" if kind == "plain_text" else "verbatim"}, ids=False)
        self._text_value(value, "text", at, most, needed=True)

    def option(self, value: Any, at: str) -> None:
        if not isinstance(value, dict):
            self.says(at, "must be an option")
            return
        self._keys(value, at, {"text", "value", "description", "url"}, ids=False)
        self.text(value.get("text"), f"{at}/text", limits.OPTION_TEXT)
        self._text_value(value, "value", at, limits.OPTION_VALUE, needed=True)
        if "description" in value:
            self.text(value["description"], f"{at}/description", limits.OPTION_TEXT)

    def _options(self, options: Any, at: str, most: int) -> None:
        if self._items(options, at, 1, most):
            for number, one in enumerate(options):
                self.option(one, f"{at}/{number}")

    def _confirm(self, value: Json, at: str) -> None:
        self._keys(value, at, {"title", "text", "confirm", "deny", "style"}, ids=False)
        self.text(value.get("title"), f"{at}/title", limits.CONFIRM_TITLE, plain=True)
        self.text(value.get("text"), f"{at}/text", limits.CONFIRM_TEXT)
        for key in ("confirm", "deny"):
            self.text(value.get(key), f"{at}/{key}", limits.CONFIRM_BUTTON, plain=True)

    # -- values --------------------------------------------------------------------------------------------------------

    def _items(self, value: Any, at: str, least: int, most: int) -> bool:
        if not isinstance(value, list):
            self.says(at, "must be an array")
            return False
        if len(value) < least:
            self.says(at, f"must have at least {least} item{'s' * (least > 1)}")
        if len(value) > most:
            self.says(at, f"no more than {most} items allowed")
        return True

    def _text_value(self, owner: Json, key: str, at: str, most: int, *, needed: bool = False) -> None:
        if key not in owner:
            if needed:
                self.says(at, f"missing required field: {key}")
            return
        value = owner[key]
        if not isinstance(value, str):
            self.says(f"{at}/{key}", "must be a string")
        elif len(value) > most:
            self.says(f"{at}/{key}", f"must be less than {most + 1} characters")
        elif needed and not value:
            self.says(f"{at}/{key}", "must be more than 0 characters")

    def _address(self, owner: Json, key: str, at: str) -> None:
        self._text_value(owner, key, at, limits.URL, needed=True)
        parts = urlsplit(str(owner.get(key, "")))
        if parts.scheme not in ("http", "https") or not parts.netloc:
            self.says(f"{at}/{key}", "invalid url")

    def _keys(self, owner: Json, at: str, known: set[str], *, ids: bool = True) -> None:
        """Slack's schemas are closed: a key that they do not know is refused."""
        for key in owner.keys() - known - {"type"} - ({"block_id"} if ids else set()):
            self.says(f"{at}/{key}", f"invalid additional property: {key}")


_SELECT = {"placeholder"}
_KEYS: dict[str, set[str]] = {
    "button": {"text", "url", "value", "style", "accessibility_label"},
    "static_select": _SELECT | {"options", "option_groups", "initial_option"},
    "external_select": _SELECT | {"initial_option", "min_query_length"},
    "users_select": _SELECT | {"initial_user"},
    "multi_static_select": _SELECT | {"options", "option_groups", "initial_options", "max_selected_items"},
    "multi_external_select": _SELECT | {"initial_options", "min_query_length", "max_selected_items"},
    "multi_users_select": _SELECT | {"initial_users", "max_selected_items"},
    "overflow": {"options"},
    "datepicker": {"placeholder", "initial_date"},
    "checkboxes": {"options", "initial_options"},
    "radio_buttons": {"options", "initial_option"},
    "plain_text_input": {
        "placeholder", "initial_value", "multiline", "min_length", "max_length", "dispatch_action_config",
    },
}  # fmt: skip
_CHOOSERS = {key for key in _KEYS if key not in ("button", "overflow", "plain_text_input")}
_IN_ACTIONS = _CHOOSERS | {"button", "overflow"}
_IN_SECTION = _IN_ACTIONS | {"image"}
_IN_INPUT = _CHOOSERS | {"plain_text_input"}


def words_of(value: Any) -> list[str]:
    """All text that a reader of these blocks sees, in order."""
    if isinstance(value, list):
        return [word for one in value for word in words_of(one)]
    if not isinstance(value, dict):
        return []
    if value.get("type") in ("plain_text", "mrkdwn", "markdown") and isinstance(value.get("text"), str):
        return [value["text"]]
    if value.get("type") == "rich_text":
        return [rich.words(value)]
    shown = ("title", "text", "label", "fields", "element", "elements", "accessory", "options", "alt_text", "blocks")
    return [word for key in shown if key != "alt_text" and key in value for word in words_of(value[key])]
