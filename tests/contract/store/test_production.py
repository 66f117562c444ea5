"""Lanes, servers, and what was tested on ALPHA."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.ports import Change, Conflict, Store
from core.state import Lane, ReleaseRef
from tests.contract.store.samples import DIGEST, new_deployment, server

V0 = ReleaseRef("v0", 1, "ab" * 32, 6)


async def test_a_component_without_a_lane_has_a_fresh_one(store: Store) -> None:
    assert await store.lane("main") == Lane("main")
    assert await store.lanes() == []


async def test_a_lane_is_read_back_with_what_runs_where(store: Store) -> None:
    lane = Lane("main", 0, "v1#1", 7, (("eu", V0), ("us", None)))
    await store.commit(Change(lane=lane))
    assert await store.lane("main") == replace(lane, version=1)
    moved = replace(
        lane, version=1, holder=None, generation=8, current=(("asia", V0), ("us", replace(V0, generation=8)))
    )
    await store.commit(Change(lane=moved))
    assert await store.lane("main") == replace(moved, version=2)


async def test_lanes_come_by_component(store: Store) -> None:
    for component in ("main", "api", "docs"):
        await store.commit(Change(lane=Lane(component, current=(("eu", V0),))))
    assert list(await store.lanes()) == [Lane(name, 1, current=(("eu", V0),)) for name in ("api", "docs", "main")]


async def test_a_fresh_lane_is_stored_once(store: Store) -> None:
    await store.commit(Change(lane=Lane("main")))
    with pytest.raises(Conflict, match="lane of main"):
        await store.commit(Change(lane=Lane("main", holder="v2#1")))


async def test_a_lane_conflict_takes_the_deployment_with_it(store: Store) -> None:
    await store.commit(Change(lane=Lane("main")))
    with pytest.raises(Conflict, match="lane of main is no longer at version 5"):
        await store.commit(Change(deployment=new_deployment(), lane=Lane("main", version=5)))
    assert await store.deployment("v1") is None


async def test_of_sixteen_that_want_the_lane_one_holds_it(store: Store) -> None:
    await store.commit(Change(lane=Lane("main")))

    async def take(number: int) -> bool:
        try:
            await store.commit(Change(lane=Lane("main", 1, f"v{number}#1", number)))
        except Conflict:
            return False
        return True

    won = await asyncio.gather(*(take(number) for number in range(16)))
    assert sum(won) == 1
    assert (await store.lane("main")).holder == f"v{won.index(True)}#1"


async def test_servers_are_public_then_omega_by_region(store: Store) -> None:
    servers = (server("omega", "us"), server("omega", "eu"), server("public"))
    await store.commit(Change(servers=servers))
    assert list(await store.servers()) == [servers[2], servers[1], servers[0]]


async def test_configuring_again_replaces(store: Store) -> None:
    await store.commit(Change(servers=(server("omega", "eu"), server("public"))))
    again = replace(server("omega", "eu", "New name", "https://omega.eu/"), public_key=None)
    await store.commit(Change(servers=(again,)))
    assert list(await store.servers()) == [server("public"), again]


async def test_a_server_that_is_taken_out_is_gone_and_can_come_back(store: Store) -> None:
    eu, us = server("omega", "eu"), server("omega", "us")
    await store.commit(Change(servers=(eu, us, server("public"))))
    assert (await store.surroundings("")).servers == (server("public"), eu, us)
    await store.commit(Change(removed=(("omega", "us"),)))
    assert list(await store.servers()) == [server("public"), eu]
    assert (await store.surroundings("")).servers == (server("public"), eu)
    await store.commit(Change(servers=(us,)))
    assert list(await store.servers()) == [server("public"), eu, us]


async def test_digests_that_passed_on_alpha_are_kept_once(store: Store) -> None:
    assert await store.tested("v1") == []
    await store.commit(Change(tested=(("v1", DIGEST), ("v2", DIGEST))))
    await store.commit(Change(tested=(("v1", DIGEST), ("v1", "ab" * 32))))
    assert sorted(await store.tested("v1")) == sorted((DIGEST, "ab" * 32))
    assert await store.tested("v2") == [DIGEST]
