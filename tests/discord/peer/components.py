"""What Discord takes as components of a message or a modal, and under which names it refuses the rest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Literal

from tests.discord.peer import limits
from tests.discord.peer.refused import Json

ROW, BUTTON, SELECT, INPUT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR = 1, 2, 3, 4, 9, 10, 11, 12, 13, 14
CONTAINER, LABEL = 17, 18
SELECTS = (3, 5, 6, 7, 8)
V2 = 1 << 15
"""The flag of a message that is made of components alone."""
LINK_STYLE = 5

Where = Literal["message", "v2", "modal"]
_TOP = {
    "message": (ROW,),
    "v2": (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER),
    "modal": (ROW, LABEL, TEXT),
}
_INSIDE = {CONTAINER: (ROW, TEXT, SECTION, GALLERY, SEPARATOR, FILE), SECTION: (TEXT,)}
_NOT = {"message": (*SELECTS, BUTTON), "v2": (*SELECTS, BUTTON), "modal": (INPUT,)}


class Checker:
    """`faults`: name and words of each broken rule, by its path. `files` are the names of the message's attachments."""

    def __init__(self, where: Where, files: tuple[str, ...] = ()) -> None:
        self.where = where
        self.faults: dict[str, tuple[str, str]] = {}
        self._files = files
        self._custom_ids: set[str] = set()
        self._ids: set[int] = set()
        self._count = 0
        self._text = 0

    def check(self, components: object, path: str = "components") -> None:
        """All of a message's or a modal's."""
        if not isinstance(components, list):
            self._fault(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return
        most = {"message": limits.ROWS, "v2": limits.COMPONENTS, "modal": limits.MODAL_COMPONENTS}[self.where]
        if len(components) > most or (self.where == "modal" and not components):
            self._fault(path, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
        self._each(components, path, _TOP[self.where])
        if self._count > limits.COMPONENTS and self.where == "v2":
            self._fault(path, "COMPONENT_MAX_COUNT", f"at most {limits.COMPONENTS} components in total")
        if self._text > limits.TEXT_TOTAL:
            words = f"displayable text of {self._text} exceeds {limits.TEXT_TOTAL} characters"
            self._fault(path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", words)

    def _fault(self, path: str, name: str, words: str) -> None:
        self.faults.setdefault(path, (name, words))

    def _length(self, value: object, path: str, least: int, most: int) -> None:
        if value is None and least == 0:
            return
        if not isinstance(value, str):
            self._fault(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif not least <= len(value) <= most:
            self._fault(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")

    def _each(self, components: list[Json], path: str, allowed: tuple[int, ...]) -> None:
        for number, one in enumerate(components):
            here = f"{path}.{number}"
            kind = one.get("type")
            if kind not in allowed:
                self._fault(f"{here}.type", "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {allowed}.")
            else:
                self._one(kind, one, here)

    def _one(self, kind: int, one: Json, path: str) -> None:
        self._count += 1
        self._own_id(one, path)
        match kind:
            case 1:
                self._row(one, path)
            case 2:
                self._button(one, path)
            case 3 | 5 | 6 | 7 | 8:
                self._select(kind, one, path)
            case 4:
                self._input(one, path)
            case 9:
                self._section(one, path)
            case 10:
                self._length(one.get("content"), f"{path}.content", 1, limits.TEXT_TOTAL)
                self._text += len(one.get("content") or "")
            case 11:
                self._media(one.get("media"), f"{path}.media")
            case 12:
                self._gallery(one, path)
            case 13:
                self._media(one.get("file"), f"{path}.file", only_attached=True)
            case 17:
                self._container(one, path)
            case 18:
                self._label(one, path)
            case _:
                pass

    def _own_id(self, one: Json, path: str) -> None:
        number = one.get("id")
        if number and number in self._ids:
            self._fault(f"{path}.id", "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated")
        if number:
            self._ids.add(number)

    def _custom_id(self, one: Json, path: str) -> None:
        self._length(one.get("custom_id"), f"{path}.custom_id", 1, limits.CUSTOM_ID)
        if one.get("custom_id") in self._custom_ids:
            self._fault(
                f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
            )
        self._custom_ids.add(str(one.get("custom_id")))

    def _row(self, one: Json, path: str) -> None:
        inner = one.get("components") or []
        buttons = [c for c in inner if c.get("type") == BUTTON]
        if not 1 <= len(inner) <= (limits.ROW_BUTTONS if len(buttons) == len(inner) else 1):
            self._fault(f"{path}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        self._each(inner, f"{path}.components", _NOT[self.where])

    def _button(self, one: Json, path: str) -> None:
        self._length(one.get("label"), f"{path}.label", 0, limits.BUTTON_LABEL)
        style = one.get("style")
        if style not in range(1, 7):
            self._fault(f"{path}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
        if not one.get("label") and not one.get("emoji"):
            self._fault(path, "BUTTON_COMPONENT_INVALID", "A button must have a label or an emoji")
        if style == LINK_STYLE:
            self._length(one.get("url"), f"{path}.url", 1, limits.LINK)
            if one.get("custom_id"):
                self._fault(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A link has no custom id")
            if not str(one.get("url")).startswith(("http://", "https://", "discord://")):
                self._fault(f"{path}.url", "URL_TYPE_INVALID_SCHEME", "Scheme must be http or https.")
        elif one.get("url"):
            self._fault(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "Only a link has a URL")
        else:
            self._custom_id(one, path)

    def _select(self, kind: int, one: Json, path: str) -> None:
        self._custom_id(one, path)
        self._length(one.get("placeholder"), f"{path}.placeholder", 0, limits.PLACEHOLDER)
        if kind != SELECT:
            return
        options = one.get("options") or []
        if not 1 <= len(options) <= limits.SELECT_OPTIONS:
            self._fault(f"{path}.options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
        for number, option in enumerate(options):
            for key in ("label", "value"):
                self._length(option.get(key), f"{path}.options.{number}.{key}", 1, limits.SELECT_TEXT)
        if len({option.get("value") for option in options}) != len(options):
            self._fault(
                f"{path}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is used"
            )

    def _input(self, one: Json, path: str) -> None:
        self._custom_id(one, path)
        if self.where == "modal" and ".component" in path and not path.endswith(".component"):
            self._length(one.get("label"), f"{path}.label", 1, limits.INPUT_LABEL)  # in a row; a Label has its own
        self._length(one.get("value"), f"{path}.value", 0, limits.INPUT_VALUE)
        self._length(one.get("placeholder"), f"{path}.placeholder", 0, limits.INPUT_PLACEHOLDER)
        if one.get("style") not in (1, 2):
            self._fault(f"{path}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")

    def _section(self, one: Json, path: str) -> None:
        inner = one.get("components") or []
        if not 1 <= len(inner) <= limits.SECTION_TEXTS:
            self._fault(f"{path}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 3 in length.")
        self._each(inner, f"{path}.components", _INSIDE[SECTION])
        accessory = one.get("accessory")
        if not accessory or accessory.get("type") not in (BUTTON, THUMBNAIL):
            self._fault(f"{path}.accessory", "BASE_TYPE_REQUIRED", "This field is required")
        else:
            self._one(accessory["type"], accessory, f"{path}.accessory")

    def _container(self, one: Json, path: str) -> None:
        inner = one.get("components") or []
        if not inner:
            self._fault(f"{path}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 40 in length.")
        colour = one.get("accent_color")
        if colour is not None and not (isinstance(colour, int) and 0 <= colour <= 0xFFFFFF):
            self._fault(
                f"{path}.accent_color", "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215."
            )
        self._each(inner, f"{path}.components", _INSIDE[CONTAINER])

    def _gallery(self, one: Json, path: str) -> None:
        items = one.get("items") or []
        if not 1 <= len(items) <= limits.GALLERY_ITEMS:
            self._fault(f"{path}.items", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 10 in length.")
        for number, item in enumerate(items):
            self._media(item.get("media"), f"{path}.items.{number}.media")

    def _media(self, media: object, path: str, *, only_attached: bool = False) -> None:
        url = str(media.get("url")) if isinstance(media, dict) else ""
        if url.startswith("attachment://"):
            if url.removeprefix("attachment://") not in self._files:
                words = "The referenced attachment does not exist"
                self._fault(f"{path}.url", "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", words)
        elif only_attached or not url.startswith(("http://", "https://")):
            self._fault(f"{path}.url", "URL_TYPE_INVALID_SCHEME", "Scheme must be one of the allowed ones.")

    def _label(self, one: Json, path: str) -> None:
        self._length(one.get("label"), f"{path}.label", 1, limits.INPUT_LABEL)
        self._length(one.get("description"), f"{path}.description", 0, limits.LABEL_DESCRIPTION)
        inner = one.get("component") or {}
        if inner.get("type") not in (INPUT, *SELECTS):
            self._fault(f"{path}.component", "BASE_TYPE_REQUIRED", "This field is required")
        else:
            self._one(inner["type"], inner, f"{path}.component")


def nested(components: list[Json]) -> Iterator[Json]:
    """Each of them, those inside others too, top to bottom."""
    for one in components:
        yield one
        yield from nested(one.get("components") or [])
        yield from nested([one[key] for key in ("accessory", "component") if one.get(key)])


def numbered(components: list[Json]) -> list[Json]:
    """A copy in which each has an id of its own, as Discord gives them."""
    used = {one["id"] for one in nested(components) if one.get("id")}
    free = (number for number in count(1) if number not in used)
    return [_numbered(one, free) for one in components]


_ADDED: dict[int, Json] = {
    CONTAINER: {"accent_color": None, "spoiler": False},
    SEPARATOR: {"spacing": 1, "divider": True},
    FILE: {"name": None, "size": None, "spoiler": False},
    THUMBNAIL: {"description": None, "spoiler": False},
    **{kind: {"min_values": 1, "max_values": 1} for kind in SELECTS},
}
"""What Discord gives back with each kind where the app left it out."""


def _numbered(one: Json, free: Iterator[int]) -> Json:
    made = _ADDED.get(one["type"], {}) | {key: value for key, value in one.items() if value is not None}
    made["id"] = one.get("id") or next(free)
    for key in ("file", "media"):
        if key in made:
            made[key] = {"id": str(made["id"]), "proxy_url": made[key]["url"], **made[key]}
    if "components" in one:
        made["components"] = [_numbered(inner, free) for inner in one["components"]]
    for key in ("accessory", "component"):
        if one.get(key):
            made[key] = _numbered(one[key], free)
    return made
