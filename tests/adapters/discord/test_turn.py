"""Of several replicas one has the gateway, and another takes over."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.discord.platform import DiscordPlatform
from adapters.store.memory import MemoryStore
from bot.turn import LEASE, Turn
from core.cards import Card
from core.completion import CompletionContext
from core.people import Account, Person
from core.ports import Incoming, Reply
from tests.adapters.discord.world import setup_of
from tests.bot.support.clock import MovedClock
from tests.discord.peer.discord import Discord


class Echo:
    """A door that does what it is asked, and says what that was."""

    async def submit(self, message: Incoming) -> bool:
        return True

    async def answer(self, message: Incoming) -> Reply:
        return Reply("done", Card(message.text))


class Nobody:
    async def person(self, account: Account) -> Person | None:
        return None

    def hears(self, account: Account, domain: str, groups: frozenset[str]) -> None: ...

    async def updates(self, account: Account) -> Sequence[str]:
        return ()

    async def completion(self, account: Account) -> CompletionContext:
        return CompletionContext()

    async def card(self, name: str) -> Card | None:
        return None


async def test_one_has_it_until_it_is_silent_or_says_so() -> None:
    clock = MovedClock()
    store = MemoryStore(clock)
    first, second = (Turn(store, clock, "discord gateway") for _ in range(2))
    assert await first.mine()
    assert not await second.mine()
    clock.move(LEASE / 2)
    assert await first.mine()
    clock.move(LEASE * 2)
    assert await second.mine()
    assert not await first.mine()
    await second.over()
    assert await first.mine()


async def test_another_replica_takes_the_gateway_over_and_nobody_is_answered_twice() -> None:
    clock, store = MovedClock(), MemoryStore(MovedClock())
    async with Discord() as discord:
        platforms = [DiscordPlatform(setup_of(discord, hold=0.02), clock) for _ in range(2)]
        for one in platforms:
            one.open(Echo(), Nobody(), Turn(store, clock, "discord gateway"))
            await one.start()
        await discord.until(lambda: sorted(one.health.state for one in platforms) == ["connected", "waiting"])
        first, second = sorted(platforms, key=lambda one: one.health.state)
        asked = await discord.vi.slash("whoami")
        await discord.until(lambda: asked.original is not None and "whoami" in asked.original.text)
        await first.stop()
        await discord.until(lambda: second.health.state == "connected")
        assert len(discord.gateway.live) == 1
        again = await discord.vi.slash("whoami")
        await discord.until(lambda: again.original is not None and "whoami" in again.original.text)
        await second.stop()
        assert discord.refusals() == []
        for one in platforms:
            await one.close()


async def test_who_stood_still_for_too_long_leaves_it() -> None:
    clock, store = MovedClock(), MemoryStore(MovedClock())
    other = Turn(store, clock, "discord gateway")
    async with Discord() as discord:
        platform = DiscordPlatform(setup_of(discord, hold=0.02), clock)
        platform.open(Echo(), Nobody(), Turn(store, clock, "discord gateway"))
        await platform.start()
        await discord.connected()
        clock.move(LEASE * 2)
        while not await other.mine():
            clock.move(LEASE * 2)
        await discord.until(lambda: platform.health.state == "waiting")
        assert not discord.gateway.live
        await platform.stop()
        await platform.close()
