"""Faults on the whole bot with its servers in memory: a clock that jumps, a store that fails, many people at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

from adapters.store.memory import MemoryStore
from adapters.store.sql import SqlStore
from bot.checkpoints import faults
from core.ports import Store
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.interleaved import interleaved
from tests.bot.support.people import TEAM
from tests.bot.support.world import World, running
from tests.bot.test_service import APPROVERS, sixteen_at_once
from tests.faults.tally import Tally

JUMPS = (-86_400.0, -3_600.0, -300.0, -10.0, 10.0, 60.0, 120.0)
"""Seconds. None forward is longer than a stage may take: then it would fail, and rightly so."""
STEPS = (
    ("alice", "push v1 'Fix the login page'", Stage.STAGED),
    ("alice", "verify v1", Stage.AWAITING_APPROVAL),
    ("bo", "approve v1", Stage.COMPLETED),
    ("bo", "rollback v1 'login errors'", Stage.ROLLED_BACK),
)
ROUNDS_A_WORLD = 25
"""So that no round costs more than another."""


async def _ended(world: World) -> None:
    world.public.settle()
    world.nothing_took_hold_twice()
    await world.production_runs(None)
    assert await faults(world.store, [world.signer.public_key]) == []


# -- a clock that jumps ------------------------------------------------------------------------------------------------


async def clock_jumps(rounds: int, seed: int) -> Tally:
    """In each step the clock is put forward or back, once or twice, at some moment; the journey goes on."""
    tally, random = Tally("journey, a clock that jumps both ways"), Random(seed)
    for _ in range(rounds):
        jumps = [[(random.randrange(6), random.choice(JUMPS)) for _ in range(random.randrange(1, 3))] for _ in STEPS]
        try:
            await _jumping(jumps)
        except AssertionError as error:
            tally.fault(f"{jumps}: {error}")
        else:
            tally.held_well()
    return tally.ends()


async def _jumping(jumps: list[list[tuple[int, float]]]) -> None:
    async with running(World()) as world:
        world.ships("v1")
        for (name, text, stage), moments in zip(STEPS, jumps, strict=True):
            reply = await world.speaker(name).says(text)
            assert reply.outcome == "done", reply.card.title
            for tick in range(6):
                for _ in (at for at, _ in moments if at == tick):
                    await world.ticks()
                world.clock.move(sum(seconds for at, seconds in moments if at == tick))
                await world.ticks()
                world.clock.move(2.0)
            await world.reaches("v1", stage)
        await world.settles()
        await _ended(world)


# -- a store that fails ------------------------------------------------------------------------------------------------

WRITES = ("accept", "commit", "claim", "extend", "release", "hold", "outbox", "sent", "stale_cards", "shown")
READS = ("settled", "deployment", "active", "history", "lane", "servers", "card", "channels_waiting", "next_due")


class _Failing:
    """A store of which one call raises once, before or after it took effect."""

    def __init__(self, store: Store, method: str, skip: int, *, after: bool) -> None:
        self.armed = False
        self.reached = False
        self._store = store
        self._method = method
        self._skip = skip
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return partial(self._counted, method) if name == self._method else method

    async def _counted(self, method: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        self._skip -= self.armed
        mine = self.armed and self._skip == -1
        self.reached |= mine
        if mine and not self._after:
            raise OSError("the disk did not answer")
        answer = await method(*args, **kwargs)
        if mine:
            raise OSError("the disk did not answer")
        return answer


async def failing_stores(limit: int) -> Tally:
    """Every call of the store raises once, before and after it took effect: the first `limit` calls of each method."""
    tally = Tally("journey, a store that raises once")
    for method in (*WRITES, *READS):
        for after in (False, True) if method in WRITES else (False,):
            for skip in range(limit):
                try:
                    if not await _with_failing(method, skip, after=after):
                        break
                except AssertionError as error:
                    tally.fault(f"{method} number {skip + 1}, {'after' if after else 'before'}: {error}")
                else:
                    tally.held_well()
    return tally.ends()


async def _with_failing(method: str, skip: int, *, after: bool) -> bool:
    """Whether the journey has so many calls of this method."""
    world = World()
    store, failing = world.store, _Failing(world.store, method, skip, after=after)
    world.store = cast(Store, failing)
    world.app = world.make_app()
    world.store = store
    async with running(world):
        failing.armed = True
        world.ships("v1")
        for number, (name, text, stage) in enumerate(STEPS):
            await _repeated(world, name, text, f"step-{number}")
            await world.reaches("v1", stage)
        try:
            await world.settles()
        except OSError:  # whether it is at rest is asked of the same store
            await world.settles()
        await _ended(world)
        assert world.thread("v1").count("✅ v1 is complete") == 1, world.thread("v1")
        return failing.reached


async def _repeated(world: World, name: str, text: str, delivery: str) -> None:
    """People, and their platforms, repeat what was not answered."""
    for _ in range(3):
        try:
            reply = await world.speaker(name).says(text, delivery=delivery)
        except OSError:
            continue  # it was not accepted, and the platform delivers it again
        if reply.outcome == "failed":
            delivery += "'"
            assert "reference" in reply.card.title, reply.card.title
            continue
        assert reply.outcome == "done", reply.card.title
        return
    raise AssertionError(f"{text} was not answered three times")


# -- many people at once -----------------------------------------------------------------------------------------------


async def sixteen_in_memory(rounds: int, seed: int) -> Tally:
    """16 approve at the same instant, and every call of the store lets others go first."""
    tally = Tally("16 approvers at once, in memory")
    for start in range(0, rounds, ROUNDS_A_WORLD):
        clock = MovedClock()
        store = interleaved(MemoryStore(clock), seed + start)
        async with running(World(store, team=(*TEAM, *APPROVERS), clock=clock, quorum=3)) as world:
            await _rounds(tally, world, min(ROUNDS_A_WORLD, rounds - start))
    return tally.ends("one decision each")


async def sixteen_on_sqlite(rounds: int, folder: Path) -> Tally:
    tally = Tally("16 approvers at once, on SQLite")
    for start in range(0, rounds, ROUNDS_A_WORLD):
        clock = MovedClock()
        store = await SqlStore.open(f"sqlite:///{folder / f'sixteen-{start}.db'}", clock)
        async with running(World(store, team=(*TEAM, *APPROVERS), clock=clock, quorum=3)) as world:
            await _rounds(tally, world, min(ROUNDS_A_WORLD, rounds - start))
    return tally.ends("one decision each")


async def _rounds(tally: Tally, world: World, rounds: int) -> None:
    try:
        await asyncio.wait_for(sixteen_at_once(world, rounds, 3), 600)
    except AssertionError as error:
        tally.fault(str(error))
    else:
        tally.held_well(rounds)
