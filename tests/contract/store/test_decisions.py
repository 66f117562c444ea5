"""Look, decide and commit in one transaction: nobody comes between, and what fails leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.ports import Change, Conflict, Store, Surroundings
from core.stages import Stage
from core.state import Block, Lane, ReleaseRef
from tests.contract.store.samples import after, new_deployment, note, server, stored


def noting(text: str) -> Change:
    return Change(entries=(note("v1#1", text),))


async def test_the_surroundings_are_what_the_single_questions_answer(store: Store) -> None:
    v1, other = await stored(store, new_deployment()), await stored(store, new_deployment("v2"))
    await stored(store, new_deployment("api", component="api"))
    await stored(store, replace(new_deployment("old"), stage=Stage.CANCELLED))
    await store.commit(Change(lane=Lane("main", holder="v2#1"), servers=(server("omega", "eu"), server("public"))))
    found = await store.surroundings("v1")
    assert found == Surroundings(v1, tuple(await store.servers()), await store.lane("main"), (other,))
    assert await store.surroundings("nothing") == Surroundings(None, tuple(await store.servers()))
    await store.commit(Change(lane=Lane("api"), blocks=(Block("pause", "pause", "bo", "login errors", after(1)),)))
    whole = await store.surroundings("")
    assert (whole.deployment, whole.siblings) == (None, ())
    assert (list(whole.unfinished), list(whole.lanes)) == (await store.active(), await store.lanes())
    assert (list(whole.servers), list(whole.blocks)) == (list(await store.servers()), list(await store.blocks()))
    assert ([d.id for d in whole.unfinished], len(whole.lanes), len(whole.blocks)) == (["v1", "v2", "api"], 2, 1)
    ended = await store.surroundings("old", 1)
    assert (ended.deployment, ended.siblings) == (await store.deployment("old"), (v1, other))


async def test_the_latest_attempt_is_meant_where_none_is_named(store: Store) -> None:
    first = await stored(store, new_deployment())
    assert (await store.surroundings("v1")).deployment == first
    second = await stored(store, replace(new_deployment(attempt=2), stage=Stage.CANCELLED))
    assert (await store.surroundings("v1")).deployment == second
    assert (await store.surroundings("v1", 1)).deployment == first


async def test_where_something_is_opened_it_is_in_the_component_that_is_meant(store: Store) -> None:
    """Which may not be that of the attempt before; and whose limits are judged needs all that have not ended."""
    old = await stored(store, replace(new_deployment(component="api"), stage=Stage.CANCELLED))
    main, api = await stored(store, new_deployment("v2")), await stored(store, new_deployment("v3", component="api"))
    running = Lane("main", 0, current=(("eu", ReleaseRef("v0", 1, "ab" * 32, 6)),))
    await store.commit(Change(lane=running, servers=(server("public"),)))
    await store.commit(Change(lane=Lane("api"), blocks=(Block("pause", "pause", "bo", "login errors", after(1)),)))
    whole, lane = await store.surroundings(""), replace(running, version=1)
    seen: list[Surroundings] = []
    for id_, component in (("v1", "main"), ("v9", "main"), ("v2", "main"), ("v9", "new"), ("v1", "api")):
        await store.decide(id_, None, seen.append, component)
    assert seen == [
        Surroundings(old, whole.servers, lane, (main,), whole.blocks, whole.unfinished),
        Surroundings(None, whole.servers, lane, (main,), whole.blocks, whole.unfinished),
        Surroundings(main, whole.servers, lane, (), whole.blocks, whole.unfinished),
        Surroundings(None, whole.servers, Lane("new"), (), whole.blocks, whole.unfinished),
        Surroundings(old, whole.servers, Lane("api", 1), (api,), whole.blocks, whole.unfinished),
    ]
    assert whole.unfinished == (main, api)


async def test_what_has_ended_and_goes_on_is_active_again_in_its_place(store: Store) -> None:
    v1, v2 = await stored(store, new_deployment()), await stored(store, new_deployment("v2"))
    ended = await stored(store, replace(v1, stage=Stage.COMPLETED))
    assert (await store.surroundings("v2")).siblings == ()
    again = await stored(store, replace(ended, stage=Stage.ROLLING_BACK))
    assert (await store.surroundings("v2")).siblings == (again,)
    assert [d.id for d in await store.active()] == ["v1", "v2"]
    assert (await store.surroundings("v1")).siblings == (v2,)


async def test_of_many_who_decide_at_once_each_sees_the_one_before(store: Store) -> None:
    await stored(store, new_deployment())

    def counted(around: Surroundings) -> Change:
        assert around.deployment is not None
        return Change(deployment=replace(around.deployment, info=f"{around.deployment.info}+"))

    async def persistent() -> None:
        while True:
            try:
                await store.decide("v1", None, counted)
            except Conflict:
                continue
            return

    await asyncio.gather(*(persistent() for _ in range(20)))
    d = await store.deployment("v1")
    assert d is not None
    assert d.info.endswith("+" * 20)


async def test_of_many_that_are_opened_at_once_no_more_are_than_the_limit(store: Store) -> None:
    """Though no two of them touch the same row."""

    async def opened(number: int) -> bool:
        new = new_deployment(f"v{number}", component=f"c{number}")

        def limited(around: Surroundings) -> Change | None:
            return Change(deployment=new) if len(around.unfinished) < 3 else None

        return await store.decide(new.id, None, limited, new.component) is not None

    assert sum(await asyncio.gather(*(opened(number) for number in range(16)))) == 3
    assert len(await store.active()) == 3


async def test_of_a_server_and_what_is_on_its_way_there_one_is_first_and_the_other_knows(store: Store) -> None:
    """Nothing is on its way, or the server stays; whoever comes first."""
    await store.commit(Change(servers=(server("public"),)))
    made = [await stored(store, replace(new_deployment(f"v{n}"), stage=Stage.COMPLETED)) for n in range(8)]

    def moved(around: Surroundings) -> Change | None:
        return None if around.unfinished else Change(servers=(server("public", url="http://127.0.0.1:2/"),))

    def begun(around: Surroundings) -> Change | None:
        assert around.deployment is not None
        if around.servers != (server("public"),):
            return None
        return Change(deployment=replace(around.deployment, stage=Stage.ROLLING_BACK), relied_on=around.servers)

    async def begins(id_: str) -> bool:
        while True:
            try:
                return await store.decide(id_, None, begun) is not None
            except Conflict:
                continue

    begin = [asyncio.create_task(begins(d.id)) for d in made]
    configured = await asyncio.create_task(store.decide("", None, moved)) is not None
    assert configured != any(await asyncio.gather(*begin))


async def test_what_is_on_its_way_by_an_old_look_at_the_servers_is_not(store: Store) -> None:
    await store.commit(Change(servers=(server("omega", "eu"), server("public"))))
    seen = tuple(await store.servers())
    moved = server("omega", "eu", url="http://127.0.0.1:2/")
    await store.commit(Change(servers=(moved,)))
    with pytest.raises(Conflict, match="configured a server meanwhile"):
        await store.commit(Change(deployment=new_deployment(), relied_on=seen))
    assert await store.deployment("v1") is None
    await store.commit(Change(deployment=new_deployment(), relied_on=(server("public"), moved)))
    assert await store.deployment("v1") is not None


async def test_of_many_at_once_those_that_fail_leave_nothing_and_the_others_stay(store: Store) -> None:
    def decision(number: int) -> Change:
        if number % 3 == 1:
            raise ZeroDivisionError(number)
        if number % 3 == 2:
            return Change(entries=(note("v1#1", "never"),), follow=("a:1",))
        return noting(str(number))

    await stored(store, new_deployment())
    numbers = range(30)
    came = await asyncio.gather(
        *(store.decide("v1", None, lambda _, n=number: decision(n)) for number in numbers),  # type: ignore[misc]  # n is bound, not given
        return_exceptions=True,
    )
    assert [type(each).__name__ for each in came] == ["Change", "ZeroDivisionError", "ValueError"] * 10
    noted = await store.noted(["v1#1", "v2#1"])
    assert sorted(noted["v1#1"], key=int) == [str(number) for number in numbers if number % 3 == 0]
    assert noted["v2#1"] == []


async def test_where_nothing_is_decided_nothing_is_written(store: Store) -> None:
    await stored(store, new_deployment())
    heads = await store.heads()
    assert await store.decide("v1", None, lambda _: None) is None
    assert await store.heads() == heads


async def test_who_asks_no_more_does_not_stop_the_others(store: Store) -> None:
    await stored(store, new_deployment())
    asked = [asyncio.ensure_future(store.decide("v1", None, lambda _: noting("x"))) for _ in range(8)]
    await asyncio.sleep(0)
    asked[0].cancel()
    came = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, Change) for each in came[1:])
    assert len((await store.noted(["v1#1"]))["v1#1"]) in (7, 8)
