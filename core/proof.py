"""Whether a journal is still what was written: its chains, held against the heads that were signed in checkpoints.

The same for a database and for an exported file: first all checkpoints in order, then all entries chain by chain.
Memory grows with the checkpoints and the chains, not with the entries.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from core.events import SYSTEM
from core.journal import GENESIS, Entry, fault_of
from core.release.signing import SignatureRefused, digest_of, verified

if TYPE_CHECKING:
    from securesystemslib.signer import Key

PREDICATE = "checkpoint/v1"
_SHORT = 12
"""Digits of a key's id in a sentence."""

Heads = dict[str, tuple[int, str]]
"""Chain to the number and the hash of its last entry."""


class Checkpoint(BaseModel):
    """The heads that have moved since the checkpoint before, and that one's hash: together they name every chain."""

    heads: Heads
    previous: str
    at: datetime
    anchor: str | None = None
    """The channel to which this checkpoint's hash is posted."""


def checkpoint_time(envelope: Mapping[str, Any]) -> datetime | None:
    """What a checkpoint says of its time, believed or not; None where it says none."""
    try:
        return datetime.fromisoformat(json.loads(b64decode(envelope["payload"]))["predicate"]["at"])
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Promise:
    """A head that was signed."""

    hash: str
    number: int
    """Of the checkpoint."""


@dataclass(slots=True)
class _Chain:
    expected: int
    previous: str | None
    signed: int
    """The last entry that is known to be the one that was signed; 0 for none."""
    kind: str = ""
    """Of its first entry."""
    fault: str | None = None


class Proof:
    """Takes in a journal, and then tells what is wrong with it."""

    def __init__(
        self, keys: Iterable[Key], retired: Mapping[str, datetime] | None = None,
        begins: Mapping[str, int] | None = None, first: int = 1,
    ) -> None:  # fmt: skip
        """`retired`: the end of each retired key, by id: what it signed later is not believed.

        `begins`: chains that are known from that entry on, in a journal that does not begin at its beginning; `first`
        is then the number of its first checkpoint.
        """
        self._keys: Sequence[Key] = tuple(keys)
        self._retired = retired or {}
        self._begins = begins or {}
        self._first = first
        self._count = 0
        self.events = 0
        self._previous: str | None = None if first > 1 else GENESIS
        self._signed_at: dict[str, datetime] = {}
        """By key, the time in its last checkpoint."""
        self._promised: dict[str, dict[int, _Promise]] = {}
        self._chains: dict[str, _Chain] = {}
        self._opened: set[str] = set()
        self._wrong: list[str] = []
        """Of the checkpoints."""

    # -- in ------------------------------------------------------------------------------------------------------------

    def checkpoint(self, envelope: Mapping[str, Any], number: int | None = None) -> None:
        """The next one; all of them come before the first entry."""
        expected = self._first + self._count
        self._count += 1
        if number is not None and number != expected:
            self._wrong.append(f"checkpoint {expected} is missing; {number} follows {expected - 1}")
            self._previous, self._first = None, self._first + number - expected
            expected = number
        try:
            said, by = verified(dict(envelope), self._keys, PREDICATE, Checkpoint)
        except SignatureRefused:
            self._wrong.append(f"checkpoint {expected} is not signed by this bot")
            self._previous = digest_of(envelope)
            return
        if self._is_late(said, by):
            self._wrong.append(f"checkpoint {expected} is signed by key {min(by)[:_SHORT]} after that was retired")
            self._previous = digest_of(envelope)
            return
        if self._previous is not None and said.previous != self._previous:
            self._wrong.append(f"checkpoint {expected} does not follow the one before it")
        self._previous = digest_of(envelope)
        for chain, (seq, hash_) in said.heads.items():
            self._promised.setdefault(chain, {}).setdefault(seq, _Promise(hash_, expected))

    def _is_late(self, said: Checkpoint, by: frozenset[str]) -> bool:
        """A retired key signs nothing more. Whoever stole it can write an earlier time, not take an earlier place."""
        late = [self._retired[one] < self._time_of(one, said.at) for one in by if one in self._retired]
        self._signed_at |= dict.fromkeys(by, said.at)
        return len(late) == len(by) and all(late)

    def _time_of(self, key: str, said: datetime) -> datetime:
        """Not before what the others have signed by then."""
        return max([said, *(at for one, at in self._signed_at.items() if one != key)])

    def entry(self, entry: Entry) -> None:
        """The next one of its chain."""
        self.events += 1
        chain = self._chains.get(entry.chain)
        if chain is None:
            begin = self._begins.get(entry.chain, 1)
            chain = _Chain(begin, GENESIS if begin == 1 else None, 0, entry.kind)
            self._chains[entry.chain] = chain
        if chain.fault is not None:
            return
        chain.fault = fault_of(entry, chain.expected, chain.previous) or self._broken_promise(entry, chain)
        chain.expected, chain.previous = entry.seq + 1, entry.hash
        if entry.chain == SYSTEM and entry.kind == "Opened":
            self._opened.add(str(entry.data.get("deployment")))

    def _broken_promise(self, entry: Entry, chain: _Chain) -> str | None:
        promise = self._promised.get(entry.chain, {}).get(entry.seq)
        if promise is None:
            return None
        if promise.hash != entry.hash:
            first = chain.signed + 1
            since = f"event {entry.seq}" if first == entry.seq else f"one of the events {first} to {entry.seq}"
            return f"{entry.chain} {since} is not the one that was signed in checkpoint {promise.number}"
        chain.signed = entry.seq
        return None

    # -- out -----------------------------------------------------------------------------------------------------------

    @property
    def heads(self) -> Heads:
        """Where the chains end, as far as they were read."""
        return {name: (chain.expected - 1, chain.previous or "") for name, chain in self._chains.items()}

    @property
    def checkpoints(self) -> int:
        return self._count

    def covers(self, chain: str, seq: int) -> bool:
        """Whether a checkpoint covers this entry."""
        return any(promised >= seq for promised in self._promised.get(chain, ()))

    def faults(self) -> list[str]:
        """What is wrong, a sentence each, of each chain its first wrong event; none where the journal is whole."""
        names = sorted({*self._chains, *self._promised, *self._opened}, key=lambda name: (name != SYSTEM, name))
        found = [fault for name in names if (fault := self._fault_of(name)) is not None]
        return found + self._wrong

    def _fault_of(self, name: str) -> str | None:
        chain, begin = self._chains.get(name), self._begins.get(name, 1)
        if chain is not None and chain.fault is not None:
            return chain.fault
        end = begin - 1 if chain is None else chain.expected - 1
        later = min((seq for seq in self._promised.get(name, ()) if seq > end), default=None)
        if later is not None:
            number = self._promised[name][later].number
            signed = "and it was" if later == end + 1 else f"and event {later} was"
            rest = f"the chain ends at event {end}" if end else "nothing of the chain is there"
            return f"{name} event {end + 1} is missing: {rest}, {signed} signed in checkpoint {number}"
        if chain is None and name in self._opened and begin == 1:
            return f"{name} event 1 is missing: deployment {name} was opened, and its journal is gone"
        if chain is not None and chain.kind == "Pushed" and begin == 1 and name not in self._opened:
            return f"{name} event 1 (Pushed) was put in: no deployment {name} was ever opened"
        return None
