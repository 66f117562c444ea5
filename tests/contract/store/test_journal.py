"""The journal is read back as it was hashed, chain by chain, whoever writes at the same time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from adapters.store.codec import event_from
from core import events as e
from core.journal import GENESIS, Draft, Head, first_fault
from core.ports import Change, Conflict, Store
from core.state import Deployment
from tests.contract.store.samples import START, after, draft, journey, new_deployment, note, outbound, stored


async def test_an_empty_journal_has_no_heads(store: Store) -> None:
    assert await store.heads() == []
    assert await store.journal("v1#1") == []


async def test_entries_are_sealed_in_order(store: Store) -> None:
    await store.commit(Change(entries=(note("v1#1", "a"), note("system", "s"), note("v1#1", "b"))))
    await store.commit(Change(entries=(note("v1#1", "c"),)))
    entries = await store.journal("v1#1")
    assert [entry.data["text"] for entry in entries] == ["a", "b", "c"]
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[0].previous == GENESIS
    assert first_fault(entries) is None
    assert first_fault(await store.journal("system")) is None


async def test_a_whole_journey_is_read_back_event_by_event(store: Store) -> None:
    told = [(draft("v1#1", event, after(seconds), by), event) for seconds, by, event in journey()]
    for written, _ in told:
        await store.commit(Change(entries=(written,)))
    entries = await store.journal("v1#1")
    assert first_fault(entries) is None
    assert [event_from(entry.kind, entry.data) for entry in entries] == [event for _, event in told]
    assert [(entry.at, entry.by, entry.via) for entry in entries] == [(d.at, d.by, d.via) for d, _ in told]


async def test_data_is_hashed_as_it_is_read_back(store: Store) -> None:
    """Tuples, keys that are no strings, awkward numbers and texts: the hash is of what a reader sees."""
    odd: Any = {
        "t": (1, (2.0, -0.0, 1e300, 0.1 + 0.2)),
        10: "ten",
        9: {"b": None, "a": True},
        "s": "“\u0000\u2028 🚚 é",
    }
    east = datetime(2026, 1, 5, 12, 0, 0, 7, tzinfo=timezone(timedelta(hours=9)))
    await store.commit(Change(entries=(Draft("system", "Odd", odd, east, "eve", "shell"), note("system"))))
    entries = await store.journal("system")
    assert first_fault(entries) is None
    assert entries[0].data["10"] == "ten"
    assert entries[0].at == east
    assert entries[0].at.tzinfo is not None


async def test_chains_are_read_in_pages(store: Store) -> None:
    await store.commit(Change(entries=tuple(note("system", str(number)) for number in range(10))))
    assert [entry.seq for entry in await store.journal("system", limit=4)] == [1, 2, 3, 4]
    assert [entry.seq for entry in await store.journal("system", after=4, limit=4)] == [5, 6, 7, 8]
    assert [entry.seq for entry in await store.journal("system", after=8, limit=4)] == [9, 10]
    assert await store.journal("system", after=10) == []


async def test_heads_are_the_last_entries_by_chain(store: Store) -> None:
    chains = ["v1#1", "system", "v1#10", "v1#2", "a", "Z"]
    await store.commit(Change(entries=tuple(note(chain, str(n)) for n, chain in enumerate(chains * 3))))
    heads = await store.heads()
    assert [head.chain for head in heads] == sorted(chains)
    for head in heads:
        last = (await store.journal(head.chain))[-1]
        assert head == Head(last.chain, 3, last.hash)


async def test_checkpoints_come_oldest_first(store: Store) -> None:
    assert await store.checkpoints() == []
    envelopes = [{"payload": "e30=", "n": n, "signatures": [{"sig": "aa", "keyid": "k"}]} for n in range(3)]
    for n, envelope in enumerate(envelopes):
        await store.add_checkpoint(envelope, after(n), n + 1)
    assert await store.checkpoints() == envelopes
    assert await store.checkpoints(after=1) == envelopes[1:]
    assert await store.checkpoints(after=3) == []


async def test_a_checkpoint_and_what_is_told_of_it_are_one_transaction(store: Store) -> None:
    told = outbound("console:audit", "checkpoint 1", None)
    await store.add_checkpoint({"n": 1}, START, 1, (told,))
    for number in (1, 3):
        with pytest.raises(Conflict):
            await store.add_checkpoint({"n": number}, START, number, (outbound("console:audit", "never", None),))
    assert [queued.message for queued in await store.outbox("console:audit", 10)] == [told]
    assert await store.checkpoints() == [{"n": 1}]


async def test_thousands_of_random_commits_leave_whole_chains(store: Store) -> None:
    """Eight tasks write to five deployments and to the system chain, with conflicts: no entry is lost or doubled."""
    rng = random.Random(11)
    known = [await stored(store, new_deployment(f"v{number}")) for number in range(5)]
    written = {d.key: 0 for d in known} | {"system": 0}

    async def write(times: int) -> None:
        for _ in range(times):
            number = rng.randrange(5)
            d = known[number]
            drafts = tuple(_random_draft(rng, d) for _ in range(rng.randint(1, 4)))
            try:
                known[number] = await stored(store, replace(d, info=str(rng.random())), drafts)
            except Conflict:
                continue
            for one in drafts:
                written[one.chain] += 1

    await asyncio.gather(*(write(260) for _ in range(8)))
    heads = {head.chain: head.seq for head in await store.heads()}
    assert heads == written
    assert sum(written.values()) > 1500
    for chain, length in written.items():
        entries = await store.journal(chain, limit=10_000)
        assert len(entries) == length
        assert first_fault(entries) is None


def _random_draft(rng: random.Random, d: Deployment) -> Draft:
    event = e.CheckFinished(
        1, "Health Check", "passed", measured={"p95": rng.random(), "count": rng.uniform(-1e9, 1e9)}
    )
    at = START.astimezone(UTC) + timedelta(microseconds=rng.randrange(10**12))
    return draft(rng.choice((d.key, d.key, "system")), event, at, rng.choice(("alice", "bo", "ashat")))
