"""Deployments are stored whole, versions are guarded, pages are stable."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from core import events as e
from core.evolve import evolve
from core.ports import Change, Conflict, Settled, Store
from core.stages import Stage
from core.state import Deployment, Hold, Mainframe, Placement
from tests.contract.store.samples import (
    START,
    StoppedClock,
    after,
    journey,
    message,
    new_deployment,
    note,
    outbound,
    pushed,
    reply,
    server,
    stored,
)


async def test_what_was_never_stored_is_not_found(store: Store) -> None:
    assert await store.deployment("v1") is None
    assert await store.deployment("v1", 1) is None
    assert await store.active() == []
    assert (await store.history(10)).deployments == ()


async def test_a_deployment_is_read_back_as_it_was_after_every_event(store: Store) -> None:
    d: Deployment | None = None
    for seconds, by, event in journey():
        d = await stored(store, evolve(d, event, after(seconds), by))
        assert await store.deployment("v1") == d, event
        assert await store.active() == ([] if d.ended else [d])
    assert d is not None
    assert d.version == len(journey())
    assert d.stage is Stage.ROLLED_BACK


async def test_any_set_of_parts_can_follow_any_other(store: Store) -> None:
    """Placements and mainframes come, change and go in any order; also where the store remembers another version."""
    rng = random.Random(7)
    d = await stored(store, new_deployment())
    for _ in range(60):
        places = tuple(
            Placement(name, "running", rng.choice(("absent", "healthy")), url=rng.choice((None, "http://x/")))
            for name in rng.sample(("public", "omega/eu", "omega/us", "omega/asia"), rng.randint(0, 4))
        )
        mainframes = tuple(
            Mainframe(region, name, "ann", "basic", rng.choice(("healthy", "asleep")), START)
            for region, name in sorted(rng.sample([(r, n) for r in ("eu", "us") for n in ("m1", "m2", "m3")], 3))
        )
        hold = rng.choice((None, Hold(None, "tripped", START)))
        d = await stored(store, replace(d, placements=places, mainframes=mainframes, hold=hold))
        assert await store.deployment("v1", 1) == d


async def test_mainframes_are_kept_in_order(store: Store) -> None:
    names = ("us", "m1"), ("eu", "m2"), ("eu", "m1")
    mainframes = tuple(Mainframe(region, name, "ann", "basic", "healthy", START) for region, name in names)
    await store.commit(Change(deployment=replace(new_deployment(), mainframes=mainframes)))
    assert await store.deployment("v1") == replace(new_deployment(), version=1, mainframes=mainframes[::-1])


async def test_two_parts_of_one_name_are_refused(store: Store) -> None:
    twice = replace(new_deployment(), placements=(Placement("public", "running"), Placement("public", "withdrawn")))
    with pytest.raises(ValueError, match="named public; each must be there once"):
        await store.commit(Change(deployment=twice))
    assert await store.deployment("v1") is None


async def test_the_latest_attempt_is_meant_where_none_is_named(store: Store) -> None:
    first = await stored(store, new_deployment(attempt=1))
    second = await stored(store, new_deployment(attempt=2))
    assert await store.deployment("v1") == second
    assert await store.deployment("v1", 1) == first
    assert await store.deployment("v1", 3) is None


async def test_a_key_is_new_only_once(store: Store) -> None:
    await stored(store, new_deployment())
    with pytest.raises(Conflict, match="v1#1"):
        await store.commit(Change(deployment=new_deployment()))


@pytest.mark.parametrize("version", [1, 3, 99])
async def test_another_version_than_the_stored_one_is_a_conflict(store: Store, version: int) -> None:
    d = await stored(store, await stored(store, new_deployment()))
    with pytest.raises(Conflict, match="v1#1"):
        await store.commit(Change(deployment=replace(d, version=version, description="late")))
    assert await store.deployment("v1") == d


async def test_what_was_never_stored_cannot_be_changed(store: Store) -> None:
    with pytest.raises(Conflict, match="v1#1"):
        await store.commit(Change(deployment=replace(new_deployment(), version=4)))


async def test_a_conflict_leaves_nothing_behind(store: Store) -> None:
    d = await stored(store, new_deployment())
    await store.accept(message("1"), START)
    change = Change(
        deployment=replace(d, version=7),
        lane=await store.lane("main"),
        servers=(server("public"),),
        entries=(note("v1#1"),),
        outbox=(outbound("console:main", "hello"),),
        follow=("console:main",),
        settled=Settled("console", "1", reply()),
        due=(("v1#1", START),),
    )
    with pytest.raises(Conflict):
        await store.commit(change)
    assert await store.lanes() == []
    assert not await store.servers()
    assert await store.heads() == []
    assert await store.channels_waiting() == []
    assert await store.card("console:main", "v1#1") is None
    assert await store.settled("console", "1") is None
    assert await store.next_due() is None
    await store.commit(replace(change, deployment=d))
    assert await store.settled("console", "1") == reply()
    assert await store.next_due() == START
    assert len(await store.journal("v1#1")) == 1


async def test_of_sixteen_at_once_one_wins(store: Store) -> None:
    d = await stored(store, new_deployment())

    async def attempt(number: int) -> bool:
        try:
            await store.commit(Change(deployment=replace(d, info=f"by {number}"), entries=(note("v1#1", f"{number}"),)))
        except Conflict:
            return False
        return True

    won = await asyncio.gather(*(attempt(number) for number in range(16)))
    assert sum(won) == 1
    winner = await store.deployment("v1")
    assert winner == replace(d, version=2, info=f"by {won.index(True)}")
    assert [entry.data["text"] for entry in await store.journal("v1#1")] == [f"{won.index(True)}"]


async def test_active_are_those_that_have_not_ended_oldest_first(store: Store) -> None:
    ids = [f"v{number}" for number in range(8)]
    made = {id: await stored(store, new_deployment(id, component="api" if id in "v2v5" else "main")) for id in ids}  # noqa: A001
    for id in ("v1", "v5"):  # noqa: A001 - the domain's word
        made[id] = await stored(store, evolve(made[id], e.Cancelled(False), after(9), "bo"))
    assert [d.id for d in await store.active()] == ["v0", "v2", "v3", "v4", "v6", "v7"]
    assert list(await store.active("api")) == [made["v2"]]
    assert await store.active("docs") == []


async def test_history_pages_are_newest_first_and_end(store: Store) -> None:
    for number in range(7):
        await stored(store, new_deployment(f"v{number}", component="api" if number % 2 else "main"))
    pages, before = [], None
    while True:
        page = await store.history(3, before)
        pages.append([d.id for d in page.deployments])
        before = page.before
        if before is None:
            break
    assert pages == [["v6", "v5", "v4"], ["v3", "v2", "v1"], ["v0"]]
    of_api = await store.history(2, component="api")
    assert [d.id for d in of_api.deployments] == ["v5", "v3"]
    rest = await store.history(2, of_api.before, "api")
    assert ([d.id for d in rest.deployments], rest.before) == (["v1"], None)
    assert (await store.history(7)).before is None


async def test_a_page_goes_on_where_it_ended_though_new_ones_came(store: Store) -> None:
    for number in range(4):
        await stored(store, new_deployment(f"v{number}"))
    page = await store.history(2)
    await stored(store, new_deployment("v4"))
    assert [d.id for d in (await store.history(2, page.before)).deployments] == ["v1", "v0"]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "²", "1.5"])
async def test_a_made_up_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="no place in the history"):
        await store.history(3, cursor)


async def test_only_finished_steps_of_completed_deployments_are_measured(store: Store, clock: StoppedClock) -> None:
    d: Deployment | None = None
    for seconds, by, event in journey():
        if isinstance(event, e.Completed):
            assert await store.durations("main") == {}
        d = await stored(store, evolve(d, event, after(seconds), by))
    assert await store.durations("main") == {
        "planned": [1.0],
        "staging": [10.0],
        "staged": [1.0],
        "verifying": [30.0],
        "awaiting_approval": [8.0],
        "scheduled": [6.0],
        "deploying": [7.0],
        "distributing": [20.0],
    }
    assert await store.durations("api") == {}


async def test_durations_are_the_newest_ones(store: Store) -> None:
    for number in range(5):
        d = await stored(store, evolve(None, pushed(f"v{number}"), START, "alice"))
        fixed = e.ArtifactFixed("ab" * 32, 1, d.manifest, tested=False)
        d = await stored(store, evolve(d, fixed, after(number), "ashat"))
        await stored(store, replace(d, stage=Stage.COMPLETED, stage_since=after(number + 10)))
    assert await store.durations("main", limit=3) == {"planned": [4.0, 3.0, 2.0], "staging": [10.0, 10.0, 10.0]}
