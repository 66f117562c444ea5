"""Signed checkpoints: what is changed, cut or gone is noticed; what merely crashed is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from adapters.store.memory import MemoryStore
from bot.checkpoints import Anchor, Checkpoints, faults
from bot.settings.sections import Proof
from core.events import Noted
from core.journal import Draft
from core.ports import Change
from core.release.signing import digest_of
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World, running

SIGNER = CryptoSigner.generate_ed25519()


class Books:
    """A store with a few chains, and what signs them."""

    def __init__(self) -> None:
        self.clock = MovedClock()
        self.store = MemoryStore(self.clock)
        self.checkpoints = self.signing(SIGNER)

    def signing(self, signer: CryptoSigner) -> Checkpoints:
        """As a process that has just started."""
        return Checkpoints(self.store, signer, self.clock)

    async def write(self, *chains: str) -> None:
        self.clock.move(1)
        drafts = [Draft(chain, Noted.__name__, {"text": "x"}, self.clock.now(), "bo") for chain in chains]
        await self.store.commit(Change(entries=tuple(drafts)))

    async def opened(self, key: str) -> None:
        draft = Draft("system", "Opened", {"deployment": key}, self.clock.now(), "bo")
        await self.store.commit(Change(entries=(draft,)))

    async def faults(self) -> list[str]:
        return await faults(self.store, [SIGNER.public_key])


@pytest.fixture
def books() -> Books:
    return Books()


async def test_what_nobody_touched_is_whole(books: Books) -> None:
    await books.write("v1#1", "system")
    assert await books.checkpoints.write()
    await books.write("v1#1", "v2#1")
    assert await books.checkpoints.write()
    assert await books.faults() == []


async def test_nothing_is_signed_where_nothing_moved(books: Books) -> None:
    assert not await books.checkpoints.write()
    await books.write("v1#1")
    assert await books.checkpoints.write()
    assert not await books.checkpoints.write()
    assert not await books.signing(SIGNER).write(), "nor after a restart"
    assert len(await books.store.checkpoints()) == 1


async def test_a_changed_event_is_found(books: Books) -> None:
    await books.write("v1#1", "v1#1")
    chain = books.store._chains["v1#1"]
    chain[0] = replace(chain[0], data={"text": "y"})
    assert [fault for fault in await books.faults() if "v1#1" in fault]


async def test_a_chain_that_was_cut_at_its_end_is_found(books: Books) -> None:
    await books.write("v1#1", "v1#1", "v1#1")
    await books.checkpoints.write()
    books.store._chains["v1#1"].pop()
    assert await books.faults() == [
        "v1#1 event 3 is missing: the chain ends at event 2, and it was signed in checkpoint 1"
    ]


async def test_a_chain_that_was_written_anew_is_found(books: Books) -> None:
    await books.write("v1#1")
    await books.checkpoints.write()
    del books.store._chains["v1#1"]
    await books.write("v1#1")
    assert await books.faults() == ["v1#1 event 1 is not the one that was signed in checkpoint 1"]


async def test_a_deployment_that_vanished_is_found_without_any_checkpoint(books: Books) -> None:
    await books.write("v1#1")
    await books.opened("v1#1")
    assert await books.faults() == []
    del books.store._chains["v1#1"]
    assert await books.faults() == ["v1#1 event 1 is missing: deployment v1#1 was opened, and its journal is gone"]


async def test_a_checkpoint_that_was_taken_away_is_found(books: Books) -> None:
    for _ in range(3):
        await books.write("v1#1")
        await books.checkpoints.write()
    del books.store._checkpoints[1]
    assert await books.faults() == ["checkpoint 2 does not follow the one before it"]


async def test_a_checkpoint_by_another_key_is_found(books: Books) -> None:
    await books.write("v1#1")
    await books.signing(CryptoSigner.generate_ed25519()).write()
    assert await books.faults() == ["checkpoint 1 is not signed by this bot"]


async def test_after_a_change_of_keys_everything_is_signed_again(books: Books) -> None:
    await books.write("v1#1", "v2#1")
    await books.signing(CryptoSigner.generate_ed25519()).write()
    assert await books.checkpoints.write()
    del books.store._chains["v2#1"]
    assert any(fault.startswith("v2#1 event 1 is missing") for fault in await books.faults())


@pytest.mark.parametrize("took_hold", [False, True])
async def test_one_that_was_cut_off_is_followed_by_a_right_one(
    books: Books, monkeypatch: pytest.MonkeyPatch, *, took_hold: bool
) -> None:
    """The timer's job is cancelled when the program stops, which then signs a last one."""
    await books.write("v1#1")
    add, waiting = books.store.add_checkpoint, asyncio.Event()

    async def hangs(*args: Any) -> None:
        if took_hold:
            await add(*args)
        waiting.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(books.store, "add_checkpoint", hangs)
        task = asyncio.create_task(books.checkpoints.write())
        await waiting.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await books.write("v1#1")
    assert await books.checkpoints.write()
    assert await books.faults() == []
    assert len(await books.store.checkpoints()) == (2 if took_hold else 1)


