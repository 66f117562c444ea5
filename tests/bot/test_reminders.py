"""Approvers are asked once, as they choose, and reminded once; whoever has settled it is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.people import Person
from core.stages import Stage
from tests.bot.support.people import HOME, TEAM
from tests.bot.support.world import World, running
from tests.bot.test_journey import arrive

AFTER = 14_400.0
"""Seconds: what [workflow] reminder_after is by default."""
ASKED = "v1 waits for your approval"
AGAIN = "v1 still waits for your approval"


def team(*, thread: tuple[str, ...]) -> list[Person]:
    return [replace(one, pings="thread") if one.id in thread else one for one in TEAM]


def asked(world: World, title: str) -> list[str]:
    """Who was asked under this title by a direct message, in order."""
    return [message.person or "" for message in world.chat.messages if message.card.title == title and message.person]


def named(world: World, title: str) -> list[tuple[str, ...]]:
    """Whom the thread named under this title, once for each message."""
    return [message.mentions for message in world.chat.messages if message.card.title == title and message.thread]


async def test_each_is_asked_once_and_reminded_once(world: World) -> None:
    await arrive(world, "v1")
    await world.passes(AFTER - 120, step=60)
    assert asked(world, ASKED) == ["bo", "cy", "eve"]
    assert asked(world, AGAIN) == []
    await world.passes(180, step=60)
    assert asked(world, AGAIN) == ["bo", "cy", "eve"]
    await world.passes(5 * AFTER, step=600)
    assert asked(world, ASKED) == asked(world, AGAIN) == ["bo", "cy", "eve"]
    assert (await world.counted("v1"))["ApproversReminded"] == 1


async def test_what_asks_says_what_a_vote_is_for_and_takes_it() -> None:
    async with running(World()) as world:
        await arrive(world, "v1")
        message = world.told("bo", ASKED)
        assert "Changes: OMEGA main: nothing → v1" in message.text
        approve = message.card.buttons[0]
        assert approve.label == "Approve"
        told = await world.bo.says(approve.command, seen=approve.seen)
        assert told.card.title.startswith("Counted, 1 of 1: v1")


async def test_whoever_has_voted_is_not_reminded() -> None:
    async with running(World(quorum=3)) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        await world.passes(AFTER + 60, step=60)
        assert asked(world, AGAIN) == ["cy", "eve"]


@pytest.mark.parametrize("end", ["deploy approve v1", "deploy reject v1 'not today'", "deploy cancel v1"])
async def test_nobody_is_reminded_of_what_is_settled(world: World, end: str) -> None:
    await arrive(world, "v1")
    assert (await world.bo.says(end)).outcome == "done"
    await world.passes(2 * AFTER, step=600)
    assert asked(world, AGAIN) == []
    assert "ApproversReminded" not in await world.events("v1")


async def test_nobody_is_reminded_where_that_is_switched_off() -> None:
    async with running(World(reminder_after=0)) as world:
        await arrive(world, "v1")
        assert await world.store.next_due() is None, "what waits for a person costs nothing"
        await world.passes(2 * AFTER, step=600)
        assert asked(world, AGAIN) == []


async def test_a_new_run_asks_and_reminds_anew(world: World) -> None:
    await arrive(world, "v1")
    await world.passes(AFTER + 60, step=60)
    await world.alice.says("deploy verify v1")
    await world.settles()
    await world.passes(AFTER + 60, step=60)
    assert asked(world, ASKED) == asked(world, AGAIN) == ["bo", "cy", "eve"] * 2


async def test_those_who_chose_the_thread_are_named_there_in_one_message_and_get_no_other() -> None:
    async with running(World(team=team(thread=("bo", "cy")))) as world:
        await arrive(world, "v1")
        await world.passes(AFTER + 60, step=60)
        for title in (ASKED, AGAIN):
            assert named(world, title) == [("bo", "cy")]
            assert asked(world, title) == ["eve"]


async def test_a_pusher_who_chose_the_thread_is_named_in_what_the_thread_is_told_anyway() -> None:
    async with running(World(team=team(thread=("alice",)))) as world:
        await arrive(world, "v1")
        await world.bo.says("deploy approve v1")
        await world.settles()
        assert named(world, "✅ v1 is complete") == [("alice",)]
        assert not [message for message in world.chat.messages if message.person == "alice"]


async def test_who_settled_it_while_the_platform_was_away_is_left_alone_afterwards() -> None:
    async with running(World(team=team(thread=("cy",)), quorum=2)) as world:
        world.chat.down()
        world.ships("v1")
        await world.alice.says("deploy push v1 'A change that matters'")
        await world.alice.says("deploy verify v1")
        await world.reaches("v1", Stage.AWAITING_APPROVAL)
        await world.bo.says("deploy approve v1")
        world.chat.up()
        await world.passes(120)
        assert asked(world, ASKED) == ["eve"]
        assert named(world, ASKED) == [("cy",)]
        world.chat.down()
        await world.passes(AFTER, step=600)
        await world.cy.says("deploy approve v1")
        world.chat.up()
        await world.settles()
        assert "ApproversReminded" in await world.events("v1")
        assert asked(world, AGAIN) == []
        assert named(world, AGAIN) == []


@pytest.mark.parametrize("after", ["decided", "sent"])
async def test_a_crash_neither_loses_nor_doubles_a_reminder(world: World, after: str) -> None:
    await arrive(world, "v1")
    if after == "decided":
        world.chat.down()
    await world.passes(AFTER + 60, step=60)
    await world.crash()
    world.chat.up()
    await world.restart()
    await world.passes(AFTER, step=600)
    assert asked(world, AGAIN) == ["bo", "cy", "eve"]
    assert (await world.counted("v1"))["ApproversReminded"] == 1


async def test_a_reminder_stands_in_the_timeline(world: World) -> None:
    await arrive(world, "v1")
    await world.passes(AFTER + 60, step=60)
    shown = await world.vi.says("deploy show v1")
    assert any("reminded 3 approvers" in str(line) for line in shown.card.lines)
    assert world.card("v1").channel == HOME
