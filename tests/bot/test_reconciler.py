"""Faults of servers and of the machine: what is tried again, for how long, by whom, and what never happens twice."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.artifacts.memory import MemoryStore as MemoryArtifacts
from adapters.store.memory import MemoryStore
from adapters.store.sql import SqlStore
from bot.reconciler import LEASE
from core.ports import ArtifactProblem, ServerFault, Store
from core.stages import Stage
from tests.bot.support.clock import MovedClock
from tests.bot.support.world import POLL, World, running, until
from tests.bot.test_journey import arrive, complete

# -- servers that are away ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "stage"),
    [("staging_timeout", Stage.STAGING), ("verification_timeout", Stage.VERIFYING), ("deploy_timeout", Stage.DEPLOYING),
     ("deploy_timeout", Stage.ROLLING_BACK)],
)  # fmt: skip
async def test_a_deadline_fires_although_the_server_is_away(limit: str, stage: Stage) -> None:
    """However long the waits between tries have become by then."""
    limits: dict[str, Any] = {limit: 100.0}
    async with running(World(**limits)) as world:
        await to(world, stage)
        for server in (world.public, world.omega):
            server.down()
        since = (await world.deployment("v1")).stage_since
        while (world.clock.now() - since).total_seconds() < 100 + POLL:
            world.clock.move(POLL)
            await world.ticks()
        failed = await world.deployment("v1")
        assert failed.stage is (Stage.ROLLBACK_FAILED if stage is Stage.ROLLING_BACK else Stage.FAILED)
        assert failed.failed_in is stage
        assert (failed.stage_since - since).total_seconds() <= 100 + POLL


async def to(world: World, stage: Stage) -> None:
    """Bring v1 into the stage, with servers that do not finish what it is."""
    world.ships("v1")
    if stage is Stage.STAGING:
        world.public.slow()
    if stage is Stage.VERIFYING:
        world.public.hold_check("Security Scan")
    await world.alice.says("deploy push v1 'Fix the login'")
    if stage is not Stage.STAGING:
        await world.alice.says("deploy verify v1")
    if stage in (Stage.DEPLOYING, Stage.ROLLING_BACK):
        await world.settles()
        world.omega.slow()
        await world.bo.says("deploy approve v1")
    if stage is Stage.ROLLING_BACK:
        await world.reaches("v1", Stage.DEPLOYING)  # and OMEGA is asked, so that there is something to undo
        await world.bo.says("deploy rollback v1")
    await world.reaches("v1", stage)


async def test_calls_that_fail_are_repeated_less_and_less_often_and_never_rarer_than_each_minute(world: World) -> None:
    await to(world, Stage.VERIFYING)
    asked: list[float] = []
    started = world.clock.now()

    async def away(slot: str, run: int) -> None:
        asked.append((world.clock.now() - started).total_seconds())
        raise ServerFault("Public does not answer", temporary=True)

    world.public.report = away  # type: ignore[method-assign]  # a server that is away
    await world.passes(500)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps[:3] == [2.0, 2.0, 6.0], "a tick after 1, 2 and 5 seconds"
    assert max(gaps) <= 60 + POLL
    assert len(asked) < 20


async def test_an_answer_ends_the_long_waits(world: World) -> None:
    await to(world, Stage.VERIFYING)
    world.public.down()
    await world.passes(300)
    world.public.up()
    world.public.release_check("Security Scan")
    await world.passes(60 + POLL)
    assert await world.stage("v1") is Stage.AWAITING_APPROVAL


async def test_what_is_refused_for_good_fails_the_stage_at_once(world: World) -> None:
    world.ships("v1")
    world.public.refuse_start("cannot bind its port")
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.settles()
    assert await world.stage("v1") is Stage.FAILED
    world.shows("v1", "cannot bind its port")
    world.public.allow_start()
    await world.alice.says("deploy retry v1")
    await world.settles()
    assert await world.stage("v1") is Stage.STAGED


async def test_an_artifact_that_changed_in_the_store_never_reaches_omega(world: World) -> None:
    await arrive(world, "v1")
    world.artifacts.damage((await world.deployment("v1")).digest or "")
    await world.bo.says("deploy approve v1")
    await world.settles()
    assert await world.stage("v1") is Stage.FAILED
    world.shows("v1", "no longer what was approved")
    assert world.omega.effects == []


async def test_a_file_that_vanishes_from_alpha_fails_the_push_and_can_be_retried(world: World) -> None:
    world.ships("v1")
    add = MemoryArtifacts.add

    async def vanished(*_: object) -> tuple[str, int]:
        raise ArtifactProblem("v1.tar.gz on ALPHA cannot be read")

    world.artifacts.add = vanished  # type: ignore[method-assign, assignment]  # a disk that lost it
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.settles()
    assert await world.stage("v1") is Stage.FAILED
    world.artifacts.add = add.__get__(world.artifacts)  # type: ignore[method-assign]  # found again
    await world.alice.says("deploy retry v1")
    await world.settles()
    assert await world.stage("v1") is Stage.STAGED


async def test_an_error_of_our_own_is_logged_with_a_reference_and_tried_again(world: World) -> None:
    world.ships("v1")
    stage, failures = world.public.stage, 2

    async def broken(slot: str, release: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise RuntimeError("a bug")
        return await stage(slot, release)

    world.public.stage = broken  # type: ignore[method-assign]  # a bug that is mended
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.settles()
    assert await world.stage("v1") is Stage.STAGED
    logged = [entry for entry in world.log if entry["event"] == "pass failed"]
    assert len(logged) == 2
    assert all(len(entry["reference"]) == 5 and entry["deployment"] == "v1#1" for entry in logged)


async def test_one_deployment_in_trouble_holds_up_no_other(world: World) -> None:
    world.ships("v1", component="api")
    began, stage = asyncio.Event(), world.public.stage

    async def hangs(slot: str, release: Any) -> Any:
        if slot == "v1.1":
            began.set()
            await asyncio.Event().wait()
        return await stage(slot, release)

    world.public.stage = hangs  # type: ignore[method-assign]  # a call that never ends
    await world.alice.says("deploy push v1 'Fix the login'")
    await began.wait()
    world.ships("v2")
    await world.alice.says("deploy push v2 'Fix the logout'")
    for _ in range(1000):
        await asyncio.sleep(0)
    assert await world.stage("v2") is Stage.STAGED
    await world.crash()


async def test_the_one_bot_of_a_database_waits_for_no_lease_of_its_predecessor(world: World) -> None:
    world.ships("v1")
    began, stage = asyncio.Event(), world.public.stage

    async def ends_here(slot: str, release: Any) -> Any:
        began.set()
        await asyncio.Event().wait()

    world.public.stage = ends_here  # type: ignore[method-assign]  # the program ends meanwhile
    await world.alice.says("deploy push v1 'Fix the login'")
    await began.wait()
    await world.crash()
    world.public.stage = stage  # type: ignore[method-assign]  # another process
    crashed = world.clock.now()
    await world.restart(after=0)
    await world.settles()
    assert (world.clock.now() - crashed).total_seconds() < LEASE
    world.shows("v1", "Staged")


# -- leases ------------------------------------------------------------------------------------------------------------


async def test_a_pass_that_lost_its_lease_commits_nothing_and_nothing_is_doubled(world: World) -> None:
    """The machine stood still in the middle of a call; another replica took over and is ahead."""
    await arrive(world, "v1")
    began, go_on, desire = asyncio.Event(), asyncio.Event(), world.omega.desire

    async def stands_still(release: Any) -> Any:
        world.omega.desire = desire  # type: ignore[method-assign]  # only once
        began.set()
        await go_on.wait()
        return await desire(release)

    world.omega.desire = stands_still  # type: ignore[method-assign]  # a machine that stands still
    await world.bo.says("deploy approve v1")
    await began.wait()
    world.clock.move(LEASE + 1)
    first, world.app = world.app, world.make_app()
    await world.app.start()
    await world.settles()
    assert await world.stage("v1") is Stage.COMPLETED
    go_on.set()
    await until(lambda: first.reconciler.idle)
    await first.stop()
    world.nothing_took_hold_twice()
    counted = await world.counted("v1")
    assert (counted["RegionSwitched"], counted["Completed"], counted["OutcomeStale"]) == (1, 1, 0)
    await world.production_runs("v1")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_two_replicas_share_the_work_and_double_none(kind: str, tmp_path: Path) -> None:
    clock = MovedClock()
    store: Store = MemoryStore(clock)
    if kind == "sqlite":
        store = await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock)
    async with running(World(store, clock=clock)) as world:
        other = world.make_app()
        await other.start()
        ids = [f"v{number}" for number in range(4)]
        for number, id_ in enumerate(ids):
            world.ships(id_, component=f"part-{number}")
            await world.alice.says(f"deploy push {id_} 'Fix the login'")
            await world.alice.says(f"deploy verify {id_}")
        for _ in range(60):
            other.reconciler.kick()
            await world.ticks()
            clock.move(POLL)
            if all(stage == "awaiting_approval" for stage in (await world.stages()).values()):
                break
        assert set((await world.stages()).values()) == {"awaiting_approval"}
        world.nothing_took_hold_twice()
        for id_ in ids:
            counted = await world.counted(id_)
            assert (counted["Staged"], counted["VerificationPassed"], counted["CheckFinished"]) == (1, 1, 6)
        other.reconciler.stop()
        other.notifier.stop()
        await asyncio.gather(*other._tasks)
        other._scheduler.shutdown(wait=False)


async def test_the_heartbeat_keeps_a_lease_for_as_long_as_a_call_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of minutes is one call. Another replica asks for the work all the while, and does not get it."""
    monkeypatch.setattr("bot.reconciler.LEASE", 0.03)
    await world.app.stop()
    world.app = world.make_app()
    await world.app.start()
    world.ships("v1")
    began, go_on, upload = asyncio.Event(), asyncio.Event(), world.public.upload
    beats, extend = 0, world.store.extend

    async def counted(leases: Any, now: Any, lease: float) -> Any:
        nonlocal beats
        beats += 1
        world.clock.move(lease / 3)
        return await extend(leases, world.clock.now(), lease)

    async def takes_long(digest: str, progress: Any) -> None:
        began.set()
        await go_on.wait()
        await upload(digest, progress)

    monkeypatch.setattr(world.store, "extend", counted)
    monkeypatch.setattr(world.public, "upload", takes_long)
    await world.alice.says("deploy push v1 'Fix the login'")
    await began.wait()
    async with asyncio.timeout(30):
        while beats < 5:
            assert await world.store.claim("another", world.clock.now(), 15, 10) == []
            await asyncio.sleep(0.005)
    go_on.set()
    await world.settles()
    assert await world.stage("v1") is Stage.STAGED
    world.nothing_took_hold_twice()


