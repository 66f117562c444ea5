"""The journal's chains and checkpoints: whatever is changed, removed, moved, put in or cut off is found and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from securesystemslib.signer import CryptoSigner

from adapters.store.memory import MemoryStore
from bot.checkpoints import Checkpoints, faults
from core.events import SYSTEM
from core.journal import GENESIS, Draft, Entry, digest, first_fault, seal
from core.ports import Change
from tests.core.support.team import START


class Clock:
    def now(self) -> datetime:
        return START


def draft(chain: str, number: int) -> Draft:
    data = {"text": f"event {number}", "why": "Ünïcode", "number": 0.1 + 0.2}
    return Draft(chain, "Noted", data, START + timedelta(seconds=number), "alice", "console")


def chain(length: int = 5) -> list[Entry]:
    found: list[Entry] = []
    for number in range(1, length + 1):
        found.append(seal(draft("v1#1", number), number, found[-1].hash if found else GENESIS))
    return found


def resealed(entry: Entry) -> Entry:
    """As somebody would write it who knows how hashes are made."""
    return replace(entry, hash=digest(entry))


# -- one chain ---------------------------------------------------------------------------------------------------------


def test_a_whole_chain_has_no_fault() -> None:
    assert first_fault(chain()) is None
    assert first_fault([]) is None


CHANGES = {
    "data": {"data": {"text": "something else"}},
    "kind": {"kind": "Approved"},
    "author": {"by": "eve"},
    "time": {"at": START},
    "platform": {"via": "slack"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_event_is_named(what: str) -> None:
    entries = chain()
    entries[2] = replace(entries[2], **CHANGES[what])  # type: ignore[arg-type] # of its own field each
    kind = entries[2].kind
    assert first_fault(entries) == f"v1#1 event 3 ({kind}) was changed after it was written"
    entries[2] = resealed(entries[2])
    assert first_fault(entries) == (
        "v1#1 event 4 (Noted) does not follow the one before it: it was moved, or its neighbour was replaced"
    )


@pytest.mark.parametrize("position", range(4))
def test_a_removed_event_is_missed(position: int) -> None:
    entries = chain()
    del entries[position]
    assert first_fault(entries) == f"v1#1 event {position + 1} is missing; {position + 2} follows {position}"


def test_moved_events_are_noticed() -> None:
    entries = chain()
    entries[1], entries[2] = entries[2], entries[1]
    assert first_fault(entries) == "v1#1 event 2 is missing; 3 follows 1"
    swapped = [replace(entry, seq=number) for number, entry in enumerate(entries, 1)]
    assert first_fault(swapped) == (
        "v1#1 event 2 (Noted) does not follow the one before it: it was moved, or its neighbour was replaced"
    )


def test_an_event_that_was_put_in_is_noticed() -> None:
    entries = chain()
    forged = seal(draft("v1#1", 9), 3, entries[1].hash)
    later = [replace(entry, seq=entry.seq + 1) for entry in entries[2:]]
    fault = first_fault([*entries[:2], forged, *later])
    assert (
        fault == "v1#1 event 4 (Noted) does not follow the one before it: it was moved, or its neighbour was replaced"
    )


def test_an_event_of_another_chain_does_not_fit() -> None:
    entries = chain()
    entries[2] = replace(entries[2], chain="v2#1")
    assert first_fault(entries) == "v2#1 event 3 (Noted) was changed after it was written"


# -- all chains, held against signed checkpoints -----------------------------------------------------------------------


class Journal:
    """A store with two deployments' chains, and a checkpoint over them."""

    def __init__(self) -> None:
        self.store = MemoryStore(Clock())
        self.signer = CryptoSigner.generate_ed25519()
        self.checkpoints = Checkpoints(self.store, self.signer, Clock())

    async def write(self, name: str, count: int) -> None:
        for number in range(count):
            await self.store.commit(Change(entries=(draft(name, number),)))

    async def opened(self) -> Journal:
        for name in ("v1#1", "v2#1"):
            entry = Draft(SYSTEM, "Opened", {"deployment": name}, START, "alice")
            await self.store.commit(Change(entries=(entry,)))
            await self.write(name, 3)
        assert await self.checkpoints.write()
        return self

    async def faults(self, signer: CryptoSigner | None = None) -> list[str]:
        return await faults(self.store, [(signer or self.signer).public_key])


async def test_a_whole_journal_has_no_fault() -> None:
    journal = await Journal().opened()
    assert await journal.faults() == []
    assert not await journal.checkpoints.write()
    await journal.write("v1#1", 1)
    assert await journal.checkpoints.write()
    assert await journal.faults() == []


async def test_a_chain_that_is_cut_at_its_end_is_missed() -> None:
    journal = await Journal().opened()
    del journal.store._chains["v1#1"][2:]
    assert await journal.faults() == [
        "v1#1 event 3 is missing: the chain ends at event 2, and it was signed in checkpoint 1"
    ]


async def test_a_deployment_that_vanished_is_missed() -> None:
    journal = await Journal().opened()
    del journal.store._chains["v2#1"]
    assert await journal.faults() == [
        "v2#1 event 1 is missing: nothing of the chain is there, and event 3 was signed in checkpoint 1",
    ]


async def test_a_chain_that_was_written_anew_is_noticed() -> None:
    journal = await Journal().opened()
    del journal.store._chains["v1#1"]
    await journal.write("v1#1", 4)
    assert await journal.faults() == []  # the very same events again are the same chain
    del journal.store._chains["v1#1"]
    await journal.store.commit(Change(entries=tuple(draft("v1#1", number) for number in (7, 8, 9))))
    assert await journal.faults() == ["v1#1 one of the events 1 to 3 is not the one that was signed in checkpoint 1"]


async def test_checkpoints_are_a_chain_too() -> None:
    journal = await Journal().opened()
    for _ in range(2):
        await journal.write("v1#1", 1)
        await journal.checkpoints.write()
    del journal.store._checkpoints[1]
    assert await journal.faults() == ["checkpoint 2 does not follow the one before it"]


async def test_a_checkpoint_by_another_key_is_not_believed() -> None:
    journal = await Journal().opened()
    assert await journal.faults(CryptoSigner.generate_ed25519()) == ["checkpoint 1 is not signed by this bot"]
