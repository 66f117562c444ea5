"""Who may work on what: due times, leases that end, fences that rise."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from core.ports import Change, FenceLost, Lease, Store
from tests.contract.store.samples import START, StoppedClock, after, new_deployment, note


async def wish(store: Store, key: str, at: datetime | None) -> None:
    await store.commit(Change(due=((key, at),)))


async def claimed(store: Store, owner: str, now: datetime, lease: float = 30) -> Lease:
    leases = await store.claim(owner, now, lease, 10)
    assert len(leases) == 1
    return leases[0]


async def test_nothing_is_due_at_first(store: Store) -> None:
    assert await store.next_due() is None
    assert await store.claim("a", after(1000), 30, 10) == []


async def test_what_is_due_is_claimed_once(store: Store) -> None:
    await wish(store, "v1#1", after(10))
    assert await store.next_due() == after(10)
    assert await store.claim("a", after(9.999), 30, 10) == []
    lease = await claimed(store, "a", after(10))
    assert lease == Lease("v1#1", "a", 1, after(40))
    assert await store.claim("b", after(11), 30, 10) == []
    assert await store.next_due() is None


async def test_the_limit_gives_what_is_due_longest(store: Store) -> None:
    for number in range(5):
        await wish(store, f"v{number}#1", after(10 - number))
    assert [lease.key for lease in await store.claim("a", after(20), 30, 2)] == ["v3#1", "v4#1"]
    assert [lease.key for lease in await store.claim("b", after(20), 30, 9)] == ["v0#1", "v1#1", "v2#1"]


async def test_two_owners_share_the_work_without_overlap(store: Store) -> None:
    await store.commit(Change(due=tuple((f"v{number}#1", START) for number in range(40))))
    taken = await asyncio.gather(*(store.claim(f"owner {n % 2}", START, 30, 7) for n in range(8)))
    keys = [lease.key for leases in taken for lease in leases]
    assert sorted(keys) == sorted(f"v{number}#1" for number in range(40))


async def test_an_earlier_wish_wins_against_a_later_one(store: Store) -> None:
    await wish(store, "v1#1", after(10))
    await wish(store, "v1#1", after(50))
    assert await store.next_due() == after(10)
    await wish(store, "v1#1", after(5))
    assert await store.next_due() == after(5)


async def test_no_due_time_withdraws_the_wish(store: Store) -> None:
    await wish(store, "v1#1", None)
    await wish(store, "v1#1", after(10))
    await wish(store, "v1#1", None)
    assert await store.next_due() is None
    assert await store.claim("a", after(99), 30, 10) == []


@pytest.mark.parametrize(
    ("during", "at_release", "then"),
    [(None, None, None), (None, 70, 70), (20, None, 20), (20, 70, 20), (90, 70, 70)],
)
async def test_a_release_keeps_what_was_wished_meanwhile(
    store: Store, during: float | None, at_release: float | None, then: float | None
) -> None:
    await wish(store, "v1#1", START)
    lease = await claimed(store, "a", START)
    if during is not None:
        await wish(store, "v1#1", after(during))
    await store.release(lease, None if at_release is None else after(at_release))
    assert await store.next_due() == (None if then is None else after(then))


async def test_withdrawing_while_somebody_works_loses_no_kick(store: Store) -> None:
    await wish(store, "v1#1", START)
    lease = await claimed(store, "a", START)
    await wish(store, "v1#1", after(5))
    await wish(store, "v1#1", None)
    await store.release(lease, None)
    assert await store.next_due() == after(5)


async def test_a_lease_that_ends_is_due_again_and_the_fence_rises(store: Store, clock: StoppedClock) -> None:
    await wish(store, "v1#1", START)
    first = await claimed(store, "a", clock.now(), lease=30)
    assert await store.claim("b", clock.pass_by(29.9), 30, 10) == []
    assert await store.next_due() is None
    now = clock.pass_by(0.1)
    assert await store.next_due() == first.until
    second = await claimed(store, "b", now, lease=30)
    assert (second.fence, second.until) == (first.fence + 1, after(60))


async def test_leases_whose_holders_are_gone_are_due_at_once_and_their_fences_rise(
    store: Store, clock: StoppedClock
) -> None:
    await store.commit(Change(due=(("v1#1", START), ("v2#1", after(60)))))
    gone = await claimed(store, "a", START)
    now = clock.pass_by(1)
    await store.free_all(now)
    assert await store.next_due() == now
    assert await claimed(store, "b", now) == Lease("v1#1", "b", gone.fence + 1, after(31))
    with pytest.raises(FenceLost):
        await store.commit(Change(lease=gone))


async def test_who_lost_the_lease_can_neither_commit_extend_nor_release(store: Store) -> None:
    await wish(store, "v1#1", START)
    lost = await claimed(store, "a", START, lease=5)
    held = await claimed(store, "b", after(6))
    with pytest.raises(FenceLost, match="a no longer holds v1#1"):
        await store.commit(Change(deployment=new_deployment(), entries=(note("v1#1"),), lease=lost))
    assert await store.deployment("v1") is None
    assert await store.heads() == []
    assert await store.extend([lost, held], after(7), 30) == [Lease("v1#1", "b", 2, after(37))]
    await store.release(lost, START)
    assert await store.claim("c", after(30), 30, 10) == []
    await store.commit(Change(deployment=new_deployment(), lease=held))


async def test_the_same_owner_with_an_older_fence_has_lost_it_too(store: Store) -> None:
    await wish(store, "v1#1", START)
    lost = await claimed(store, "a", START, lease=5)
    again = await claimed(store, "a", after(6))
    with pytest.raises(FenceLost):
        await store.commit(Change(lease=lost))
    await store.commit(Change(lease=again))


async def test_a_lease_that_was_given_back_is_lost(store: Store) -> None:
    await wish(store, "v1#1", START)
    lease = await claimed(store, "a", START)
    await store.release(lease, None)
    with pytest.raises(FenceLost):
        await store.commit(Change(lease=lease))
    assert await store.extend([lease], START, 30) == []


async def test_a_lease_of_unknown_work_is_lost(store: Store) -> None:
    with pytest.raises(FenceLost):
        await store.commit(Change(lease=Lease("v9#1", "a", 1, after(9))))


async def test_an_extended_lease_lasts_longer_and_commits_do_not_end_it(store: Store) -> None:
    await wish(store, "v1#1", START)
    lease = await claimed(store, "a", START, lease=10)
    (longer,) = await store.extend([lease], after(8), 10)
    assert longer.until == after(18)
    await store.commit(Change(due=(("v1#1", after(9)),), lease=longer))
    assert await store.claim("b", after(15), 30, 10) == []
    await store.release(longer, after(99))
    assert (await claimed(store, "b", after(15))).fence == 2
