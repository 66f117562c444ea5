"""What nearly every decision is made from: who is on the way, the lanes, the servers, and where each chain ends.

A decision reads it within the transaction that writes it down, so nobody can come between. Where one connection writes
all there is (SQLite), it is kept from one transaction to the next, and read again as soon as the database tells that
somebody else has written (`PRAGMA data_version`, https://sqlite.org/pragma.html#pragma_data_version). For one thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from adapters.store import reads
from adapters.store.journal import End, end_of
from adapters.store.known import Known
from adapters.store.statement import driver_of
from core.journal import Entry
from core.ports import Change, Surroundings
from core.state import Block, Deployment, Lane, Server

_KEPT = 4096
"""Ends of chains, and ids, that are remembered: some hundred bytes each."""
T = TypeVar("T")


class Working(Protocol):
    """As the transaction on `c` sees it."""

    def surroundings(self, c: Connection, id: str, attempt: int | None, component: str | None) -> Surroundings: ...  # noqa: A002 - the domain's word

    def active(self, c: Connection, component: str | None) -> Sequence[Deployment]: ...

    def lanes(self, c: Connection) -> Sequence[Lane]: ...

    def servers(self, c: Connection) -> Sequence[Server]: ...

    def blocks(self, c: Connection) -> Sequence[Block]: ...

    def before(self, d: Deployment) -> Deployment | None:
        """The stored deployment, where it is known and in the version of `d`."""

    def end(self, c: Connection, chain: str) -> End: ...

    def written(self, change: Change, stored: Deployment | None, entries: Iterable[Entry]) -> None:
        """`change` was written, in a transaction that has not ended."""


class Looked:
    """Read anew in each transaction: what others have committed counts."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def surroundings(self, c: Connection, id: str, attempt: int | None, component: str | None) -> Surroundings:  # noqa: A002 - the domain's word
        servers, blocks = tuple(reads.servers(c)), tuple(reads.blocks(c))
        if not id:
            unfinished, all_lanes = tuple(reads.active(c, None, self._known)), tuple(reads.lanes(c))
            return Surroundings(None, servers, blocks=blocks, unfinished=unfinished, lanes=all_lanes)
        d = reads.one_deployment(c, id, attempt, self._known)
        its = component or (d.component if d else None)
        if its is None:
            return Surroundings(None, servers, blocks=blocks)
        lanes = reads.lanes(c, its)
        active = tuple(reads.active(c, None if component else its, self._known))
        key = d.key if d else None
        siblings = tuple(other for other in active if other.component == its and other.key != key)
        return Surroundings(d, servers, lanes[0] if lanes else Lane(its), siblings, blocks, active if component else ())

    def active(self, c: Connection, component: str | None) -> Sequence[Deployment]:
        return reads.active(c, component, self._known)

    def lanes(self, c: Connection) -> Sequence[Lane]:
        return reads.lanes(c)

    def servers(self, c: Connection) -> Sequence[Server]:
        return reads.servers(c)

    def blocks(self, c: Connection) -> Sequence[Block]:
        return reads.blocks(c)

    def before(self, d: Deployment) -> Deployment | None:
        return self._known.get(d.key, d.version)

    def end(self, c: Connection, chain: str) -> End:
        return end_of(c, chain)

    def written(self, change: Change, stored: Deployment | None, entries: Iterable[Entry]) -> None:
        """Nothing is kept."""


class Kept:
    """Of the one connection that writes. `forget` where a transaction was rolled back after `written`."""

    def __init__(self) -> None:
        self._version: int | None = None
        self.forget()

    def forget(self) -> None:
        """Read everything again."""
        self._active: dict[str, Deployment] | None = None
        self._attempts: dict[str, int] = {}
        self._lanes: dict[str, Lane] | None = None
        self._servers: tuple[Server, ...] | None = None
        self._blocks: tuple[Block, ...] | None = None
        self._ends: dict[str, End] = {}

    def checked(self, c: Connection) -> Kept:
        """Itself, without what another connection may have changed. First in a transaction, which is then alone."""
        (version,) = driver_of(c).execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self.forget()
            self._version = version
        return self

    def surroundings(self, c: Connection, id: str, attempt: int | None, component: str | None) -> Surroundings:  # noqa: A002 - the domain's word
        servers, blocks = self.servers(c), self.blocks(c)
        if not id:
            unfinished, all_lanes = tuple(self._all(c).values()), tuple(self._all_lanes(c).values())
            return Surroundings(None, servers, blocks=blocks, unfinished=unfinished, lanes=all_lanes)
        d = self._deployment(c, id, attempt)
        its = component or (d.component if d else None)
        if its is None:
            return Surroundings(None, servers, blocks=blocks)
        lane, active, key = self._all_lanes(c).get(its) or Lane(its), self._all(c), d.key if d else None
        others = [other for name, other in active.items() if other.component == its and name != key]
        unfinished = tuple(active.values()) if component else ()
        return Surroundings(d, servers, lane, tuple(others), blocks, unfinished)

    def active(self, c: Connection, component: str | None) -> list[Deployment]:
        return [d for d in self._all(c).values() if component in (None, d.component)]

    def lanes(self, c: Connection) -> list[Lane]:
        return list(self._all_lanes(c).values())

    def servers(self, c: Connection) -> tuple[Server, ...]:
        if self._servers is None:
            self._servers = tuple(reads.servers(c))
        return self._servers

    def before(self, d: Deployment) -> Deployment | None:
        found = self._active.get(d.key) if self._active is not None else None
        return found if found is not None and found.version == d.version else None

    def end(self, c: Connection, chain: str) -> End:
        known = self._ends.get(chain)
        return end_of(c, chain) if known is None else known

    def written(self, change: Change, stored: Deployment | None, entries: Iterable[Entry]) -> None:
        if stored is not None:
            self._put(stored)
        if change.lane:
            self._lanes = None
        if change.servers or change.removed:
            self._servers = None
        if change.blocks or change.lifted:
            self._blocks = None
        self._ends = _bounded(self._ends)
        self._ends.update((entry.chain, (entry.seq, entry.hash)) for entry in entries)

    def blocks(self, c: Connection) -> tuple[Block, ...]:
        if self._blocks is None:
            self._blocks = tuple(reads.blocks(c))
        return self._blocks

    def _put(self, stored: Deployment) -> None:
        if stored.version == 1:
            self._attempts.pop(stored.id, None)
        if self._active is None:
            return
        if stored.ended:
            self._active.pop(stored.key, None)
        elif stored.version == 1 or stored.key in self._active:
            self._active[stored.key] = stored
        else:
            self._active = None  # one that had ended is on its way again: its place is among the older ones

    def _deployment(self, c: Connection, id: str, attempt: int | None) -> Deployment | None:  # noqa: A002 - the domain's word
        if attempt is None:
            attempt = self._attempts.get(id)
        found = None if attempt is None else self._all(c).get(f"{id}#{attempt}")
        if found is None:
            found = reads.one_deployment(c, id, attempt, Known())
        if found is not None and attempt is None:
            self._attempts = _bounded(self._attempts)
            self._attempts[id] = found.attempt
        return found

    def _all(self, c: Connection) -> dict[str, Deployment]:
        if self._active is None:
            self._active = {d.key: d for d in reads.active(c, None, Known())}
        return self._active

    def _all_lanes(self, c: Connection) -> dict[str, Lane]:
        if self._lanes is None:
            self._lanes = {lane.component: lane for lane in reads.lanes(c)}
        return self._lanes


def _bounded(kept: dict[str, T]) -> dict[str, T]:
    return kept if len(kept) < _KEPT else {}
