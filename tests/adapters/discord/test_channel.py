"""Implements the port over discord.py's REST client: each post once, whatever becomes of its answer."""

from __future__ import annotations

import pytest

from core.cards import Button, Card
from core.people import Account, Person
from core.ports import ChannelDown, ChannelGone, Form
from tests.adapters.discord.world import DiscordWorld
from tests.discord.peer.discord import texts
from tests.discord.peer.guilds import Message
from tests.discord.peer.troubles import EDIT, POST

PLANNED = Card("📋 Planned: v1", ("Fixes the login",), (Button("Cancel", "cancel v1"),), summary="v1 is planned")
DONE = Card("✅ Completed: v1", ("5 of 5 healthy",), summary="v1 is complete")
EVIL = "@everyone <@300000000000000002> [Approve](https://evil.example) **bold** `code` https://evil.example"
THREAD = "POST /channels/{id}/messages/{id}/threads"


def home(world: DiscordWorld) -> str:
    return world.platform.setup.home_address


def there(world: DiscordWorld) -> list[Message]:
    return world.discord.channel("#deployments").messages()


def ann(world: DiscordWorld) -> Person:
    return Person("alice", "Alice Ng", frozenset({"viewer"}), accounts=(Account("discord", world.discord.alice.id),))


# -- once --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0.0, 600.0])
async def test_a_post_whose_answer_was_lost_is_not_made_again(world: DiscordWorld, later: float) -> None:
    """Within the nonce's window Discord itself says so; after it the channel or thread is read first."""
    channel, discord = world.platform.channel, world.discord
    for nonce, post in (("n1", channel.post_card), ("n2", channel.post)):
        discord.troubles.cuts(POST, "after")
        with pytest.raises(ChannelDown, match="cannot be reached"):
            await post(home(world), PLANNED, nonce)
        world.clock.move(later)
        await post(home(world), PLANNED, nonce)
    first = there(world)[0]
    discord.troubles.cuts(POST, "after")
    with pytest.raises(ChannelDown):
        await channel.reply(home(world), first.id, DONE, "n3", broadcast=False)
    world.clock.move(later)
    await channel.reply(home(world), first.id, DONE, "n3", broadcast=False)
    assert len(there(world)) == 2
    assert len(discord.thread(first)) == 1


async def test_a_post_that_was_applied_and_answered_500_is_there_once(world: DiscordWorld) -> None:
    world.discord.troubles.fails(POST, 500, "after")
    await world.platform.channel.post_card(home(world), PLANNED, "n1")
    assert len(there(world)) == 1


async def test_what_another_process_had_posted_is_found(world: DiscordWorld) -> None:
    """It posted, and ended before it could say so; here nobody remembers, and the nonce holds no longer."""
    first = await world.platform.channel.post_card(home(world), PLANNED, "n1")
    world.clock.move(3000)
    successor = type(world.platform)(world.platform.setup, world.clock)
    assert await successor.channel.post_card(home(world), DONE, "n1") == first
    await successor.close()
    assert len(there(world)) == 1
    assert "Completed" in there(world)[0].text


async def test_a_card_found_again_shows_what_is_new(world: DiscordWorld) -> None:
    channel = world.platform.channel
    first = await channel.post_card(home(world), PLANNED, "n1")
    assert await channel.post_card(home(world), DONE, "n1") == first
    assert "Completed" in there(world)[0].text


async def test_steady_posts_read_the_channel_no_more_than_once_a_minute(world: DiscordWorld) -> None:
    for number in range(10):
        await world.platform.channel.post(home(world), DONE, f"n{number}")
    assert len(world.discord.called("GET /channels/{id}/messages")) == 1


# -- cards that are gone, or old ---------------------------------------------------------------------------------------