async def test_two_at_once_follow_each_other(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    add = books.store.add_checkpoint

    async def slow(*args: Any) -> None:
        await asyncio.sleep(0)
        await add(*args)

    monkeypatch.setattr(books.store, "add_checkpoint", slow)
    await books.write("v1#1")
    assert sorted(await asyncio.gather(books.checkpoints.write(), books.checkpoints.write())) == [False, True]
    assert await books.faults() == []


# -- the anchor outside ------------------------------------------------------------------------------------------------

ANCHOR = Anchor("chat:audit", 3600)


class Anchored(Books):
    def __init__(self) -> None:
        super().__init__()
        self.checkpoints = self.starting()

    def starting(self) -> Checkpoints:
        return Checkpoints(self.store, SIGNER, self.clock, ANCHOR)

    async def lines(self) -> list[str]:
        return [queued.message.card.title for queued in await self.store.outbox("chat:audit", 100)]

    async def numbers(self) -> list[str]:
        return [line.split()[2].strip(":") for line in await self.lines()]


async def test_a_checkpoint_is_anchored_at_most_once_in_the_least_time() -> None:
    books = Anchored()
    assert not await books.checkpoints.write()
    assert await books.lines() == [], "an empty journal says nothing"
    for _ in range(3):
        await books.write("v1#1", "system")
        assert await books.checkpoints.write()
    assert await books.numbers() == ["1"]
    books.clock.move(3600)
    await books.write("v1#1")
    assert await books.checkpoints.write()
    assert await books.numbers() == ["1", "4"]
    envelopes = await books.store.checkpoints()
    assert (await books.lines())[1] == f"Journal checkpoint 4: {digest_of(envelopes[3])} (7 events in 2 chains)"
    assert await books.faults() == []


async def test_what_came_too_soon_is_anchored_when_it_is_time_and_then_there_is_silence() -> None:
    books = Anchored()
    for _ in range(2):
        await books.write("v1#1")
        assert await books.checkpoints.write()
    books.clock.move(1800)
    assert not await books.checkpoints.write()
    books.clock.move(1800)
    restarted = books.starting()
    assert await restarted.write(), "a checkpoint without other news"
    assert await books.numbers() == ["1", "3"]
    for _ in range(5):
        books.clock.move(7200)
        assert not await restarted.write()
        assert not await books.starting().write(), "nor after another restart"
    assert await books.faults() == []


async def test_the_bot_posts_it() -> None:
    world = World()
    proof = Proof(anchor_channel="chat:audit", anchor_every=60)
    world.settings = world.settings.model_copy(update={"proof": proof})
    world.app = world.make_app()
    async with running(world):
        world.ships("v1")
        await world.alice.says("deploy push v1 'x'")
        await world.app._checkpoint()
        await world.settles()
        (envelope,) = await world.store.checkpoints()
        message = world.posted("Journal checkpoint 1: ")
        assert message.channel == "chat:audit"
        assert digest_of(envelope) in message.text
