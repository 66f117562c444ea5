"""Signed checkpoints: the head of every chain of the journal, so that a chain which is cut or vanishes is noticed.

Where settings name a channel for it, a checkpoint's hash is posted there now and then, in the transaction that stores
it: an anchor outside, that whoever has the database and the bot's key cannot take back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from securesystemslib.signer import Key

from core import say
from core.cards import Card
from core.journal import GENESIS, Entry
from core.ports import Clock, Conflict, Outbound, Store
from core.proof import PREDICATE, Checkpoint, Heads, Proof
from core.release.signing import SignatureRefused, Signs, canonical, digest_of, opened, sign

log = structlog.get_logger("ashat.checkpoints")

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Anchor:
    """The channel that gets the checkpoints' hashes, and the least seconds between two of them."""

    channel: str
    gap: float


@dataclass(frozen=True, slots=True)
class _Signed:
    """What the checkpoints so far have left: every chain's signed head, the last one's hash, and how many they are."""

    heads: Heads
    last: str = GENESIS
    count: int = 0
    anchored_at: datetime | None = None
    adrift: bool = False
    """Whether heads have moved since the last anchor."""


class Checkpoints:
    def __init__(self, store: Store, signer: Signs, clock: Clock, anchor: Anchor | None = None) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._anchor = anchor
        self._signed = _Signed({})
        self._key = ""
        self._writing = asyncio.Lock()

    @property
    def signed(self) -> tuple[int, Heads]:
        """The last checkpoint that this one has seen or signed, and every chain's head by it."""
        return self._signed.count, self._signed.heads

    async def write(self) -> bool:
        """Sign the heads that have moved since the last one. False where nothing has. One at a time.

        Where another replica signs at the same moment, its checkpoint stands, and what it did not cover follows. What
        moved too soon after an anchor is anchored once it is time, by a checkpoint of no other news.
        """
        async with self._writing:
            signed = self._signed = await self._caught_up(self._known())
            heads = {head.chain: (head.seq, head.hash) for head in await self._store.heads()}
            moved = {chain: head for chain, head in heads.items() if signed.heads.get(chain) != head}
            anchor = self._due_anchor(signed)
            wanted = bool(moved) or (anchor is not None and signed.adrift)
            try:
                if wanted:
                    await self._sign(moved, signed, anchor)
                    self._signed = await self._caught_up(signed)
            except Conflict:
                log.info("another replica has just signed", number=signed.count + 1)
                return False
            return wanted

    def _known(self) -> _Signed:
        """With a new key all heads are signed anew: what an older one signed may not be believed for ever."""
        before, self._key = self._key, self._signer.public_key.keyid
        return self._signed if before == self._key else _Signed({})

    def _due_anchor(self, signed: _Signed) -> str | None:
        if self._anchor is None:
            return None
        at = signed.anchored_at
        due = at is None or abs((self._clock.now() - at).total_seconds()) >= self._anchor.gap
        return self._anchor.channel if due else None

    async def _sign(self, moved: Heads, before: _Signed, anchor: str | None) -> None:
        """Raises Conflict where another checkpoint came first."""
        predicate = Checkpoint(heads=moved, previous=before.last, at=self._clock.now(), anchor=anchor)
        envelope = sign(self._signer, PREDICATE, {"journal": _subject(predicate)}, predicate)
        number = before.count + 1
        outbox = () if anchor is None else (_line(anchor, number, digest_of(envelope), before.heads | moved),)
        await self._store.add_checkpoint(envelope, predicate.at, number, outbox)

    async def _caught_up(self, signed: _Signed) -> _Signed:
        """With all that was stored since, by whomever.

        A checkpoint that another key signed counts for nothing, so that all heads are signed again after a change of
        keys; `ashat audit verify` tells which keys it knows.
        """
        for envelope in await self._store.checkpoints(after=signed.count):
            number, heads, at, adrift = signed.count + 1, signed.heads, signed.anchored_at, True
            try:
                said = opened(envelope, [self._signer.public_key], PREDICATE, Checkpoint)
            except SignatureRefused as refused:
                log.warning("checkpoint not signed by this bot's key", number=number, why=str(refused))
            else:
                heads = heads | said.heads
                at, adrift = (said.at, False) if said.anchor else (at, signed.adrift or bool(said.heads))
            signed = _Signed(heads, digest_of(envelope), number, at, adrift)
        return signed


def _line(channel: str, number: int, hash_: str, heads: Heads) -> Outbound:
    """All that it says is public already to who may read the channel: counts, and a hash that tells nothing."""
    events = say.count(sum(seq for seq, _ in heads.values()), "event")
    title = f"Journal checkpoint {number}: {hash_} ({events} in {say.count(len(heads), 'chain')})"
    return Outbound("line", channel, Card(title, summary=title))


def _subject(predicate: Checkpoint) -> str:
    return hashlib.sha256(canonical(predicate.model_dump(mode="json"))).hexdigest()


# -- whether the journal is whole --------------------------------------------------------------------------------------


async def faults(store: Store, keys: Iterable[Key], retired: Mapping[str, datetime] | None = None) -> list[str]:
    """What is wrong with the journal, a sentence each; none where it is whole. Names each chain's first wrong event."""
    return (await proof(store, keys, retired)).faults()


async def proof(store: Store, keys: Iterable[Key], retired: Mapping[str, datetime] | None = None) -> Proof:
    """The whole journal, taken in. Checkpoints first: what a running bot writes meanwhile is promised by none yet."""
    taken = Proof(keys, retired)
    for envelope in await store.checkpoints():
        taken.checkpoint(envelope)
    for head in await store.heads():
        async for entry in whole(store, head.chain):
            taken.entry(entry)
    return taken


async def whole(store: Store, chain: str, after: int = 0) -> AsyncIterator[Entry]:
    """All entries of one chain, from the one after number `after`, however many there are."""
    while page := await store.journal(chain, after=after, limit=_PAGE):
        for entry in page:
            yield entry
        after = page[-1].seq