async def test_a_deleted_card_is_posted_anew_once(world: DiscordWorld) -> None:
    channel = world.platform.channel
    first = await channel.post_card(home(world), PLANNED, "n1")
    there(world)[0].deleted = True
    again = await channel.edit_card(home(world), first, DONE)
    assert again != first
    assert await channel.edit_card(home(world), first, DONE) == again
    assert len(there(world)) == 1


async def test_a_card_older_than_an_hour_gets_a_successor_and_leads_to_it(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    first = await channel.post_card(home(world), PLANNED, "n1")
    await channel.reply(home(world), first, DONE, "n2", broadcast=False)
    world.clock.move(3601)
    second = await channel.edit_card(home(world), first, DONE)
    old, new = there(world)
    assert "Completed" in new.text
    assert first in str(new.components), "it leads to the thread"
    assert new.id in str(old.components)
    assert old.text.splitlines() == ["### v1", "This card goes on further down.", "[Go to the card]"], "nothing changes"
    await channel.reply(home(world), second, PLANNED, "n3", broadcast=False)
    assert len(discord.thread(old)) == 2, "its thread stays the first one's"
    assert await channel.edit_card(home(world), second, PLANNED) == second


async def test_however_long_it_takes_no_more_than_two_messages_stand_in_the_channel(world: DiscordWorld) -> None:
    channel = world.platform.channel
    reference = await channel.post_card(home(world), PLANNED, "n1")
    for _ in range(4):
        world.clock.move(3601)
        reference = await channel.edit_card(home(world), reference, DONE)
    assert len(there(world)) == 2
    assert there(world)[-1].id in str(there(world)[0].components)


async def test_a_successor_that_was_deleted_keeps_the_thread(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    first = await channel.post_card(home(world), PLANNED, "n1")
    world.clock.move(3601)
    second = await channel.edit_card(home(world), first, DONE)
    there(world)[-1].deleted = True
    third = await channel.edit_card(home(world), second, DONE)
    await channel.reply(home(world), third, DONE, "n2", broadcast=False)
    assert len(discord.thread(there(world)[0])) == 1


async def test_a_card_that_was_edited_too_often_for_its_age_gets_one_too(world: DiscordWorld) -> None:
    first = await world.platform.channel.post_card(home(world), PLANNED, "n1")
    world.discord.troubles.refuses(EDIT, 400, 30046)
    second = await world.platform.channel.edit_card(home(world), first, DONE)
    assert second.endswith(f"/{first}")


# -- threads -----------------------------------------------------------------------------------------------------------


async def test_a_thread_has_the_deployments_name_and_is_made_once(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    card = await channel.post_card(home(world), PLANNED, "n1")
    discord.troubles.cuts(THREAD, "after")
    with pytest.raises(ChannelDown):
        await channel.reply(home(world), card, DONE, "n2", broadcast=False)
    await channel.reply(home(world), card, DONE, "n2", broadcast=False)
    assert discord.thread_of(there(world)[0]).name == "v1"
    assert len(discord.thread(there(world)[0])) == 1


async def test_an_archived_thread_is_opened_again_and_a_locked_one_leaves_the_channel(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    card = await channel.post_card(home(world), PLANNED, "n1")
    await channel.reply(home(world), card, DONE, "n2", broadcast=False)
    thread = discord.thread_of(there(world)[0])
    await discord.archives(thread)
    await channel.reply(home(world), card, DONE, "n3", broadcast=False)
    assert len(discord.thread(there(world)[0])) == 2
    await discord.archives(thread, locked=True)
    await channel.reply(home(world), card, DONE, "n4", broadcast=False)
    assert "v1 is complete" in there(world)[-1].text


async def test_where_the_thread_or_its_card_was_deleted_the_channel_is_told(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    card = await channel.post_card(home(world), PLANNED, "n1")
    await channel.reply(home(world), card, DONE, "n2", broadcast=False)
    await discord.deletes_thread(discord.thread_of(there(world)[0]))
    await channel.reply(home(world), card, DONE, "n3", broadcast=False)
    assert "v1 is complete" in there(world)[-1].text
    lost = await channel.post_card(home(world), PLANNED, "n4")
    there(world)[-1].deleted = True
    await channel.reply(home(world), lost, DONE, "n5", broadcast=False)
    assert len([message for message in there(world) if "v1 is complete" in message.text]) == 2


async def test_without_the_permission_for_threads_the_channel_is_told(world: DiscordWorld) -> None:
    world.discord.channel("#deployments").forbids("create_public_threads")
    card = await world.platform.channel.post_card(home(world), PLANNED, "n1")
    await world.platform.channel.reply(home(world), card, DONE, "n2", broadcast=False)
    assert "v1 is complete" in there(world)[-1].text


async def test_a_broadcast_is_in_both_places_and_pings_once(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    card = await channel.post_card(home(world), PLANNED, "n1")
    elsewhere = Person("zed", "Zed Roe", frozenset())
    await channel.reply(home(world), card, DONE, "n2", broadcast=True, mentions=[ann(world), elsewhere])
    (told,) = discord.thread(there(world)[0])
    assert told.pings == [discord.alice.id]
    assert "To Zed Roe" in told.text
    assert there(world)[-1].pings == []


# -- refusals ----------------------------------------------------------------------------------------------------------


async def test_a_channel_that_refuses_for_good_is_gone(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    discord.channel("#ops").forbids("send_messages")
    for name, why in (("#random", "View Channel"), ("#ops", "lacks a permission"), ("#strange", "not list")):
        with pytest.raises(ChannelGone, match=why):
            await channel.post_card(f"discord:{discord.room(name).id}", PLANNED, "n1")
    for address, why in (("discord:1234567", "does not exist"), ("discord:general", "no channel")):
        with pytest.raises(ChannelGone, match=why):
            await channel.post_card(address, PLANNED, "n1")


async def test_a_deleted_channel_is_gone_also_in_the_middle(world: DiscordWorld) -> None:
    card = await world.platform.channel.post_card(home(world), PLANNED, "n1")
    await world.discord.deletes_channel("#deployments")
    with pytest.raises(ChannelGone):
        await world.platform.channel.edit_card(home(world), card, DONE)


async def test_a_limit_is_waited_for_or_says_for_how_long(world: DiscordWorld) -> None:
    channel, troubles = world.platform.channel, world.discord.troubles
    troubles.limits(POST, 0.01)
    await channel.post(home(world), PLANNED, "n1")
    for wait, via in ((45.0, True), (7.0, False)):
        troubles.limits(POST, wait, via=via)
        with pytest.raises(ChannelDown) as limited:
            await channel.post(home(world), PLANNED, "n2")
        assert limited.value.retry_after == (wait if via else 1.0)
    troubles.fails(POST, 503)
    with pytest.raises(ChannelDown, match="503"):
        await channel.post(home(world), PLANNED, "n3")


async def test_an_outage_is_caught_up_with(world: DiscordWorld) -> None:
    world.discord.goes_away()
    with pytest.raises(ChannelDown):
        await world.platform.channel.post(home(world), PLANNED, "n1")
    world.discord.comes_back()
    await world.platform.channel.post(home(world), PLANNED, "n1")
    assert len(there(world)) == 1


async def test_a_drawing_that_discord_refuses_is_said_in_words(world: DiscordWorld) -> None:
    world.discord.troubles.refuses(POST, 400, 50035)
    card = await world.platform.channel.post_card(home(world), PLANNED, "n1")
    assert "Fixes the login" in there(world)[0].text
    world.discord.troubles.refuses(EDIT, 400, 50035)
    await world.platform.channel.edit_card(home(world), card, DONE)
    assert "Completed" in there(world)[0].text
    assert len([entry for entry in world.log if "drawing refused" in entry["event"]]) == 2


# -- words -------------------------------------------------------------------------------------------------------------


async def test_nothing_typed_mentions_links_or_formats(world: DiscordWorld) -> None:
    await world.platform.channel.post(home(world), Card(EVIL, (EVIL,), summary=EVIL), "n1")
    (message,) = there(world)
    assert message.pings == []
    assert "https://" not in message.text
    assert "<@3" not in message.text


async def test_what_does_not_fit_comes_as_a_file(world: DiscordWorld) -> None:
    long = Card("timeline", tuple(f"line {number} {'x' * 90}" for number in range(100)))
    await world.platform.channel.post(home(world), long, "n1")
    (message,) = there(world)
    assert "more lines are in the file" in message.text
    (content,) = world.discord.state.files.values()
    assert b"line 99" in content


async def test_whispers_direct_messages_and_forms_reach_one_person(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    await channel.whisper(home(world), ann(world), PLANNED, "n1")
    await channel.direct(ann(world), DONE, "n2")
    await channel.direct(ann(world), DONE, "n2")
    await channel.ask(home(world), ann(world), Form("Reject v1", "reject v1", (("reason", "Reason", True),)))
    assert ["Planned" in text for text in texts(discord.dm(discord.alice).messages())] == [True, False, False]
    assert "Reject v1" in discord.dm(discord.alice).messages()[-1].text
    assert there(world) == []
    with pytest.raises(ChannelGone, match="no Discord account"):
        await channel.direct(Person("zed", "Zed", frozenset()), PLANNED, "n4")


async def test_thousands_of_interactions_leave_nothing_behind(world: DiscordWorld) -> None:
    """The library keeps a rate bucket for each, and looks through all of them at each request."""
    client = world.platform.rest.client
    for number in range(3_000):
        client.get_ratelimit(f"POST /interactions:{number}")
    assert len(client._buckets) < 1_500
    busy = client.get_ratelimit("busy")
    async with busy:
        for number in range(3_000):
            client.get_ratelimit(f"PATCH /webhooks:{number}")
        assert client.get_ratelimit("busy") is busy


@pytest.mark.parametrize("code", [160006, 30033, 50024])
async def test_where_discord_makes_no_thread_the_channel_is_told(world: DiscordWorld, code: int) -> None:
    """Such as where a server has as many active threads as it may: nothing that follows waits for it."""
    channel, discord = world.platform.channel, world.discord
    card = await channel.post_card(home(world), PLANNED, "n1")
    discord.troubles.refuses(THREAD, 400, code)
    await channel.reply(home(world), card, DONE, "n2", broadcast=False)
    assert [message.id for message in there(world)][:1] == [card]
    assert "v1 is complete" in there(world)[-1].text


async def test_where_a_thread_is_only_late_it_is_tried_again(world: DiscordWorld) -> None:
    channel, discord = world.platform.channel, world.discord
    card = await channel.post_card(home(world), PLANNED, "n1")
    discord.troubles.limits(THREAD, 60.0)
    with pytest.raises(ChannelDown):
        await channel.reply(home(world), card, DONE, "n2", broadcast=False)
    assert len(there(world)) == 1


async def test_a_lost_post_is_found_however_much_was_said_meanwhile(world: DiscordWorld) -> None:
    """More than is read of a place: what was lost is among the newest."""
    state, room = world.discord.state, world.discord.channel("#deployments").room
    for number in range(1_200):
        message = Message(state.snowflake(), room.id, world.discord.alice.id, [(state.now(), f"chatter {number}", [])])
        state.messages[message.id] = message
    world.discord.troubles.cuts(POST, "after")
    with pytest.raises(ChannelDown):
        await world.platform.channel.post(home(world), DONE, "n1")
    successor = type(world.platform)(world.platform.setup, world.clock)
    world.clock.move(3000)
    await successor.channel.post(home(world), DONE, "n1")
    await successor.close()
    assert sum("Completed" in message.text for message in there(world)) == 1
