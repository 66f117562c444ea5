"""The unmodified discord.py in front of the peer: whatever it does with Discord works here, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import discord as library
import pytest

from tests.discord.echo import Card, Echo, at_work, pointed
from tests.discord.peer import troubles
from tests.discord.peer.discord import Discord, NotAnswered, texts
from tests.discord.peer.refused import RateLimited


@pytest.fixture
async def echo(discord: Discord) -> AsyncIterator[Echo]:
    async with at_work(discord) as made:
        yield made


# -- commands, buttons, modals -----------------------------------------------------------------------------------------


async def test_a_command_with_typed_options_a_card_and_its_buttons(discord: Discord, echo: Echo) -> None:
    assert await discord.alice.looks_for("push", "update", "v1") == ["v1.2", "v1.3"]
    asked = await discord.alice.slash("push", update="v1.3", times=2)
    assert echo.heard == ["push v1.3 2"]
    card = discord.channel("#deployments").card("v1.3: pushed")
    assert asked.original is card
    clicked = await discord.bo.clicks("Approve", on=card)
    await discord.until(lambda: card.edits)
    assert card.text.startswith("approved")
    assert texts(discord.ephemeral(to=discord.bo)) == [clicked.text] == ["bo approved"]

    await discord.cy.clicks("Reject", on=card)
    told = await discord.cy.submits(Reason="it is late")
    assert told.text == "because it is late"
    assert not discord.refusals()


async def test_a_deferred_answer_and_one_about_a_person(discord: Discord, echo: Echo) -> None:
    asked = await discord.vi.slash("status")
    assert asked.callback == 5
    await discord.until(lambda: not asked.loading)
    assert asked.text == "nothing is deploying"
    assert (await discord.vi.slash("show", whom=discord.bo)).text == "bo"
    assert echo.heard == ["status"]


@pytest.mark.usefixtures("echo")
async def test_an_upload_with_a_follow_up(discord: Discord) -> None:
    asked = await discord.alice.slash("logs")
    await discord.until(lambda: not asked.loading)
    assert asked.original
    path = asked.original.attachments[0]["url"].removeprefix(f"{discord.site.origin}/")
    assert discord.state.files[path] == b"line\n" * 9000


@pytest.mark.usefixtures("echo")
async def test_what_a_client_lets_nobody_send(discord: Discord) -> None:
    with pytest.raises(AssertionError, match="without"):
        await discord.alice.slash("push")
    with pytest.raises(AssertionError, match="times"):
        await discord.alice.slash("push", update="v1", times=9)
    with pytest.raises(AssertionError, match="registered"):
        await discord.alice.slash("frobnicate")


async def test_messages_reach_it_as_without_the_privileged_intent(discord: Discord, echo: Echo) -> None:
    await discord.alice.says("@Ashat status")
    await discord.alice.says("hello everybody")
    await discord.bo.says("status", in_="@ashat")
    await discord.until(lambda: len(echo.heard) == 3)
    assert echo.heard == ["<@100000000000000001> status", "", "status"]


def _room(discord: Discord, echo: Echo, name: str) -> library.TextChannel:
    found = echo.get_channel(int(discord.room(name).id))
    assert isinstance(found, library.TextChannel)
    return found


# -- channels and threads ----------------------------------------------------------------------------------------------


async def test_posting_threads_direct_messages_and_nonces(discord: Discord, echo: Echo) -> None:
    room = _room(discord, echo, "#deployments")
    card = await room.send(view=Card("v1: planned"))
    thread = await card.create_thread(name="v1")
    await thread.send("planned", allowed_mentions=library.AllowedMentions(users=True))
    await card.edit(view=Card("v1: staged"))
    shown = discord.channel("#deployments").card("v1: staged")
    assert texts(discord.thread(shown)) == ["planned"]
    await thread.edit(archived=True)
    await thread.send("staged")
    assert not discord.thread_of(shown).archived, "a message reopens it"
    person = await echo.fetch_user(int(discord.bo.id))
    await person.send("your vote?")
    assert texts(discord.dm(discord.bo).messages()) == ["your vote?"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [("view_channel", 50001), ("send_messages", 50013)],
)
async def test_a_channel_without_permission(discord: Discord, echo: Echo, spoil: str, code: int) -> None:
    discord.channel("#ops").forbids(spoil)
    room = _room(discord, echo, "#ops")
    with pytest.raises(library.Forbidden) as refused:
        await room.send("hello")
    assert refused.value.code == code


async def test_what_is_gone_or_closed(discord: Discord, echo: Echo) -> None:
    room = _room(discord, echo, "#ops")
    message = await room.send("hello")
    await discord.bo.deletes(discord.channel("#ops").messages()[0])
    with pytest.raises(library.NotFound) as refused:
        await message.edit(content="again")
    assert refused.value.code == 10008
    await discord.deletes_channel("#ops")
    with pytest.raises(library.NotFound) as refused:
        await room.send("hello")
    assert refused.value.code == 10003
    discord.bo.account.closed = True
    person = await echo.fetch_user(int(discord.bo.id))
    with pytest.raises(library.Forbidden) as closed:
        await person.send("hello")
    assert closed.value.code == 50007


# -- limits ------------------------------------------------------------------------------------------------------------


async def test_rate_limits_are_announced_and_a_429_is_waited_for(discord: Discord, echo: Echo) -> None:
    room = _room(discord, echo, "#ops")
    discord.troubles.limits(troubles.POST, retry_after=0.01)
    discord.troubles.limits(troubles.POST, retry_after=0.01, everywhere=True)
    for number in range(12):
        await room.send(str(number))
    assert texts(discord.channel("#ops").messages()) == [str(number) for number in range(12)]
    assert discord.rates.refusals == 0, "the library kept to the headers"
    discord.troubles.limits(troubles.POST, retry_after=1, via=False)
    with pytest.raises(library.HTTPException):
        await room.send("from a banned address")


async def test_too_fast_by_plain_requests_is_refused(discord: Discord) -> None:
    refused = [_taken(discord) for _ in range(6)]
    assert refused == [False] * 5 + [True]


def _taken(discord: Discord) -> bool:
    try:
        discord.rates.take("POST", "/channels/400000000000000001/messages")
    except RateLimited:
        return True
    return False


async def test_a_cut_callback_is_not_tried_again_and_a_5xx_is(discord: Discord, echo: Echo) -> None:
    room = _room(discord, echo, "#ops")
    discord.troubles.fails(troubles.POST, 503, times=1)
    with pytest.raises(library.DiscordServerError):
        await room.send("hello")
    discord.troubles.cuts(troubles.ANSWER)
    waiting = asyncio.create_task(discord.alice.slash("push", update="v1"))
    await discord.until(lambda: any(call.hindered and call.status == 0 for call in discord.called(troubles.ANSWER)))
    discord.alice.asked[-1].at -= 4  # three seconds are over
    with pytest.raises(NotAnswered):
        await waiting
    assert not discord.channel("#deployments").messages()


# -- the gateway -------------------------------------------------------------------------------------------------------


async def test_a_cut_a_close_and_a_reconnect_are_resumed_and_lose_nothing(discord: Discord, echo: Echo) -> None:
    for number, interrupt in enumerate((discord.gateway.cut, discord.gateway.close, discord.gateway.reconnect), 1):
        done = interrupt()
        if done is not None:
            await done
        await discord.alice.slash("push", update=f"v{number}")
        await discord.until(lambda number=number: discord.gateway.resumes == number)
    assert echo.heard == ["push v1 1", "push v2 1", "push v3 1"]
    assert len(discord.gateway.identifies) == 1


async def test_an_invalid_session_starts_a_new_one(discord: Discord, echo: Echo) -> None:
    await discord.gateway.invalidate()
    await discord.until(lambda: len(discord.gateway.identifies) == 2 and discord.gateway.live)
    await discord.alice.slash("push", update="v1")
    assert echo.heard == ["push v1 1"]


async def test_it_beats_and_is_acknowledged() -> None:
    async with Discord(heartbeat=50) as discord, at_work(discord) as echo:
        await discord.until(lambda: discord.gateway.live[0].beats >= 3)
        assert echo.latency < 60


async def test_a_wrong_token_and_a_privileged_intent_are_turned_away(discord: Discord) -> None:
    with pytest.raises(library.LoginFailure):
        async with at_work(discord) as echo:
            await echo.http.static_login("another")
    discord.gateway.forget()
    client = library.Client(intents=library.Intents(guilds=True, message_content=True))
    with pointed(discord), pytest.raises(library.PrivilegedIntentsRequired):
        async with client:
            await client.start(discord.token)
