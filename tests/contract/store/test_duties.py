"""Duties that one process at a time has, and checkpoints of which one comes after another."""

from __future__ import annotations

import asyncio

import pytest

from core.ports import Conflict, Store
from tests.contract.store.samples import START, after


async def test_a_duty_belongs_to_who_took_it_first(store: Store) -> None:
    assert await store.hold("channel a:1", "one", START, 15)
    assert not await store.hold("channel a:1", "two", after(14.9), 15)
    assert await store.hold("channel a:2", "two", START, 15)


async def test_who_keeps_a_duty_has_it_longer(store: Store) -> None:
    assert await store.hold("x", "one", START, 15)
    assert await store.hold("x", "one", after(10), 15)
    assert not await store.hold("x", "two", after(24.9), 15)


async def test_a_duty_that_nobody_kept_is_anybodys(store: Store) -> None:
    assert await store.hold("x", "one", START, 15)
    assert await store.hold("x", "two", after(15), 15)
    assert not await store.hold("x", "one", after(16), 15)


async def test_what_is_given_up_is_free_at_once(store: Store) -> None:
    for duty in ("x", "y"):
        assert await store.hold(duty, "one", START, 15)
    assert await store.hold("z", "two", START, 15)
    await store.let_go("one")
    assert await store.hold("x", "three", START, 15)
    assert await store.hold("y", "three", START, 15)
    assert not await store.hold("z", "three", START, 15)


async def test_all_duties_are_free_once_nobody_can_have_one(store: Store) -> None:
    assert await store.hold("x", "one", START, 15)
    await store.free_all(START)
    assert await store.hold("x", "two", START, 15)


async def test_of_sixteen_who_want_a_duty_at_once_one_has_it(store: Store) -> None:
    for start in (START, after(15)):
        taken = await asyncio.gather(*(store.hold("x", f"{start} {number}", start, 15) for number in range(16)))
        assert sum(taken) == 1


async def test_of_sixteen_checkpoints_with_one_number_one_stands(store: Store) -> None:
    for number in (1, 2):
        ended = await asyncio.gather(
            *(store.add_checkpoint({"n": n}, START, number) for n in range(16)), return_exceptions=True
        )
        assert ended.count(None) == 1
        assert sum(isinstance(error, Conflict) for error in ended) == 15
        assert len(await store.checkpoints()) == number


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_a_checkpoint_that_is_not_the_next_one_is_refused(store: Store, number: int) -> None:
    await store.add_checkpoint({"n": 1}, START, 1)
    with pytest.raises(Conflict, match=f"checkpoint {number} is not the next one"):
        await store.add_checkpoint({"n": number}, START, number)
    assert await store.checkpoints() == [{"n": 1}]
