"""Implements the port over the real Web API client: each post once, whatever becomes of its answer."""

from __future__ import annotations

import pytest

from core.cards import Button, Card
from core.people import Account, Person
from core.ports import ChannelDown, ChannelGone, Form
from tests.adapters.slack.world import SlackWorld
from tests.slack.peer.slack import texts

HOME = "slack:C0DEPLOY"
ANN = Person("alice", "Alice Ng", frozenset({"viewer"}), accounts=(Account("slack", "U0ALICE"),))
PLANNED = Card("📋 Planned: v1", ("Fixes the login",), (Button("Cancel", "cancel v1"),), summary="v1 is planned")
DONE = Card("✅ Completed: v1", ("5 of 5 healthy",), summary="v1 is complete")
EVIL = "<!channel> <@U0BO> <https://evil.example|Approve> *bold* `code` :tada: &amp; https://evil.example"


async def test_a_post_whose_answer_was_lost_is_found_and_not_made_again(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    slack.troubles.cuts("chat.postMessage", "after", times=3)
    for nonce, post in (("n1", channel.post_card), ("n2", channel.post)):
        with pytest.raises(ChannelDown, match="cannot be reached"):
            await post(HOME, PLANNED, nonce)
        await post(HOME, PLANNED, nonce)
    card = slack.channel("#deployments").messages()[0]
    with pytest.raises(ChannelDown):
        await channel.reply(HOME, card.ts, DONE, "n3", broadcast=False)
    await channel.reply(HOME, card.ts, DONE, "n3", broadcast=False)
    assert len(slack.channel("#deployments").messages()) == 2
    assert len(slack.thread(card)) == 1


async def test_a_card_found_again_shows_what_is_new(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    first = await channel.post_card(HOME, PLANNED, "n1")
    assert await channel.post_card(HOME, DONE, "n1") == first
    assert "Completed" in slack.channel("#deployments").messages()[0].text


async def test_a_deleted_card_is_posted_anew_once(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    first = await channel.post_card(HOME, PLANNED, "n1")
    slack.channel("#deployments").messages()[0].deleted = True
    again = await channel.edit_card(HOME, first, DONE)
    assert again != first
    assert await channel.edit_card(HOME, first, DONE) == again
    assert len(slack.channel("#deployments").messages()) == 1


async def test_a_reply_mentions_those_whom_it_is_for_and_names_those_who_are_not_here(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    card = await channel.post_card(HOME, PLANNED, "n1")
    elsewhere = Person("zed", "Zed Roe", frozenset())
    await channel.reply(HOME, card, DONE, "n2", broadcast=False, mentions=[ANN, elsewhere])
    (reply,) = slack.thread(slack.channel("#deployments").messages()[0])
    assert "<@U0ALICE>" in reply.text
    assert "To Zed Roe" in reply.text


async def test_a_reply_to_a_deleted_card_is_said_in_the_channel(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    first = await channel.post_card(HOME, PLANNED, "n1")
    slack.channel("#deployments").messages()[0].deleted = True
    await channel.reply(HOME, first, DONE, "n2", broadcast=False)
    assert any("v1 is complete" in message.text for message in slack.workspace.standing("C0DEPLOY"))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("slack:C0ATTIC", "archived"),
        ("slack:C0RANDOM", "not in the channel"),
        ("slack:C0NOWHERE", "does not exist"),
        ("slack:G0SECRET", "does not exist"),
        ("slack:C0SHARED", "another organisation"),
    ],
)
async def test_a_channel_that_refuses_for_good_is_gone(world: SlackWorld, address: str, why: str) -> None:
    with pytest.raises(ChannelGone, match=why):
        await world.platform.channel.post_card(address, PLANNED, "n1")


async def test_a_revoked_token_is_gone_and_a_limit_says_for_how_long(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    await channel.post(HOME, PLANNED, "n0")
    slack.troubles.limits("chat.postMessage", 7)
    with pytest.raises(ChannelDown) as limited:
        await channel.post(HOME, PLANNED, "n1")
    assert limited.value.retry_after == 7
    slack.troubles.fails("chat.postMessage", 503)
    with pytest.raises(ChannelDown):
        await channel.post(HOME, PLANNED, "n1")
    slack.installation.revoked = "token_revoked"
    with pytest.raises(ChannelGone, match="revoked"):
        await channel.post(HOME, PLANNED, "n1")


async def test_an_outage_is_caught_up_with(world: SlackWorld) -> None:
    slack = world.slack
    slack.goes_away()
    with pytest.raises(ChannelDown):
        await world.platform.channel.post(HOME, PLANNED, "n1")
    slack.comes_back()
    await world.platform.channel.post(HOME, PLANNED, "n1")
    assert len(slack.channel("#deployments").messages()) == 1


async def test_nothing_typed_mentions_links_or_formats(world: SlackWorld) -> None:
    await world.platform.channel.post(HOME, Card(EVIL, (EVIL,), summary=EVIL), "n1")
    message = world.slack.channel("#deployments").messages()[0]
    assert "<" not in message.fallback
    assert not message.unfurls
    assert all(block["text"]["type"] == "plain_text" for block in message.blocks)


async def test_a_drawing_that_slack_refuses_is_said_in_words(world: SlackWorld) -> None:
    world.slack.troubles.refuses("chat.postMessage", "invalid_blocks")
    await world.platform.channel.post(HOME, PLANNED, "n1")
    assert "Fixes the login" in world.slack.channel("#deployments").messages()[0].text
    assert any("drawing refused" in entry["event"] for entry in world.log)


async def test_whispers_direct_messages_and_forms_reach_one_person(world: SlackWorld) -> None:
    channel, slack = world.platform.channel, world.slack
    await channel.whisper(HOME, ANN, PLANNED, "n1")
    assert "Planned" in texts(slack.ephemeral(to=slack.alice))[0]
    slack.room("#deployments").members.discard("U0ALICE")
    await channel.whisper(HOME, ANN, DONE, "n2")
    await channel.direct(ANN, PLANNED, "n3")
    await channel.direct(ANN, PLANNED, "n3")
    assert len(slack.dm(slack.alice).messages()) == 2
    await channel.ask(HOME, ANN, Form("Reject v1", "reject v1", (("reason", "Reason", True),)))
    assert "Reject v1" in slack.dm(slack.alice).messages()[-1].text
    with pytest.raises(ChannelGone, match="no Slack account"):
        await channel.direct(Person("zed", "Zed", frozenset()), PLANNED, "n4")


@pytest.mark.parametrize("error", ["restricted_action_thread_locked", "restricted_action_non_threadable_channel"])
async def test_where_nothing_can_be_said_in_the_thread_the_channel_is_told(world: SlackWorld, error: str) -> None:
    channel, slack = world.platform.channel, world.slack
    card = await channel.post_card(HOME, PLANNED, "n1")
    slack.troubles.refuses("chat.postMessage", error)
    await channel.reply(HOME, card, DONE, "n2", broadcast=False)
    assert "v1 is complete" in slack.channel("#deployments").messages()[-1].text
