"""What every Channel keeps: the twin in memory, terminal, playground, the demo's two windows, and Discord."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from adapters.channels.memory import MemoryChannel, Message
from adapters.discord.platform import DiscordPlatform
from adapters.playground.drawing import message_json
from adapters.playground.room import Room as BrowserRoom
from adapters.terminal import Screen, Terminal
from core import say
from core.cards import Bar, Button, Card
from core.people import Account, Person
from core.ports import Channel, ChannelDown, ChannelGone, Form
from demo.windows import Windows
from tests.adapters.discord.world import setup_of
from tests.contract.store.samples import StoppedClock
from tests.discord.peer.discord import Discord

ANN = Person(
    "ann", "Ann Ng", frozenset({"viewer"}), accounts=(Account("chat", "U1"), Account("discord", "300000000000000001"))
)
PLANNED = Card(
    "📋 Planned: v1", ("Fixes the login", Bar(3, 6, "3 of 6", "done")), (Button("Cancel", "cancel v1"),),
    "moving", "v1 is planned",
)  # fmt: skip
DONE = Card("✅ Completed: v1", ("5 of 5 mainframes healthy",), tone="good", summary="v1 is complete")


@dataclass
class Room:
    """A channel, and all that anybody can read in it, in the order in which it was posted."""

    channel: Channel
    here: str
    words: Callable[[], str]


def pinged(message: Message) -> str:
    return " ".join(ANN.name for one in message.mentions if one == ANN.id)


def memory() -> Room:
    chat = MemoryChannel("chat")

    def words() -> str:
        return "\n".join(
            [*(shown.text for shown in chat.cards), *(f"{message.text} {pinged(message)}" for message in chat.messages)]
        )

    return Room(chat, "chat:main", words)


def terminal() -> Room:
    out = io.StringIO()
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    return Room(Terminal(Screen(out), lambda: now), "terminal:main", out.getvalue)


def playground() -> Room:
    return _browser("playground:main")


def windows() -> Room:
    """A terminal and a browser on the same room: what the browser does not show, this does not count."""
    browser, paper = _browser("terminal:main"), terminal()
    return Room(Windows((paper.channel, browser.channel)), "terminal:main", browser.words)


def _browser(here: str) -> Room:
    shown = BrowserRoom(here, StoppedClock())

    def words() -> str:
        read = [message_json(message, lambda host: True) for message in shown.since(0, ANN.id, may_look=True)]
        return json.dumps(read, ensure_ascii=False)

    return Room(shown, here, words)


@asynccontextmanager
async def discord() -> AsyncIterator[Room]:
    """Over real sockets."""
    clock = StoppedClock()
    async with Discord(now=lambda: clock.now().timestamp()) as peer:
        platform = DiscordPlatform(setup_of(peer), clock)
        peer.alice.account.real_name = ANN.name

        def words() -> str:
            """As Discord shows it: people by their names, times in the reader's zone, here UTC."""
            text = "\n".join(message.text for message in peer.state.messages.values())
            text = re.sub(r"<@(\d+)>", lambda found: f"@{peer.state.accounts[found[1]].real_name}", text)
            text = re.sub(r"<t:(\d+):\w>", lambda found: f"{datetime.fromtimestamp(int(found[1]), UTC):%H:%M}", text)
            return text.replace("\\", "")

        yield Room(platform.channel, f"discord:{peer.room('#deployments').id}", words)
        await platform.close()


@pytest.fixture(params=[memory, terminal, playground, windows, discord])
async def room(request: pytest.FixtureRequest) -> AsyncIterator[Room]:
    made = request.param()
    if isinstance(made, Room):
        yield made
    else:
        async with made as entered:
            yield entered


async def test_its_addresses_begin_with_its_platform(room: Room) -> None:
    assert room.here.startswith(f"{room.channel.platform}:")


async def test_a_card_is_posted_with_all_its_facts(room: Room) -> None:
    reference = await room.channel.post_card(room.here, PLANNED, "n1")
    assert reference
    for fact in ("Planned: v1", "Fixes the login", "3 of 6", "done"):
        assert fact in room.words()


async def test_a_card_that_is_edited_says_what_is_new(room: Room) -> None:
    reference = await room.channel.post_card(room.here, PLANNED, "n1")
    again = await room.channel.edit_card(room.here, reference, DONE)
    assert again
    assert "Completed: v1" in room.words()
    assert "5 of 5 mainframes healthy" in room.words()


async def test_a_card_of_an_earlier_process_can_be_edited(room: Room) -> None:
    """Its reference comes from the store; nothing else of it is remembered."""
    reference = await room.channel.edit_card(room.here, "from-before", DONE)
    assert reference
    assert "Completed: v1" in room.words()


