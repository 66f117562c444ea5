"""Facts to JSON text and back, by pydantic on the plain dataclasses of core: a new field costs nothing here.

A record is split into columns (named by the table) and `data`, the JSON of all its other fields.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_core import to_json

from core import events
from core.journal import Draft
from core.release.signing import canonical

Fact = TypeVar("Fact")
Row = Mapping[Any, Any]
"""A row as the database gives it, by the names of its columns."""


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(type[Any], kind))


def adapter(kind: type[Fact]) -> TypeAdapter[Fact]:
    """Built at the first use of `kind`, which takes milliseconds, and kept."""
    return _adapter(cast(Hashable, kind))


def dump(fact: object, leave_out: Any = None) -> str:
    """JSON text of `fact` without the fields in `leave_out`.

    Not by the adapter, whose text has null for an infinite float, which could not be read back.
    """
    return to_json(fact, exclude=leave_out, inf_nan_mode="constants").decode()


def encode(fact: object) -> str:
    """All fields of a dataclass as JSON text."""
    return dump(fact)


def decode(kind: type[Fact], text: str | bytes) -> Fact:
    """What `encode` wrote. Raises pydantic.ValidationError where it is no `kind`."""
    return adapter(kind).validate_json(text)


def split(fact: object, columns: Iterable[str]) -> dict[str, Any]:
    """A row: the fields named by `columns` as they are, the others as JSON text in `data`."""
    row = {name: getattr(fact, name) for name in columns}
    row["data"] = dump(fact, set(row))
    return row


def fields(row: Row, columns: Iterable[str]) -> dict[str, Any]:
    """What `split` took apart, as a dictionary that `build` takes."""
    together: dict[str, Any] = json.loads(row["data"])
    together.update({name: row[name] for name in columns})
    return together


def build(kind: type[Fact], values: Mapping[str, Any]) -> Fact:
    """A dataclass from its fields. Raises pydantic.ValidationError where they are no `kind`."""
    return adapter(kind).validate_python(values)


def event_data(event: events.Event) -> dict[str, Any]:
    """An event's fields as JSON values, for a journal draft."""
    data: dict[str, Any] = adapter(type(event)).dump_python(event, mode="json")
    return data


def event_from(kind: str, data: Mapping[str, Any]) -> events.Event:
    """The event of a journal entry. Raises KeyError for a kind that this version does not know."""
    return build(events.KINDS[kind], data)


def canonical_text(data: Any) -> str:
    """The one JSON text of `data`."""
    return canonical(data).decode()


def settled_draft(draft: Draft) -> Draft:
    """`draft` with data exactly as it will be read back: the hash must be of what is stored, not of what was meant.

    Without this, a tuple or a key that is no string would be hashed as one text and read back as another.
    """
    data = json.loads(json.dumps(draft.data))
    return Draft(draft.chain, draft.kind, data, draft.at, draft.by, draft.via)
