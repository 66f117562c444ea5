"""Of several replicas one has the gateway, and another takes over."""

from __future__ import annotations

from adapters.store.memory import MemoryStore
from bot.turn import LEASE, Turn
from tests.bot.support.clock import MovedClock


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
