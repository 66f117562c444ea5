"""Channels: caught up with in order after hours, each message once, one writer, none in another's way."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from core.cards import Bar
from core.stages import Stage
from tests.bot.support.people import PLATFORM
from tests.bot.support.world import POLL, World, running
from tests.bot.test_journey import arrive, complete

HOURS = 3 * 3600.0
OTHER = f"{PLATFORM}:elsewhere"


async def test_a_platform_that_was_away_for_hours_is_caught_up_with_in_order(world: World) -> None:
    await arrive(world, "v1")
    before = len(world.thread("v1"))
    world.chat.down()
    await world.bo.says("deploy approve v1")
    await world.passes(HOURS / 2, step=60)
    assert await world.stage("v1") is Stage.COMPLETED, "deployments go on"
    await world.alice.says("deploy note v1 'still here'")
    await world.eve.says("deploy rollback v1 'login errors'")
    await world.passes(HOURS / 2, step=60)
    assert len(world.thread("v1")) == before
    world.chat.up()
    await world.passes(60 + POLL)
    assert world.thread("v1")[before:] == [
        "Bo Li approved",
        "OMEGA main runs v1",
        "✅ v1 is complete",
        "Alice Ng: still here",
        "↩️ Eve Poe rolls v1 back",
        "↩️ v1 is rolled back",
    ]
    world.shows("v1", "Rolled back")
    assert len(world.card("v1").versions) < 8, "the card shows the latest state, not each one between"


async def test_a_platform_that_is_away_is_not_pestered(world: World) -> None:
    await arrive(world, "v1")
    world.chat.down()
    calls = len(world.chat.calls)
    await world.alice.says("deploy note v1 'is anybody there'")
    await world.passes(600)
    assert len(world.chat.calls) - calls < 20


async def test_a_platform_that_asks_for_patience_gets_it(world: World) -> None:
    await arrive(world, "v1")
    world.chat.down(retry_after=30)
    await world.alice.says("deploy note v1 'is anybody there'")
    await world.ticks()
    calls = len(world.chat.calls)
    await world.passes(28)
    assert len(world.chat.calls) == calls
    world.chat.up()
    await world.passes(4)
    assert world.thread("v1")[-1] == "Alice Ng: is anybody there"


async def in_two_channels(world: World) -> None:
    """v1 lives in the home channel, v2 elsewhere."""
    world.ships("v1", component="web")
    world.ships("v2", component="api")
    await world.alice.says("deploy push v1 'Fix the login'")
    elsewhere = world.alice
    elsewhere._channel = OTHER
    await elsewhere.says("deploy push v2 'Fix the logout'")
    await world.settles()


async def test_a_channel_that_is_gone_is_parked_alone_and_nothing_of_it_is_lost(world: World) -> None:
    await in_two_channels(world)
    world.chat.delete(OTHER)
    for id_ in ("v1", "v2"):
        await world.alice.says(f"deploy note {id_} 'so far so good'")
    await world.settles()
    calls = world.chat.calls.count(OTHER)
    await world.passes(3500, step=60)
    assert world.chat.calls.count(OTHER) == calls, "it is left alone"
    assert world.thread("v1")[-1] == "Alice Ng: so far so good"
    world.chat.restore(OTHER)
    await world.passes(200, step=60)  # an hour is over: somebody may have let the bot in again
    assert world.thread("v2")[-1] == "Alice Ng: so far so good"


async def test_a_channel_that_hangs_holds_up_no_other(world: World) -> None:
    await in_two_channels(world)
    reply, hanging = world.chat.reply, asyncio.Event()

    async def hangs(channel: str, *args: Any, **kwargs: Any) -> None:
        if channel == OTHER:
            await hanging.wait()
        await reply(channel, *args, **kwargs)

    world.chat.reply = hangs  # type: ignore[method-assign]  # a platform that stands still
    await world.alice.says("deploy note v2 'first'")
    await world.alice.says("deploy note v1 'second'")
    for _ in range(1000):
        await asyncio.sleep(0)
    assert world.thread("v1")[-1] == "Alice Ng: second"
    assert world.thread("v2")[-1] != "Alice Ng: first"
    hanging.set()
    await world.settles()
    assert world.thread("v2")[-1] == "Alice Ng: first"


async def test_a_channel_has_one_writer_however_often_it_is_kicked(world: World) -> None:
    await arrive(world, "v1")
    reply, at_work, most = world.chat.reply, 0, 0

    async def counted(*args: Any, **kwargs: Any) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        for _ in range(5):
            await asyncio.sleep(0)
        at_work -= 1
        await reply(*args, **kwargs)

    world.chat.reply = counted  # type: ignore[method-assign]  # a platform that takes its time
    for number in range(20):
        await world.alice.says(f"deploy note v1 'number {number}'")
        world.app.notifier.kick()
        await asyncio.sleep(0)
    await world.settles()
    assert most == 1
    assert world.thread("v1")[-20:] == [f"Alice Ng: number {number}" for number in range(20)]


async def test_a_card_is_edited_no_faster_than_the_gap_and_shows_the_latest_in_the_end() -> None:
    async with running(World(edit_gap=3.0)) as world:
        await complete(world, "v1")
        shown: list[float] = []
        edit = world.chat.edit_card

        async def timed(*args: Any) -> str:
            shown.append(world.clock.now().timestamp())
            return await edit(*args)

        world.chat.edit_card = timed  # type: ignore[method-assign, assignment]  # passed through
        await complete(world, "v2")
        assert len(shown) >= 2
        assert min(later - earlier for earlier, later in pairwise(shown)) >= 3.0
        world.shows("v2", "Completed")


async def test_a_crash_between_posting_a_card_and_remembering_it_posts_no_second_one(world: World) -> None:
    world.ships("v1")
    shown, posted = world.store.shown, asyncio.Event()

    async def crashes(*args: Any) -> None:
        posted.set()
        await asyncio.Event().wait()

    world.store.shown = crashes  # type: ignore[method-assign, assignment]  # the program ends here
    await world.alice.says("deploy push v1 'Fix the login'")
    await posted.wait()
    world.store.shown = shown  # type: ignore[method-assign]  # another process
    await world.crash()
    await world.restart()
    await world.settles()
    assert len(world.chat.cards) == 1
    world.shows("v1", "Staged")


async def test_a_crash_between_sending_a_message_and_marking_it_sends_no_second_one(world: World) -> None:
    await arrive(world, "v1")
    world.chat.cut("reply", "after")
    await world.alice.says("deploy note v1 'once is enough'")
    await world.settles()
    assert world.thread("v1").count("Alice Ng: once is enough") == 1


async def test_messages_under_way_are_sent_before_the_program_ends(world: World) -> None:
    await arrive(world, "v1")
    reply, began, go_on = world.chat.reply, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any, **kwargs: Any) -> None:
        began.set()
        await go_on.wait()
        await reply(*args, **kwargs)

    world.chat.reply = slow  # type: ignore[method-assign]  # a platform that takes its time
    await world.alice.says("deploy note v1 'on my way home'")
    await began.wait()
    stopping = asyncio.create_task(world.app.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert world.thread("v1")[-1] == "Alice Ng: on my way home"


async def test_a_card_whose_message_was_deleted_is_posted_anew(world: World) -> None:
    await arrive(world, "v1")
    world.chat.lose(world.card("v1").reference)
    await world.bo.says("deploy approve v1")
    await world.settles()
    world.shows("v1", "Completed")


async def test_the_thread_never_begins_before_its_card(world: World) -> None:
    """Many cards wait at once, more than are brought up to date in one go; every message finds its own."""
    await world.app.stop()
    team_limits = World(world.store, clock=world.clock, max_active_per_person=1000)
    async with running(team_limits) as many:
        many.chat.down()
        for number in range(60):
            many.ships(f"v{number}", component=f"part-{number}")
            await many.alice.says(f"deploy push v{number} 'Fix the login'")
        await many.settles_servers()
        many.chat.up()
        await many.passes(60 + POLL)
        await many.settles()
        assert len(many.chat.cards) == 60
        assert not [message for message in many.chat.messages if message.kind == "post"]
        assert all(many.thread(f"v{number}")[0] == "Action plan" for number in range(60))


async def test_a_person_who_takes_no_direct_messages_holds_up_nobody(world: World) -> None:
    world.chat.refuse_direct("bo")
    await arrive(world, "v1")
    await world.settles()
    world.told("cy", "v1 waits for your approval")
    assert [entry["person"] for entry in world.log if entry["event"] == "person not reached"] == ["bo"]
    await world.alice.says("deploy note v1 'still talking'")
    await world.settles()
    assert world.thread("v1")[-1] == "Alice Ng: still talking"


async def test_an_error_of_our_own_is_logged_with_a_reference_and_tried_again(world: World) -> None:
    await arrive(world, "v1")
    reply, broken = world.chat.reply, True

    async def buggy(*args: Any, **kwargs: Any) -> None:
        if broken:
            raise RuntimeError("a bug")
        await reply(*args, **kwargs)

    world.chat.reply = buggy  # type: ignore[method-assign]  # a bug that is mended
    await world.alice.says("deploy note v1 'hello'")
    await world.ticks()
    assert next(entry for entry in world.log if entry["event"] == "cannot bring channel up to date")["reference"]
    broken = False
    await world.passes(60 + POLL)
    assert world.thread("v1")[-1] == "Alice Ng: hello"


async def test_a_platform_that_is_not_switched_on_keeps_its_messages(world: World) -> None:
    await arrive(world, "v1")
    world.app.notifier._channels = {}
    await world.alice.says("deploy note v1 'for later'")
    await world.settles()
    world.app.notifier._channels = {PLATFORM: world.chat}
    await world.settles()
    assert world.thread("v1")[-1] == "Alice Ng: for later"


async def test_an_upload_that_goes_on_is_shown_on_its_card(world: World) -> None:
    world.ships("v1")
    world.public.down()
    await world.alice.says("deploy push v1 'Fix the login'")
    await world.reaches("v1", Stage.STAGING)
    await world.passes(10)
    world.app.viewer.progressed(await world.deployment("v1"), "Upload", 600, 1000)
    await world.ticks()
    bar = next(line for line in world.card("v1").card.lines if isinstance(line, Bar))
    assert (bar.text, bar.after) == ("Upload 60%", "600 B of 1.0 kB")