async def test_the_heartbeat_stops_work_whose_lease_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.reconciler.LEASE", 0.03)
    await world.app.stop()
    world.app = world.make_app()
    await world.app.start()
    world.ships("v1")
    began, ended = asyncio.Event(), asyncio.Event()

    async def hangs(slot: str, release: Any) -> Any:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(world.public, "stage", hangs)
    await world.alice.says("deploy push v1 'Fix the login'")
    await began.wait()
    world.clock.move(3600)
    assert [lease.key for lease in await world.store.claim("another", world.clock.now(), 15, 10)] == ["v1#1"]
    async with asyncio.timeout(30):
        await ended.wait()


# -- kicks in the middle of a look -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_what_is_decided_during_a_pass_is_taken_up_without_a_tick(kind: str, tmp_path: Path) -> None:
    """The kick comes while the work is claimed; the clock stands still, and no tick helps."""
    clock = MovedClock()
    store: Store = MemoryStore(clock)
    if kind == "sqlite":
        store = await SqlStore.open(f"sqlite:///{tmp_path / 'ashat.db'}", clock)
    async with running(World(store, clock=clock)) as world:
        await to(world, Stage.VERIFYING)
        began, go_on, report = asyncio.Event(), asyncio.Event(), world.public.report

        async def slow(slot: str, run: int) -> Any:
            began.set()
            await go_on.wait()
            return await report(slot, run)

        world.public.report = slow  # type: ignore[method-assign]  # a server that takes its time
        clock.move(POLL)
        world.app.reconciler.kick()
        await began.wait()
        assert (await world.alice.says("deploy cancel v1")).outcome == "done"
        go_on.set()
        await world.is_still()
        assert world.slot_is("v1") == "withdrawn"
        assert (await world.counted("v1"))["OutcomeStale"] == 0


async def test_a_new_generation_is_never_overtaken_by_an_old_one(world: World) -> None:
    await complete(world, "v1")
    await complete(world, "v2")
    await world.bo.says("deploy rollback v2")
    await world.settles()
    orders = [key[1] for what, key in world.took_hold() if what == "production-main desire"]
    assert orders == sorted(orders)  # type: ignore[type-var]  # generations are numbers
