"""Whatever core can hold is read back equal: every event, card, message and reply, with awkward values."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store import codec
from core import events
from core.journal import Draft, first_fault, seal
from core.ports import Incoming, Outbound, Reply
from core.release.signing import canonical
from core.state import Deployment, Lane, ReleaseRef, Server

NUMBERS = st.integers(-(2**53), 2**53)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: NUMBERS,
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    NoneType: st.none(),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - st adds the zone
    Any: JSON,
}


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as core writes them: all fields of dataclasses are filled, optional ones too."""
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of([anything(one) for one in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is dict:
        return st.dictionaries(anything(inner[0]), anything(inner[1]), max_size=2)
    assert origin is tuple, f"the codec has no sample of {kind}"
    if inner[-1] is ...:
        return st.lists(anything(inner[0]), max_size=2).map(tuple)
    return st.tuples(*map(anything, inner))


@cache
def _record(kind: Any) -> st.SearchStrategy[Any]:
    """One for each kind, and filled when it is used: a record may hold others of its kind."""
    hints = get_type_hints(kind)
    return st.deferred(lambda: st.builds(kind, **{field.name: anything(hints[field.name]) for field in fields(kind)}))


QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@pytest.mark.parametrize("kind", events.KINDS.values(), ids=lambda kind: kind.__name__)
@QUICK
@given(data=st.data())
def test_every_event_survives_the_journal(kind: type[events.Event], data: st.DataObject) -> None:
    event = data.draw(anything(kind))
    draft = Draft("v1#1", events.kind(event), codec.event_data(event), datetime(2026, 1, 5, tzinfo=UTC), "alice")
    entry = seal(codec.settled_draft(draft), 1, "0" * 64)
    text = codec.canonical_text(entry.data)
    assert text.encode() == canonical(json.loads(text))
    assert first_fault([entry]) is None
    assert codec.event_from(entry.kind, json.loads(text)) == event


@pytest.mark.parametrize(
    "kind", [Incoming, Outbound, Reply, ReleaseRef, Deployment, Lane, Server], ids=lambda k: k.__name__
)
@QUICK
@given(data=st.data())
def test_every_fact_is_read_back_equal(kind: type[Any], data: st.DataObject) -> None:
    fact = data.draw(anything(kind))
    assert codec.decode(kind, codec.encode(fact)) == fact


@QUICK
@given(anything(Server))
def test_a_record_is_its_columns_and_the_rest(server: Server) -> None:
    row = codec.split(server, ("role", "url"))
    assert set(row) == {"role", "url", "data"}
    assert not {"role", "url"} & set(json.loads(row["data"]))
    assert codec.build(Server, codec.fields(row, ("role", "url"))) == server


def test_an_unknown_kind_of_event_is_refused() -> None:
    with pytest.raises(KeyError):
        codec.event_from("Exploded", {})
