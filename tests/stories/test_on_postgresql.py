"""Whole journeys with PostgreSQL as the bot's memory, and servers and channels in memory."""

from __future__ import annotations

from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World, running


async def complete(world: World, id_: str) -> None:
    world.ships(id_)
    await world.alice.says(f"deploy push {id_} 'A change that matters'")
    await world.alice.says(f"deploy verify {id_}")
    await world.reaches(id_, Stage.AWAITING_APPROVAL)
    await world.bo.says(f"deploy approve {id_}")
    await world.reaches(id_, Stage.COMPLETED)


async def test_updates_reach_production_and_one_goes_back(database_url: str) -> None:
    clock = MovedClock()
    async with running(World(await SqlStore.open(database_url, clock), clock=clock)) as world:
        await complete(world, "v1")
        await complete(world, "v2")
        await world.production_runs("v2")
        await world.eve.says("deploy rollback v2 'login errors'")
        await world.reaches("v2", Stage.ROLLED_BACK)
        await world.settles()
        await world.production_runs("v1")
        world.nothing_took_hold_twice()
        assert world.thread("v2")[-1] == "↩️ v2 is rolled back"
        history = str((await world.vi.says("deploy history")).card)
        assert "v1" in history
        assert "v2" in history
        assert await faults(world.store, [world.signer.public_key]) == []


async def test_a_bot_that_was_killed_is_followed_by_one_that_goes_on(database_url: str) -> None:
    clock = MovedClock()
    async with running(World(await SqlStore.open(database_url, clock), clock=clock)) as world:
        world.ships("v1")
        await world.alice.says("deploy push v1 'A change that matters'")
        await world.crash()
        await world.store.close()
        world.store = await SqlStore.open(database_url, clock)
        await world.restart()
        await world.reaches("v1", Stage.STAGED)
        await world.settles()
        world.nothing_took_hold_twice()
        assert (await world.counted("v1"))["Staged"] == 1
