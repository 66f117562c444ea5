"""The journal in a file that proves itself: JSON Lines, checked with nothing but the bot's public keys.

First a line about the file, then every signed checkpoint, then every event chain by chain. The export is an event too,
and a checkpoint is signed over it, so the file's end is covered, and one that is cut or put together anew is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.checkpoints import Checkpoints, whole
from bot.keys import KnownKey, Trust
from bot.proof import Anchor, Audit
from core.changes import change
from core.events import SYSTEM, Exported
from core.facts import Facts
from core.journal import Entry
from core.people import Person
from core.policy import Policy
from core.ports import Change, Clock, Conflict, Store
from core.proof import Heads, Proof, checkpoint_time
from core.release.signing import canonical, digest_of

_TRIES = 20
"""How often somebody else may come first."""
_LOOK = 1000
"""Entries of the system chain among which an export's own is looked for."""


class ExportFailed(Exception):
    """`str(error)` is one sentence."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Head(_Line):
    """The first line. `begins`: chains of which the file holds only what is from that number on."""

    type: Literal["ashat-journal"] = "ashat-journal"
    format: Literal[1] = 1
    exported_at: datetime
    since: datetime | None
    nonce: str
    begins: dict[str, int]
    first_checkpoint: int
    keys: tuple[dict[str, str | None], ...]
    """The bot's public keys, for the reader's convenience: who does not know them proves nothing by them."""


class CheckpointLine(_Line):
    type: Literal["checkpoint"] = "checkpoint"
    number: int
    envelope: dict[str, Any]


class EventLine(_Line):
    type: Literal["event"] = "event"
    chain: str
    seq: int
    kind: str
    data: dict[str, Any]
    at: datetime
    by: str
    via: str
    previous: str
    hash: str

    def entry(self) -> Entry:
        return Entry(**self.model_dump(exclude={"type"}))


# -- out ---------------------------------------------------------------------------------------------------------------


class Export:
    """Writes down who exports, has that signed, and gives the file's lines."""

    def __init__(self, store: Store, checkpoints: Checkpoints, clock: Clock, keys: Iterable[KnownKey]) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._clock = clock
        self._keys = tuple(keys)

    async def lines(self, by: Person, since: datetime | None, nonce: str) -> AsyncIterator[str]:
        """The whole journal, or of each chain what is from its first event at `since` or later on. Raises ExportFailed.

        Nothing is read into memory but the ends of the chains.
        """
        begins = {} if since is None else await self._begins(since)
        now = self._clock.now()
        await self._journaled(Exported(nonce, since.isoformat() if since else None, _hash(begins)), by, now)
        number, heads = await self._signed(nonce)
        first = 1 if since is None else await self._first_checkpoint(since)
        head = Head(exported_at=now, since=since, nonce=nonce, begins=begins, first_checkpoint=first,
                    keys=tuple(_key(row) for row in self._keys))  # fmt: skip
        yield head.model_dump_json()
        for at, envelope in enumerate(await self._store.checkpoints(after=first - 1), first):
            if at <= number:
                yield CheckpointLine(number=at, envelope=envelope).model_dump_json()
        for chain, (end, _) in sorted(heads.items(), key=lambda row: (row[0] != SYSTEM, row[0])):
            async for entry in whole(self._store, chain, after=begins.get(chain, 1) - 1):
                if entry.seq > end:
                    break
                yield _event(entry)

    async def _journaled(self, event: Exported, by: Person, now: datetime) -> None:
        drafted = change(Facts(now, Policy(), (by,), asker=by), (event,), via="shell")
        for _ in range(_TRIES):
            try:
                await self._store.commit(Change(entries=drafted.entries))
            except Conflict:
                continue  # a bot has just written there
            return
        raise ExportFailed("others write all the time; try again")

    async def _begins(self, since: datetime) -> dict[str, int]:
        """By chain the number of its first event at `since` or later, where that is not its first."""
        found: dict[str, int] = {}
        for head in await self._store.heads():
            begin = head.seq + 1
            async for entry in whole(self._store, head.chain):
                if entry.at >= since:
                    begin = entry.seq
                    break
            if begin > 1:
                found[head.chain] = begin
        return found

    async def _signed(self, nonce: str) -> tuple[int, Heads]:
        """The number of a checkpoint that covers this export, and all heads by then. Another replica may sign it."""
        for _ in range(_TRIES):
            await self._checkpoints.write()
            number, heads = self._checkpoints.signed
            if await self._has(nonce, heads.get(SYSTEM, (0, ""))[0]):
                return number, heads
        raise ExportFailed("no checkpoint could be signed over the export; try again")

    async def _has(self, nonce: str, end: int) -> bool:
        """Looks back from the end of what is signed: the event is among the last ones."""
        start = max(0, end - _LOOK)
        entries = await self._store.journal(SYSTEM, after=start, limit=end - start) if end else ()
        return any(entry.kind == Exported.__name__ and entry.data["nonce"] == nonce for entry in entries)

    async def _first_checkpoint(self, since: datetime) -> int:
        """Of those at `since` or later; they name every chain that has moved since, at the latest the export's own."""
        envelopes = await self._store.checkpoints()
        found = (number for number, one in enumerate(envelopes, 1) if (checkpoint_time(one) or since) >= since)
        return next(found, len(envelopes))


