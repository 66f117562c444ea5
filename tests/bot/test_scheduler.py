"""The timer: its named jobs alone bring things forward, and nothing is left behind when the program stops."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from apscheduler.job import Job

from adapters.store.memory import MemoryStore
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import World, running, until

JOBS = {"poll_verifications", "post_status_changes", "sweep_inbox", "checkpoint"}


class RealClock(MovedClock):
    """The machine's clock, for the tests in which the timer itself ticks."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def jobs(world: World) -> dict[str, Job]:
    return {job.name: job for job in world.app._scheduler.get_jobs()}


async def test_the_jobs_have_their_names_and_are_never_dropped_for_being_late(world: World) -> None:
    found = jobs(world)
    assert set(found) == JOBS
    assert {(job.coalesce, job.misfire_grace_time, job.max_instances) for job in found.values()} == {(True, None, 1)}
    assert found["poll_verifications"].trigger.interval.total_seconds() == 2.0


async def test_without_kicks_the_two_jobs_alone_bring_a_verdict_into_the_channel() -> None:
    async with running(World(clock=RealClock(), kicks=False, poll_seconds=0.02)) as world:
        world.ships("v1")
        await world.alice.says("deploy push v1 'Fix the login'")
        await world.alice.says("deploy verify v1")
        await until(lambda: "✅ Verification PASSED!" in [message.card.title for message in world.chat.messages])
        await until(lambda: "Awaiting approval" in world.card("v1").text)
        world.shows("v1", "✅ Verification PASSED!", "6 of 6")


@pytest.mark.parametrize(("job", "stands"), [("poll_verifications", "planned"), ("post_status_changes", "staged")])
async def test_without_kicks_and_without_its_job_nothing_comes_forward(job: str, stands: str) -> None:
    """The proof that it is the jobs which did it."""
    async with running(World(clock=RealClock(), kicks=False, poll_seconds=0.02)) as world:
        await asyncio.sleep(0)
        await world.is_still()
        jobs(world)[job].remove()
        world.ships("v1")
        await world.alice.says("deploy push v1 'Fix the login'")
        pushed = (await world.deployment("v1")).pushed_at
        await until(lambda: (world.clock.now() - pushed).total_seconds() > 0.3)
        assert (await world.stage("v1")).value == stands
        assert world.chat.cards == [] or job == "poll_verifications"


async def test_a_kick_spares_everybody_the_wait_for_a_tick(world: World) -> None:
    """The timer's next tick is two seconds away, and the test's clock stands still."""
    world.ships("v1")
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.is_still()
    assert await world.stage("v1") is Stage.STAGED
    world.shows("v1", "Staged")


async def test_stopping_lets_what_is_in_flight_end() -> None:
    clock = MovedClock()
    world = World(MemoryStore(clock), clock=clock)
    await world.configure()
    await world.app.start()
    world.ships("v1")
    began, go_on = asyncio.Event(), asyncio.Event()
    stage = world.public.stage

    async def slow(slot: str, release: object) -> object:
        began.set()
        await go_on.wait()
        return await stage(slot, release)  # type: ignore[arg-type]  # passed through

    world.public.stage = slow  # type: ignore[method-assign, assignment]  # a server that takes its time
    await world.alice.says("deploy push v1 'Fix the login'")
    await began.wait()
    stopping = asyncio.create_task(world.app.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert world.slot_is("v1") is not None
    assert await world.store.claim("another", clock.now(), 15, 10) != [], (
        "the work was given back, not left to its lease"
    )


async def test_what_does_not_end_is_cut_off_and_taken_up_by_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.reconciler._GRACE", 0.01)
    world = World()
    await world.configure()
    await world.app.start()
    world.ships("v1")
    began = asyncio.Event()
    stage = world.public.stage

    async def hangs(slot: str, release: object) -> object:
        began.set()
        return await asyncio.Event().wait()

    world.public.stage = hangs  # type: ignore[method-assign, assignment]  # a server that hangs
    await world.alice.says("deploy push v1 'Fix the login'")
    await began.wait()
    await world.app.stop()
    world.public.stage = stage  # type: ignore[method-assign]  # well again
    await world.restart()
    await world.settles()
    assert await world.stage("v1") is Stage.STAGED
    await world.app.stop()
