"""What servers, checks and mainframes report is made safe to show here, once, before anything else sees it."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from core.text import clean, visible

Model = TypeVar("Model", bound=BaseModel)

TEXT_LENGTH = 1000
"""Characters of one text: a failed start comes with the last words of the release."""
URL_LENGTH = 2000


def tidied(model: Model) -> Model:
    """`model` with every text in it visible, on one line and capped, and without links that no browser should follow.

    Signed envelopes stay byte for byte: they are dictionaries, and only models and tuples are gone through.
    """
    changes: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        tidy = _link(value) if name == "url" and value is not None else _tidy(value, name)
        if tidy is not value:
            changes[name] = tidy
    return model.model_copy(update=changes) if changes else model


def _tidy(value: object, name: str) -> object:
    match value:
        case BaseModel():
            return tidied(value)
        case tuple():
            pieces = tuple(_tidy(one, name) for one in value)
            return pieces if any(new is not old for new, old in zip(pieces, value, strict=True)) else value
        case str() if name == "name":  # compared with what was asked for, so its spaces stay
            return _unless_same(value, visible(value)[:TEXT_LENGTH])
        case str():
            return _unless_same(value, clean(value, TEXT_LENGTH))
        case _:
            return value


def _unless_same(old: str, new: str) -> str:
    return old if old == new else new


def _link(value: str) -> str | None:
    """An http or https address without credentials and oddities; None instead of anything else."""
    if len(value) > URL_LENGTH or not value.isascii() or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return value if plain else None
