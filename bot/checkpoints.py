"""Signed checkpoints: the head of every chain of the journal, so that a chain which is cut or vanishes is noticed."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import BaseModel
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Key

from core.journal import GENESIS, Entry, Head, first_fault
from core.ports import Clock, Conflict, Store
from core.release.signing import SignatureRefused, canonical, opened, sign

log = structlog.get_logger("ashat.checkpoints")

Heads = dict[str, tuple[int, str]]
"""Chain to the number and the hash of its last entry."""
PREDICATE = "checkpoint/v1"
_PAGE = 5000


class Checkpoint(BaseModel):
    """The heads that have moved since the checkpoint before, and that one's hash: together they name every chain."""

    heads: Heads
    previous: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Signed:
    """What the checkpoints so far have left: every chain's signed head, the last one's hash, and how many they are."""

    heads: Heads
    last: str = GENESIS
    count: int = 0


class Checkpoints:
    def __init__(self, store: Store, signer: CryptoSigner, clock: Clock) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._signed = _Signed({})
        self._writing = asyncio.Lock()

    async def write(self) -> bool:
        """Sign the heads that have moved since the last one. False where nothing has. One at a time.

        Where another replica signs at the same moment, its checkpoint stands, and what it did not cover follows.
        """
        async with self._writing:
            signed = self._signed = await self._caught_up(self._signed)
            heads = {head.chain: (head.seq, head.hash) for head in await self._store.heads()}
            moved = {chain: head for chain, head in heads.items() if signed.heads.get(chain) != head}
            try:
                if moved:
                    await self._sign(moved, signed)
            except Conflict:
                log.info("another replica has just signed", number=signed.count + 1)
                return False
            return bool(moved)

    async def _sign(self, moved: Heads, before: _Signed) -> None:
        """Raises Conflict where another checkpoint came first."""
        predicate = Checkpoint(heads=moved, previous=before.last, at=self._clock.now())
        envelope = sign(self._signer, PREDICATE, {"journal": digest_of(predicate)}, predicate)
        await self._store.add_checkpoint(envelope, predicate.at, before.count + 1)

    async def _caught_up(self, signed: _Signed) -> _Signed:
        """With all that was stored since, by whomever.

        A checkpoint that another key signed counts for nothing, so that all heads are signed again after a change of
        keys; `ashat audit verify` names it.
        """
        for envelope in await self._store.checkpoints(after=signed.count):
            heads, number = signed.heads, signed.count + 1
            try:
                heads = heads | opened(envelope, [self._signer.public_key], PREDICATE, Checkpoint).heads
            except SignatureRefused as refused:
                log.warning("checkpoint not signed by this bot", number=number, why=str(refused))
            signed = _Signed(heads, hash_of(envelope), number)
        return signed


def digest_of(predicate: Checkpoint) -> str:
    return hashlib.sha256(canonical(predicate.model_dump(mode="json"))).hexdigest()


def hash_of(envelope: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(envelope)).hexdigest()


async def faults(store: Store, keys: list[Key]) -> list[str]:
    """What is wrong with the journal, a sentence each; none where it is whole. Names each chain's first wrong event."""
    found: list[str] = []
    heads = {head.chain: head for head in await store.heads()}
    for chain in sorted(heads):
        fault = first_fault(await _whole(store, chain))
        if fault:
            found.append(fault)
    found += await _missing_deployments(store, heads)
    found += await _checkpoint_faults(store, keys)
    return found


async def _whole(store: Store, chain: str) -> list[Entry]:
    entries: list[Entry] = []
    while page := await store.journal(chain, after=entries[-1].seq if entries else 0, limit=_PAGE):
        entries += page
    return entries


async def _missing_deployments(store: Store, heads: dict[str, Head]) -> list[str]:
    opened_ = [entry.data["deployment"] for entry in await _whole(store, "system") if entry.kind == "Opened"]
    return [f"deployment {key} was opened, and its journal is gone" for key in opened_ if key not in heads]


async def _checkpoint_faults(store: Store, keys: list[Key]) -> list[str]:
    """Every head that was ever signed must still stand where it stood."""
    found: list[str] = []
    previous, promised = GENESIS, dict[tuple[str, int], str]()
    for number, envelope in enumerate(await store.checkpoints(), 1):
        try:
            checkpoint = opened(envelope, keys, PREDICATE, Checkpoint)
        except (SignatureRefused, VerificationError):
            found.append(f"checkpoint {number} is not signed by this bot")
            continue
        if checkpoint.previous != previous:
            found.append(f"checkpoint {number} does not follow the one before it")
        previous = hash_of(envelope)
        promised |= {(chain, seq): hash_ for chain, (seq, hash_) in checkpoint.heads.items()}
    for (chain, seq), hash_ in sorted(promised.items()):
        entries = await store.journal(chain, after=seq - 1, limit=1)
        if not entries or entries[0].seq != seq:
            found.append(f"{chain} event {seq} was signed in a checkpoint, and is gone")
        elif entries[0].hash != hash_:
            found.append(f"{chain} event {seq} is not the one that was signed in a checkpoint")
    return found
