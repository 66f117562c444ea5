"""The room, what crosses the wire, the lookout and the bucket, each by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.playground import room as rooms
from adapters.playground.drawing import card_json, event, may_link, message_json
from adapters.playground.lookout import Lookout
from adapters.playground.rates import Bucket
from adapters.playground.room import Room
from core.cards import Bar, Button, Card
from core.commands import Seen
from core.completion import CompletionContext
from core.help import help_for, plain_lines
from core.people import Person
from core.ports import ChannelGone, Form
from core.views.picture import Picture, alpha_place

HOME = "playground:deployments"
BO = Person("bo", "Bo Li", frozenset({"viewer", "approver"}))


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def room() -> Room:
    return Room(HOME, Hands())


def titles(room: Room, person: str = "bo", after: int = 0) -> list[str]:
    return [message.card.title for message in room.since(after, person, may_look=True)]


# -- the room ----------------------------------------------------------------------------------------------------------


async def test_an_edit_is_the_newest_change_of_an_old_message(room: Room) -> None:
    reference = await room.post_card(HOME, Card("planned"), "v1@home")
    await room.post(HOME, Card("a line"), "2")
    read = room.since(0, "bo", may_look=True)[-1].change
    assert await room.edit_card(HOME, reference, Card("staged")) == reference
    assert titles(room) == ["a line", "staged"]
    assert titles(room, after=read) == ["staged"]
    assert await room.edit_card(HOME, reference, Card("staged")) == reference
    assert len(titles(room, after=read)) == 1


async def test_what_comes_twice_is_there_once(room: Room) -> None:
    for _ in range(2):
        reference = await room.post_card(HOME, Card("card"), "1")
        await room.reply(HOME, reference, Card("reply"), "2", broadcast=False)
        await room.direct(BO, Card("direct"), "3")
        await room.whisper(HOME, BO, Card("whisper"), "4")
    assert titles(room) == ["card", "reply", "direct", "whisper"]
    assert room.mail() == {"bo": 1}


async def test_what_is_for_one_person_is_seen_by_nobody_else(room: Room) -> None:
    await room.direct(BO, Card("direct"), "1")
    await room.whisper(HOME, BO, Card("whisper"), "2")
    await room.ask(HOME, BO, Form("Why?", "reject v1", (("reason", "Reason", True),)))
    room.said("bo", "deploy status", "delivery")
    assert len(titles(room)) == 4
    assert titles(room, "alice") == []


async def test_another_channel_is_gone_for_good(room: Room) -> None:
    with pytest.raises(ChannelGone):
        await room.post("playground:elsewhere", Card("x"), "1")


async def test_a_card_that_went_is_posted_anew_and_its_thread_is_told_in_the_channel(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "KEPT", 2)
    reference = await room.post_card(HOME, Card("card"), "1")
    for number in range(2, 5):
        await room.post(HOME, Card(f"line {number}"), str(number))
    assert titles(room) == ["line 3", "line 4"]
    await room.reply(HOME, reference, Card("passed", summary="v1: passed"), "5", broadcast=False)
    assert await room.edit_card(HOME, reference, Card("card again")) == reference
    assert titles(room) == ["v1: passed", "card again"]


async def test_a_change_wakes_whoever_took_the_event_before(room: Room) -> None:
    changed = room.changed
    assert not changed.is_set()
    await room.post(HOME, Card("x"), "1")
    assert changed.is_set()
    assert not room.changed.is_set()


# -- the wire ----------------------------------------------------------------------------------------------------------


def anywhere(host: str) -> bool:
    return host == "127.0.0.1"


def test_a_link_is_made_of_an_address_that_ashat_gives_to_a_host_that_settings_name() -> None:
    lines = (
        "Try it: http://127.0.0.1:1/typed",
        "Alice Ng",
        "Try it: http://127.0.0.1:8101/",
        "Try it: http://evil.example/",
    )
    drawn = card_json(Card("x", lines), anywhere)["lines"]
    assert [line.get("link") for line in drawn] == [None, None, "http://127.0.0.1:8101/", None]


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://user:pw@127.0.0.1/", "http://[", "//127.0.0.1/", "http:///x", "data:text/html,x"],
)
def test_other_addresses_are_no_links(url: str) -> None:
    assert not may_link(url, anywhere)


async def test_only_cards_and_answers_have_links(room: Room) -> None:
    lines = ("", "", "Try it: http://127.0.0.1:8101/")
    await room.direct(BO, Card("x", lines), "1")
    (message,) = room.since(0, "bo", may_look=True)
    assert "link" not in message_json(message, anywhere)["card"]["lines"][2]


def test_a_card_keeps_its_numbers_and_what_its_buttons_are_bound_to() -> None:
    seen = Seen(2, "ab" * 32, 3)
    button = Button("Approve", "approve v1#2", seen, confirm="Send it?", style="primary")
    drawn = card_json(Card("t\u202eitle", (Bar(1, 6, "1 of 6 done", "rest"),), (button,), summary=""), anywhere)
    assert drawn["title"] == "title"
    assert drawn["lines"] == [{"text": "1 of 6 done", "after": "rest", "share": 0.167, "cells": 0.2}]
    assert drawn["buttons"][0]["seen"] == {"attempt": 2, "digest": "ab" * 32, "run": 3}


def test_an_event_is_one_line_of_data_whatever_is_in_it() -> None:
    assert event("message", {"text": "a\n\ndata: b\r"}, 7).count("\n") == 4


# -- the lookout -------------------------------------------------------------------------------------------------------


class Slowly:
    """A view that counts, and lets a test wait for a number of looks."""

    def __init__(self) -> None:
        self.looks = 0
        self.looked = asyncio.Event()
        self.broken = False

    async def picture(self) -> Picture:
        self.looks += 1
        if self.looks >= 3:
            self.looked.set()
        if self.broken:
            raise RuntimeError("broken")
        alpha = alpha_place(f"ALPHA {self.looks // 2}", ())
        return Picture(alpha, alpha, (), (), ())

    async def completion(self) -> CompletionContext:
        return CompletionContext()


async def test_servers_are_looked_at_only_while_somebody_looks() -> None:
    view, told = Slowly(), []
    lookout = Lookout(view, lambda: told.append(view.looks), gap=0.001)
    await asyncio.sleep(0)
    assert view.looks == 0
    async with asyncio.timeout(20), lookout.watching(), lookout.watching():
        await view.looked.wait()
    looks = view.looks
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert view.looks == looks
    assert len(told) < looks, "a picture that is the same is no news"


async def test_a_look_that_fails_is_logged_and_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    view = Slowly()
    view.broken = True
    lookout = Lookout(view, lambda: None, gap=0.001)
    async with asyncio.timeout(20), lookout.watching():
        await view.looked.wait()
    assert lookout.newest is None
    assert "cannot look at the servers" in capfd.readouterr().out


def test_a_bucket_gives_a_burst_and_then_the_rate() -> None:
    clock = Hands()
    bucket = Bucket(clock, rate=2, burst=3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.pass_by(1)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.pass_by(-100)
    assert not bucket.take()


def test_titles_and_rows_of_help_are_marked_and_nothing_else() -> None:
    page = help_for("verify", shell=False, docs="", support="")
    title, *rest = plain_lines(page)
    lines = card_json(Card(title, tuple(rest)), lambda host: True)["lines"]
    assert lines[:3] == [
        {"text": f"  {page[0].lines[0].text}", "row": {"code": "", "text": page[0].lines[0].text}},
        {"text": "Usage", "title": True},
        {"text": "  deploy verify <id>", "row": {"code": "deploy verify <id>", "text": ""}},
    ]
    other = Card("Planned", ("Alice Ng  14:02", "   Note: x  y", Bar(1, 2, "1 of 2")))
    assert not any({"row", "title"} & set(line) for line in card_json(other, lambda host: True)["lines"])
