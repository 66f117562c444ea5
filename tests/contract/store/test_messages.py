"""Messages in act once; messages out keep their order; cards and channels are brought up to date."""

from __future__ import annotations

import asyncio

import pytest

from core.ports import CardRow, Change, Conflict, Outbound, Settled, Store
from tests.contract.store.samples import (
    CARD,
    START,
    StoppedClock,
    after,
    message,
    new_deployment,
    outbound,
    reply,
    stored,
)

# -- inbox -------------------------------------------------------------------------------------------------------------


async def test_a_delivery_is_accepted_once(store: Store) -> None:
    assert await store.accept(message("1", "deploy push v1 'x'"), START)
    assert not await store.accept(message("1", "deploy approve v1"), after(1))
    (waiting,) = await store.unsettled(after(1), 10)
    assert (waiting.message, waiting.received_at) == (message("1", "deploy push v1 'x'"), START)


async def test_of_sixteen_equal_deliveries_one_is_new(store: Store) -> None:
    assert sum(await asyncio.gather(*(store.accept(message("1"), START) for _ in range(16)))) == 1


async def test_platforms_have_their_own_deliveries(store: Store) -> None:
    assert await store.accept(message("1"), START)
    other = message("1")
    assert await store.accept(type(other)("slack", "1", other.account, "slack:ops", "help"), START)


async def test_unsettled_are_old_enough_oldest_first(store: Store) -> None:
    for number, seconds in enumerate((30, 10, 20, 40)):
        await store.accept(message(str(number)), after(seconds))
    assert [w.message.delivery for w in await store.unsettled(after(40), 10)] == ["1", "2", "0"]
    assert [w.message.delivery for w in await store.unsettled(after(40), 2)] == ["1", "2"]


async def test_a_settled_message_has_its_reply_and_is_done(store: Store) -> None:
    await store.accept(message("1"), START)
    assert await store.settled("console", "1") is None
    await store.commit(Change(settled=Settled("console", "1", reply("Counted, 1 of 2"))))
    assert await store.settled("console", "1") == reply("Counted, 1 of 2")
    assert await store.unsettled(after(99), 10) == []
    with pytest.raises(Conflict, match="console message 1 is settled already"):
        await store.commit(Change(deployment=new_deployment(), settled=Settled("console", "1", reply())))
    assert await store.deployment("v1") is None
    assert await store.settled("console", "1") == reply("Counted, 1 of 2")


async def test_what_was_never_accepted_cannot_settle(store: Store) -> None:
    assert await store.settled("console", "1") is None
    with pytest.raises(ValueError, match="never accepted"):
        await store.commit(Change(settled=Settled("console", "1", reply())))


async def test_a_message_can_come_and_settle_at_once(store: Store) -> None:
    settled = Settled("console", "1", reply("Noted"), message("1"))
    await store.commit(Change(settled=settled))
    assert await store.settled("console", "1") == reply("Noted")
    assert not await store.accept(message("1"), START)
    with pytest.raises(Conflict, match="settled already"):
        await store.commit(Change(deployment=new_deployment(), settled=settled))
    await store.accept(message("2"), START)
    await store.commit(Change(settled=Settled("console", "2", reply("Counted"), message("2"))))
    assert await store.settled("console", "2") == reply("Counted")
    assert await store.unsettled(after(99), 10) == []


# -- outbox ------------------------------------------------------------------------------------------------------------


async def test_the_outbox_keeps_the_order_of_commits_per_channel(store: Store) -> None:
    for number in range(6):
        await store.commit(Change(outbox=(outbound("a:1", f"{number}a"), outbound("b:1", f"{number}b"))))
    queued = await store.outbox("a:1", 10)
    assert [row.message for row in queued] == [outbound("a:1", f"{number}a") for number in range(6)]
    assert [row.number for row in queued] == sorted(row.number for row in queued)
    assert [row.message.card.title for row in await store.outbox("b:1", 2)] == ["0b", "1b"]
    assert await store.channels_waiting() == ["a:1", "b:1"]


async def test_what_was_sent_is_not_given_again(store: Store) -> None:
    await store.commit(Change(outbox=tuple(outbound("a:1", str(number)) for number in range(4))))
    first, second, *_ = await store.outbox("a:1", 10)
    await store.sent([first.number, second.number], after(1))
    await store.sent([first.number], after(2))
    await store.sent([], after(2))
    left = await store.outbox("a:1", 10)
    assert [row.message.card.title for row in left] == ["2", "3"]
    await store.sent([row.number for row in left], after(3))
    assert await store.outbox("a:1", 10) == []
    assert await store.channels_waiting() == []