async def test_two_cards_have_two_references(room: Room) -> None:
    first = await room.channel.post_card(room.here, PLANNED, "n1")
    second = await room.channel.post_card(room.here, PLANNED, "n2")
    assert first != second


async def test_every_kind_of_message_is_said_in_full(room: Room) -> None:
    reference = await room.channel.post_card(room.here, PLANNED, "n1")
    await room.channel.post(room.here, Card("Ann configured Public", ("at http://127.0.0.1:1",)), "n2")
    await room.channel.reply(room.here, reference, Card("Bo approved", ("OMEGA eu",)), "n3", broadcast=False)
    await room.channel.reply(room.here, reference, Card("Held", ("disk full",)), "n4", broadcast=True)
    await room.channel.whisper(room.here, ANN, Card("Counted, 1 of 2", ("run 1",)), "n5")
    await room.channel.direct(ANN, Card("v1 waits for you", ("deploy approve v1",)), "n6")
    for fact in ("Ann configured Public", "at http://127.0.0.1:1", "Bo approved", "OMEGA eu", "Held", "disk full",
                 "Counted, 1 of 2", "run 1", "v1 waits for you", "deploy approve v1"):  # fmt: skip
        assert fact in room.words()


async def test_whom_a_reply_is_for_is_named(room: Room) -> None:
    reference = await room.channel.post_card(room.here, PLANNED, "n1")
    card = Card("v1 waits for your approval", ("OMEGA eu",))
    await room.channel.reply(room.here, reference, card, "n2", broadcast=False, mentions=[ANN])
    assert "Ann Ng" in room.words()
    assert "v1 waits for your approval" in room.words()


async def test_moments_are_told_in_words_at_least(room: Room) -> None:
    at = datetime(2026, 3, 2, 14, 9, tzinfo=UTC)
    card = Card("v1", (f"valid until {say.clock(at, 'UTC', at)}", Bar(1, 2, f"since {say.clock(at, 'UTC', at)}")))
    reference = await room.channel.post_card(room.here, card, "n1")
    await room.channel.direct(ANN, card, "n2")
    await room.channel.edit_card(room.here, reference, replace(card, lines=(*card.lines, "more")))
    assert "14:09" in room.words()
    assert not re.search("[\ufdd0-\ufdef]", room.words())


async def test_what_is_asked_names_everything_that_is_wanted(room: Room) -> None:
    await room.channel.ask(room.here, ANN, Form("Reject v1", "reject v1", (("reason", "Reason", True),)))
    assert "Reject v1" in room.words()
    assert "Reason" in room.words()


# -- the twin's own levers ---------------------------------------------------------------------------------------------


async def test_the_same_nonce_gives_the_same_message_brought_up_to_date() -> None:
    chat = MemoryChannel("chat")
    first = await chat.post_card("chat:main", PLANNED, "n1")
    assert await chat.post_card("chat:main", DONE, "n1") == first
    await chat.post("chat:main", PLANNED, "n2")
    await chat.post("chat:main", PLANNED, "n2")
    assert [shown.card for shown in chat.cards] == [DONE]
    assert len(chat.messages) == 1


async def test_a_twin_that_is_down_refuses_everything_until_it_is_up() -> None:
    chat = MemoryChannel("chat")
    chat.down(retry_after=7)
    with pytest.raises(ChannelDown) as refused:
        await chat.post("chat:main", PLANNED, "n1")
    assert refused.value.retry_after == 7
    chat.up()
    await chat.post("chat:main", PLANNED, "n1")


async def test_a_twin_refuses_a_deleted_channel_and_an_unreachable_person_for_good() -> None:
    chat = MemoryChannel("chat")
    chat.delete("chat:main")
    chat.refuse_direct("ann")
    with pytest.raises(ChannelGone, match="deleted"):
        await chat.post("chat:main", PLANNED, "n1")
    with pytest.raises(ChannelGone, match="takes no direct messages"):
        await chat.direct(ANN, PLANNED, "n2")
    await chat.post("chat:other", PLANNED, "n3")


async def test_a_cut_call_took_hold_or_did_not() -> None:
    chat = MemoryChannel("chat")
    chat.cut("post", "before")
    chat.cut("post", "after")
    for there in (0, 1):
        with pytest.raises(ChannelDown, match="broke off"):
            await chat.post("chat:main", PLANNED, "n1")
        assert len(chat.messages) == there
    with pytest.raises(ValueError, match="no method"):
        chat.cut("shout", "before")
