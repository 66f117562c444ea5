"""What is wrong with a key of a TOML file, in the words of whoever writes it rather than in a library's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from pydantic import AfterValidator, BaseModel

from core.release.manifest import ID_PATTERN

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]

_KIND_OF_VALUE = {
    "model_type": "should be a table",
    "dict_type": "should be a table",
    "tuple_type": 'should be a list, like ["a", "b"]',
    "string_type": "should be text in quotes",
    "path_type": "should be a path in quotes",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
}
_NAME = f"^{ID_PATTERN}$"


def like(pattern: str, phrase: str) -> AfterValidator:
    """A text that matches `pattern` as a whole; else `phrase` says what it should be."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(phrase)
        return text

    return AfterValidator(check)


def key_path(error: ErrorDetails) -> KeyPath:
    """Of the key that is wrong."""
    return tuple(part for part in error["loc"] if part != "[key]")


def phrase(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong, to follow the key's name; `model` is the whole file's. Values that may be secret are not shown."""
    match error["type"]:
        case "extra_forbidden":
            return f"is no setting{nearest(str(error['loc'][-1]), _known_beside(key_path(error), model))}"
        case "missing":
            return "is missing"
        case "string_pattern_mismatch" if error["ctx"]["pattern"] == _NAME:
            return f"should be a name of letters, digits, dots, dashes and underscores{_seen(error)}"
        case kind if kind in _KIND_OF_VALUE:
            return _KIND_OF_VALUE[kind] + _seen(error)
        case "value_error":
            return error["msg"].removeprefix("Value error, ") + _seen(error)
        case "literal_error":
            return error["msg"].replace("Input should", "should") + _seen(error)
        case _:
            return re.sub(r"^\w+ should", "should", error["msg"].split(", ")[0]) + _seen(error)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about the unknown `name`: which of `known` was meant, or all of them."""
    from difflib import get_close_matches  # only what is wrong needs it

    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]}"
    return f"; there are {', '.join(names)}" if names else ""


def _seen(error: ErrorDetails) -> str:
    value = error["input"]
    if not isinstance(value, str | int | float) or len(str(value)) > 60 or _may_be_secret(error["loc"], str(value)):
        return ""
    return f", not {str(value).lower() if isinstance(value, bool) else repr(value)}"


def _may_be_secret(path: KeyPath, value: str) -> bool:
    """A token in the wrong key, or a URL with a password: not even in an error is it shown."""
    return "://" in value or any(word in str(part) for part in path for word in ("token", "key", "url"))


def _known_beside(path: KeyPath, model: Any) -> set[str]:
    """The keys that the file may have where the last part of `path` stands."""
    for part in path[:-1]:
        model = model.model_fields[str(part)].annotation if _is_model(model) else _model_in(model)
    found = model if _is_model(model) else _model_in(model)
    return set(found.model_fields) if found else set()


def _model_in(annotation: Any) -> Any:
    """The model that a table has, in a list or dict of such tables; None where there is none."""
    return next((each for each in get_args(annotation) if _is_model(each)), None)


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)
