"""The journal: each deployment's events as a hash chain, and one chain `system` for what belongs to no deployment.

An entry's hash covers its chain, number, kind, data, time, author and the hash before it. Signed checkpoints name the
head of every chain, so that a chain cut at its end, or missing altogether, is noticed too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.release.signing import canonical

GENESIS = "0" * 64
"""What stands before the first entry of a chain."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place in the chain. `data` is the event's fields as JSON values."""

    chain: str
    kind: str
    data: dict[str, Any]
    at: datetime
    by: str
    """A person's id, or `ashat` for what was observed."""
    via: str = ""
    """The platform on which it was asked for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal. `seq` counts from 1 in each chain."""

    chain: str
    seq: int
    kind: str
    data: dict[str, Any]
    at: datetime
    by: str
    via: str
    previous: str
    hash: str


def seal(draft: Draft, seq: int, previous: str) -> Entry:
    """Give `draft` its place after the entry with hash `previous`."""
    hash_ = _digest(draft, seq, previous)
    return Entry(draft.chain, seq, draft.kind, draft.data, draft.at, draft.by, draft.via, previous, hash_)


def digest(entry: Entry) -> str:
    """The hash that `entry` must have, 64 hexadecimal digits."""
    return _digest(entry, entry.seq, entry.previous)


def _digest(of: Draft | Entry, seq: int, previous: str) -> str:
    at = of.at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(canonical([of.chain, seq, of.kind, of.data, at, of.by, of.via, previous])).hexdigest()


def first_fault(entries: Iterable[Entry]) -> str | None:
    """What is wrong with one chain, read in order, in a sentence that names the first wrong event; None if nothing."""
    previous: str | None = GENESIS
    for expected, entry in enumerate(entries, 1):
        if fault := fault_of(entry, expected, previous):
            return fault
        previous = entry.hash
    return None


def fault_of(entry: Entry, expected: int, previous: str | None) -> str | None:
    """What is wrong with an entry that should have number `expected` and follow the hash `previous` (None: unknown)."""
    name = f"{entry.chain} event {entry.seq} ({entry.kind})"
    if entry.seq > expected:
        return f"{entry.chain} event {expected} is missing; {entry.seq} follows {expected - 1}"
    if entry.seq < expected:
        return f"{name} stands where event {expected} should be: it was moved, or is there twice"
    if previous is not None and entry.previous != previous:
        return f"{name} does not follow the one before it: it was moved, or its neighbour was replaced"
    if digest(entry) != entry.hash:
        return f"{name} was changed after it was written"
    return None


@dataclass(frozen=True, slots=True)
class Head:
    chain: str
    seq: int
    hash: str