async def test_every_kind_of_message_is_read_back(store: Store) -> None:
    sent = (
        Outbound("broadcast", "a:1", CARD, "v1#1"),
        Outbound("direct", "a:1", CARD, None, "bo"),
        Outbound("line", "a:1", CARD),
        Outbound("reply", "a:1", CARD, "v1#1", "bo", after(900)),
    )
    await store.commit(Change(outbox=sent))
    assert tuple(row.message for row in await store.outbox("a:1", 10)) == sent


# -- cards -------------------------------------------------------------------------------------------------------------


async def test_a_followed_deployment_has_a_card_that_wants_its_version(store: Store) -> None:
    await store.commit(Change(deployment=new_deployment(), follow=("a:1", "b:1", "a:1")))
    assert await store.card("a:1", "v1#1") == CardRow("a:1", "v1#1", None, 0, 1)
    assert await store.card("c:1", "v1#1") is None
    assert await store.channels_waiting() == ["a:1", "b:1"]
    assert await store.stale_cards("a:1", 10) == [CardRow("a:1", "v1#1", None, 0, 1)]


async def test_a_card_is_stale_until_it_shows_the_version_wanted(store: Store) -> None:
    await store.commit(Change(deployment=new_deployment(), follow=("a:1",)))
    d = await store.deployment("v1")
    assert d is not None
    d = await stored(store, d)
    await store.shown("a:1", "v1#1", "ts-1", 1)
    assert await store.stale_cards("a:1", 10) == [CardRow("a:1", "v1#1", "ts-1", 1, 2)]
    await store.shown("a:1", "v1#1", "ts-1", 2)
    assert await store.stale_cards("a:1", 10) == []
    assert await store.channels_waiting() == []
    await store.commit(Change(deployment=d, follow=("a:1", "b:1")))
    assert await store.card("a:1", "v1#1") == CardRow("a:1", "v1#1", "ts-1", 2, 3)
    assert await store.card("b:1", "v1#1") == CardRow("b:1", "v1#1", None, 0, 3)


async def test_stale_cards_are_limited_and_in_order(store: Store) -> None:
    for number in range(5):
        await store.commit(Change(deployment=new_deployment(f"v{number}"), follow=("a:1",)))
    assert [card.deployment for card in await store.stale_cards("a:1", 3)] == ["v0#1", "v1#1", "v2#1"]


async def test_a_card_that_nobody_follows_cannot_be_shown(store: Store) -> None:
    with pytest.raises(LookupError, match="a:1 does not follow v1#1"):
        await store.shown("a:1", "v1#1", "ts-1", 1)


async def test_to_follow_takes_a_deployment(store: Store) -> None:
    with pytest.raises(ValueError, match="a:1 can follow a deployment only"):
        await store.commit(Change(follow=("a:1",)))


# -- parked channels ---------------------------------------------------------------------------------------------------


async def test_a_parked_channel_waits_until_its_time_and_loses_nothing(store: Store, clock: StoppedClock) -> None:
    await store.commit(Change(outbox=(outbound("a:1", "x"), outbound("b:1", "y"))))
    await store.park("a:1", "rate limited", after(30))
    assert await store.channels_waiting() == ["b:1"]
    clock.pass_by(29.9)
    assert await store.channels_waiting() == ["b:1"]
    clock.pass_by(0.1)
    assert await store.channels_waiting() == ["a:1", "b:1"]
    assert len(await store.outbox("a:1", 10)) == 1


async def test_a_channel_parked_for_good_waits_for_unpark(store: Store, clock: StoppedClock) -> None:
    await store.commit(Change(deployment=new_deployment(), follow=("a:1",)))
    await store.park("a:1", "rate limited", after(30))
    await store.park("a:1", "archived", None)
    clock.pass_by(10**8)
    assert await store.channels_waiting() == []
    await store.unpark("a:1")
    await store.unpark("a:1")
    assert await store.channels_waiting() == ["a:1"]


async def test_what_stands_first_knows_how_often_it_was_tried_in_vain(store: Store) -> None:
    await store.commit(
        Change(deployment=new_deployment(), follow=("a:1",), outbox=(outbound("a:1", "x"), outbound("a:1", "y")))
    )
    for _ in range(3):
        await store.park("a:1", "down", after(1))
    assert [row.tries for row in await store.outbox("a:1", 10)] == [3, 0]
    assert [card.tries for card in await store.stale_cards("a:1", 10)] == [3]
    await store.shown("a:1", "v1#1", "ts-1", 1)
    card = await store.card("a:1", "v1#1")
    assert card is not None
    assert card.tries == 0