def _key(row: KnownKey) -> dict[str, str | None]:
    return {
        "public": row.public,
        "since": row.since.isoformat() if row.since else None,
        "retired": row.retired.isoformat() if row.retired else None,
    }


def _event(entry: Entry) -> str:
    """Not by pydantic: floats must come back exactly as they were hashed."""
    line = {"type": "event", "chain": entry.chain, "seq": entry.seq, "kind": entry.kind, "data": entry.data,
            "at": entry.at.isoformat(timespec="microseconds"), "by": entry.by, "via": entry.via,
            "previous": entry.previous, "hash": entry.hash}  # fmt: skip
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def _hash(begins: Mapping[str, int]) -> str:
    return hashlib.sha256(canonical(dict(begins))).hexdigest()


# -- in ----------------------------------------------------------------------------------------------------------------


class NoExport(Exception):
    """The file is none. `str(error)` is one sentence."""


def _head(line: str) -> Head:
    try:
        return Head.model_validate_json(line)
    except ValidationError as error:
        raise NoExport("the first line is not that of a journal which `ashat audit export` wrote") from error


def verify(lines: Iterable[str], trust: Trust, anchors: tuple[Anchor, ...] = ()) -> Audit:
    """Hold a file against its own checkpoints. Raises NoExport where it is no such file at all."""
    given = iter(lines)
    head = _head(next(given, ""))
    check = _Check(head, trust, {anchor.number: anchor.hash for anchor in anchors})
    for number, line in enumerate(given, 2):
        check.line(number, line)
    return check.done()


class _Check:
    def __init__(self, head: Head, trust: Trust, anchors: Mapping[int, str]) -> None:
        self._anchors = dict(anchors)
        self._head = head
        self._proof = Proof(trust.keys, trust.retired, head.begins, head.first_checkpoint)
        self._faults: list[str] = []
        self._own: Mapping[str, Any] | None = None

    def line(self, number: int, line: str) -> None:
        try:
            data = json.loads(line)
            kind = data["type"] if isinstance(data, dict) else None
            if kind == "checkpoint":
                one = CheckpointLine.model_validate(data)
                if self._proof.events:
                    self._faults.append(f"line {number}: a checkpoint stands behind events")
                self._proof.checkpoint(one.envelope, one.number)
                if self._anchors.pop(one.number, None) not in (None, digest_of(one.envelope)):
                    self._faults.append(f"checkpoint {one.number} is not the one that was anchored outside")
                return
            entry = EventLine.model_validate(data).entry()
        except (ValueError, KeyError):  # a ValidationError is a ValueError
            self._faults.append(f"line {number} cannot be read")
            return
        self._proof.entry(entry)
        if (entry.chain, entry.kind, entry.data.get("nonce")) == (SYSTEM, Exported.__name__, self._head.nonce):
            self._own = entry.data

    def done(self) -> Audit:
        faults = [*self._faults, *self._proof.faults(), *self._uncovered()]
        missing = [number for number in self._anchors if number >= self._head.first_checkpoint]
        faults += [f"checkpoint {number} was anchored outside, and is not in the file" for number in missing]
        if self._own is None:
            faults.append(f"the event of this export is missing in {SYSTEM}: the file was cut, or put together anew")
        elif self._own.get("begins") != _hash(self._head.begins) or not self._same_time():
            faults.append("the first line is not the one of this export: it tells another beginning")
        return Audit(len(self._proof.heads), self._proof.events, self._proof.checkpoints, tuple(faults))

    def _same_time(self) -> bool:
        said = self._own.get("since") if self._own else None
        return said == (self._head.since.isoformat() if self._head.since else None)

    def _uncovered(self) -> list[str]:
        """An export ends with a checkpoint over all of it, so nothing may stand behind what is signed."""
        return [
            f"{chain} event {end} is signed in no checkpoint: it was put in behind the end"
            for chain, (end, _) in sorted(self._proof.heads.items())
            if not self._proof.covers(chain, end)
        ]
