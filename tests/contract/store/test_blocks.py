"""Locks and freezes as rows; whoever takes a lane and whoever locks do so one after the other."""

from __future__ import annotations

import asyncio

import pytest

from core.ports import Change, Conflict, Store
from core.state import Block, Lane
from tests.contract.store.samples import after, new_deployment

LOCK = Block("lock:main", "lock", "bo", "login errors", after(1), after(60), "main")
FREEZE = Block("freeze:n1", "freeze", "eve", "Prüfung “eins”", after(0), None, None, "eu", "m1")
PAUSE = Block("pause", "pause", "di", "paused by Di Fox", after(2))


async def test_blocks_are_read_back_oldest_first_and_lifted(store: Store) -> None:
    assert list(await store.blocks()) == []
    await store.commit(Change(blocks=(LOCK, FREEZE, PAUSE)))
    assert list(await store.blocks()) == [FREEZE, LOCK, PAUSE]
    for id_ in ("v1", ""):
        assert (await store.surroundings(id_)).blocks == (FREEZE, LOCK, PAUSE)
    await store.commit(Change(lifted=(LOCK.id, PAUSE.id, "long gone")))
    assert (await store.surroundings("v1")).blocks == (FREEZE,)


async def test_decisions_see_what_stands(store: Store) -> None:
    await store.commit(Change(deployment=new_deployment()))
    await store.commit(Change(blocks=(LOCK,)))
    seen: list[tuple[Block, ...]] = []

    await store.decide("v1", None, lambda around: seen.append(around.blocks))
    await store.decide("", None, lambda around: seen.append(around.blocks))
    assert seen == [(LOCK,), (LOCK,)]


async def test_an_id_stands_once_unless_the_old_one_is_lifted_with_it(store: Store) -> None:
    await store.commit(Change(blocks=(LOCK,)))
    again = Block(LOCK.id, "lock", "di", "mine now", after(90), None, "main")
    with pytest.raises(Conflict, match="lock:main"):
        await store.commit(Change(blocks=(again,)))
    assert list(await store.blocks()) == [LOCK]
    await store.commit(Change(blocks=(again,), lifted=(LOCK.id,)))
    assert list(await store.blocks()) == [again]


async def test_a_lane_is_not_taken_by_an_old_judgement(store: Store) -> None:
    taking = Change(lane=Lane("main", holder="v1#1"), judged=frozenset())
    await store.commit(Change(blocks=(LOCK,)))
    with pytest.raises(Conflict, match="meanwhile"):
        await store.commit(taking)
    assert (await store.lane("main")).holder is None
    await store.commit(Change(lane=Lane("main", holder="v1#1"), judged=frozenset({LOCK.id})))
    assert (await store.lane("main")).holder == "v1#1"


async def test_of_a_lock_and_a_lane_taken_at_once_one_is_first_and_the_other_knows(store: Store) -> None:
    """The lane is taken before anything stands, or not at all."""

    async def take(number: int) -> bool:
        try:
            await store.commit(Change(lane=Lane(f"c{number}", holder="v1#1"), judged=frozenset()))
        except Conflict:
            return False
        return True

    async def lock() -> int:
        await store.commit(Change(blocks=(LOCK,)))
        return len([lane for lane in await store.lanes() if lane.holder])

    taken = [asyncio.create_task(take(number)) for number in range(8)]
    held = await asyncio.create_task(lock())
    assert sum(await asyncio.gather(*taken)) == held == len(await store.lanes())


async def test_cards_are_drawn_anew_though_nothing_of_theirs_changed(store: Store) -> None:
    d = new_deployment()
    await store.commit(Change(deployment=d, follow=("console:main",)))
    await store.shown("console:main", d.key, "ref", 1)
    await store.commit(Change(blocks=(LOCK,), redraw=(d.key,)))
    (row,) = await store.stale_cards("console:main", 10)
    assert (row.shown, row.wanted) == (1, 2)
    await store.shown("console:main", d.key, "ref", row.wanted)
    assert list(await store.stale_cards("console:main", 10)) == []
    stored = await store.deployment("v1")
    assert stored is not None
    await store.commit(Change(deployment=stored))
    (row,) = await store.stale_cards("console:main", 10)
    assert (row.shown, row.wanted) == (2, 3)
