"""What the peer refuses, as Discord does, and under which code: requests said to it without any library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.bot.support.clock import MovedClock
from tests.discord.peer import commands, troubles
from tests.discord.peer.components import Checker
from tests.discord.peer.discord import Discord, NotAnswered
from tests.discord.peer.guilds import APP, GUILD, STRANGERS
from tests.discord.peer.people import Human
from tests.discord.peer.refused import Json
from tests.discord.raw import COMMANDS, DEPLOY, DEPLOYMENTS, answers, ask, wire

V2 = 1 << 15


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def discord(clock: MovedClock) -> AsyncIterator[Discord]:
    async with Discord(lambda: clock.now().timestamp()) as made:
        made.rates.on = False  # these tests ask faster than any app may
        yield made


# -- components --------------------------------------------------------------------------------------------------------


def text(words: str = "hello") -> Json:
    return {"type": 10, "content": words}


def button(custom_id: str = "a", label: str = "Approve", **more: Any) -> Json:
    return {"type": 2, "style": 1, "label": label, "custom_id": custom_id, **more}


def row(*inner: Json) -> Json:
    return {"type": 1, "components": [*inner]}


def section(*texts: Json, accessory: Json | None = None) -> Json:
    return {"type": 9, "components": [*texts], "accessory": accessory or button()}


def box(*inner: Json, **more: Any) -> Json:
    return {"type": 17, "components": [*inner], **more}


def test_what_components_v2_take() -> None:
    whole = [text(), box(section(text(), text(), text()), row(button("b"), button("c")), {"type": 14}, accent_color=7)]
    checker = Checker("v2", ("log.txt",))
    checker.check([*whole, {"type": 13, "file": {"url": "attachment://log.txt"}}])
    assert not checker.faults


@pytest.mark.parametrize(
    ("components", "name"),
    [
        ([text() for _ in range(41)], "BASE_TYPE_BAD_LENGTH"),
        ([box(*(text() for _ in range(20))), box(*(text() for _ in range(20)))], "COMPONENT_MAX_COUNT"),
        ([text("x" * 2001), text("x" * 2000)], "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
        ([text("")], "BASE_TYPE_BAD_LENGTH"),
        ([row(button(), button())], "COMPONENT_CUSTOM_ID_DUPLICATED"),
        ([row(button("x" * 101))], "BASE_TYPE_BAD_LENGTH"),
        ([row(button(label="x" * 81))], "BASE_TYPE_BAD_LENGTH"),
        ([row(*(button(str(n)) for n in range(6)))], "BASE_TYPE_BAD_LENGTH"),
        ([row()], "BASE_TYPE_BAD_LENGTH"),
        ([row(text())], "UNION_TYPE_CHOICES"),
        ([button()], "UNION_TYPE_CHOICES"),
        ([section(*(text() for _ in range(4)))], "BASE_TYPE_BAD_LENGTH"),
        ([{"type": 9, "components": [text()]}], "BASE_TYPE_REQUIRED"),
        ([box()], "BASE_TYPE_BAD_LENGTH"),
        ([box(box(text()))], "UNION_TYPE_CHOICES"),
        ([box(text(), accent_color=0x1000000)], "NUMBER_TYPE_MAX"),
        ([row(button(url="https://x.example"))], "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE"),
        ([row({"type": 2, "style": 5, "label": "x", "url": "javascript:x"})], "URL_TYPE_INVALID_SCHEME"),
        ([row({"type": 2, "style": 1, "custom_id": "a"})], "BUTTON_COMPONENT_INVALID"),
        ([{"type": 13, "file": {"url": "attachment://x"}}], "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"),
        ([{"type": 12, "items": [{"media": {"url": "https://x.example"}}] * 11}], "BASE_TYPE_BAD_LENGTH"),
        ([text() | {"id": 3}, text() | {"id": 3}], "COMPONENT_ID_DUPLICATED"),
    ],
)
def test_components_that_are_refused(components: list[Json], name: str) -> None:
    checker = Checker("v2")
    checker.check(components)
    assert name in [fault for fault, _ in checker.faults.values()], checker.faults


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"content": "x" * 2001}, 50035, "2000"),
        ({"content": ""}, 50006, "empty"),
        ({"content": "x", "flags": V2, "components": [text()]}, 50035, "IS_COMPONENTS_V2"),
        ({"embeds": [{"title": "x"}], "flags": V2, "components": [text()]}, 50035, "IS_COMPONENTS_V2"),
        ({"components": [text()]}, 50035, "UNION_TYPE_CHOICES"),
        ({"embeds": [{"description": "x" * 3001}, {"description": "x" * 3000}]}, 50035, "6000"),
        ({"embeds": [{"fields": [{"name": "a", "value": "b"}] * 26}]}, 50035, "25"),
        ({"content": "x", "nonce": "x" * 26}, 50035, "Nonce"),
        ({"content": "x", "flags": 64}, 50035, "ephemeral"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 50035, "exclusive"),
        ({"content": "x", "message_reference": {"message_id": "100"}}, 50035, "Unknown message"),
        ({"content": "x", "attachments": [{"id": "0", "filename": "x"}]}, 50035, "not part of the request"),
    ],
)
async def test_messages_that_are_refused(discord: Discord, body: Json, code: int, words: str) -> None:
    status, answer = await ask(discord, "POST", DEPLOYMENTS, body)
    assert (status, answer["code"]) == (400, code)
    assert words in str(answer)
    assert not discord.channel("#deployments").messages()


async def test_an_enforced_nonce_posts_once_for_some_minutes(discord: Discord, clock: MovedClock) -> None:
    body = {"content": "x", "nonce": "7", "enforce_nonce": True}
    posted = [(await ask(discord, "POST", DEPLOYMENTS, body))[1]["id"] for _ in range(2)]
    assert posted[0] == posted[1]
    clock.move(181)
    assert (await ask(discord, "POST", DEPLOYMENTS, body))[1]["id"] != posted[0]
    unenforced = {"content": "x", "nonce": "7"}
    await ask(discord, "POST", DEPLOYMENTS, unenforced)
    assert len(discord.channel("#deployments").messages()) == 3


async def test_mentions_notify_whom_they_may(discord: Discord) -> None:
    bo = discord.bo.id
    both = f"<@{bo}> <@{discord.cy.id}> @everyone"
    for allowed, expected in (
        (None, [bo, discord.cy.id]), ({"parse": []}, []), ({"users": [bo]}, [bo]), ({"parse": ["everyone"]}, []),
    ):  # fmt: skip
        await ask(discord, "POST", DEPLOYMENTS, {"content": both, "allowed_mentions": allowed})
        assert discord.channel("#deployments").messages()[-1].pings == expected


async def test_edits_of_others_of_old_ones_and_in_archived_threads(discord: Discord, clock: MovedClock) -> None:
    said = await discord.alice.says("hello")
    edit = {"content": "y"}
    assert (await ask(discord, "PATCH", f"{DEPLOYMENTS}/{said.id}", edit))[1]["code"] == 50005
    _, mine = await ask(discord, "POST", DEPLOYMENTS, {"content": "x"})
    _, thread = await ask(discord, "POST", f"{DEPLOYMENTS}/{mine['id']}/threads", {"name": "v1"})
    again = await ask(discord, "POST", f"{DEPLOYMENTS}/{mine['id']}/threads", {"name": "v1"})
    assert again[1]["code"] == 160004
    _, inside = await ask(discord, "POST", f"/channels/{thread['id']}/messages", {"content": "x"})
    clock.move(3601)
    codes = [(await ask(discord, "PATCH", f"{DEPLOYMENTS}/{mine['id']}", edit))[0] for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    assert discord.watch.calls[-1].error == 30046
    clock.move(21)
    assert (await ask(discord, "PATCH", f"{DEPLOYMENTS}/{mine['id']}", edit))[0] == 200
    room = discord.state.channels[thread["id"]]
    await discord.archives(room)
    refused = await ask(discord, "PATCH", f"/channels/{room.id}/messages/{inside['id']}", edit)
    assert refused[1]["code"] == 50083
    await discord.archives(room, locked=True)
    assert (await ask(discord, "POST", f"/channels/{room.id}/messages", {"content": "x"}))[1]["code"] == 50083


async def test_uploads_that_are_too_large_or_not_allowed(discord: Discord) -> None:
    large = {"log.txt": bytes(10 * 2**20 + 1)}
    assert (await ask(discord, "POST", DEPLOYMENTS, {"content": "x"}, files=large))[1]["code"] == 40005
    status, made = await ask(discord, "POST", DEPLOYMENTS, {}, files={"log.txt": b"x"})
    assert (status, made["attachments"][0]["filename"]) == (200, "log.txt")
    discord.channel("#deployments").forbids("attach_files")
    assert (await ask(discord, "POST", DEPLOYMENTS, {}, files={"log.txt": b"x"}))[1]["code"] == 50013


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/channels/1", 404, 10003),
        ("GET", "/channels/400000000000000003", 403, 50001),
        ("GET", f"{DEPLOYMENTS}/1", 404, 10008),
        ("GET", "/guilds/1", 404, 10004),
        ("GET", f"/guilds/{GUILD}/members", 403, 50001),
        ("GET", f"/guilds/{GUILD}/members/300000000000000091", 404, 10007),
        ("GET", "/users/1234567", 404, 10013),
        ("GET", f"/webhooks/{APP}/none/messages/@original", 404, 10015),
        ("POST", "/interactions/1/none/callback", 404, 10062),
        ("GET", "/nowhere", 404, 0),
    ],
)
async def test_what_is_unknown_or_hidden(discord: Discord, method: str, path: str, status: int, code: int) -> None:
    answered, answer = await ask(discord, method, path, {} if method == "POST" else None)
    assert (answered, answer["code"]) == (status, code)
    discord.watch.faults = []  # /nowhere is in no document, and neither are such short ids


async def test_a_wrong_token_is_refused(discord: Discord) -> None:
    assert (await ask(discord, "GET", "/users/@me", token="wrong"))[0] == 401


async def test_direct_messages_to_people_and_to_bots(discord: Discord) -> None:
    _, room = await ask(discord, "POST", "/users/@me/channels", {"recipient_id": discord.bo.id})
    discord.bo.account.closed = True
    assert (await ask(discord, "POST", f"/channels/{room['id']}/messages", {"content": "x"}))[1]["code"] == 50007
    other = discord.human("ci").id
    assert (await ask(discord, "POST", "/users/@me/channels", {"recipient_id": other}))[1]["code"] == 50007


# -- commands ----------------------------------------------------------------------------------------------------------


def option(name: str = "id", **more: Any) -> Json:
    return {"type": 3, "name": name, "description": "Which", **more}


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"name": "Deploy"}, "name"),
        ({"name": "de ploy"}, "name"),
        ({"description": ""}, "description"),
        ({"description": "x" * 101}, "description"),
        ({"options": [option(), option("other", required=True)]}, "options.1"),
        ({"options": [option(str(n)) for n in range(26)]}, "options"),
        ({"options": [option(), option()]}, "options.1.name"),
        ({"options": [option(choices=[{"name": str(n), "value": str(n)} for n in range(26)])]}, "options.0.choices"),
        ({"options": [option(choices=[{"name": "x", "value": 1}])]}, "options.0.choices.0.value"),
        ({"options": [option(choices=[{"name": "x", "value": "x"}], autocomplete=True)]}, "options.0"),
        ({"options": [option(type=5, autocomplete=True)]}, "options.0.type"),
        ({"options": [option(type=1), option("other")]}, "options.1.type"),
        ({"options": [option(type=2, options=[option(type=2, options=[option(type=1)])])]}, "options.0.options.0.type"),
        ({"options": [option(type=1, options=[option(type=1)])]}, "options.0.options.0.type"),
        ({"options": [option(str(n), description="x" * 100, choices=[{"name": f"{m}{'x' * 90}", "value": "x" * 90}
                                                                      for m in range(4)]) for n in range(25)]},
         "description"),
    ],
)  # fmt: skip
def test_commands_that_are_refused(changed: Json, path: str) -> None:
    assert not commands.faults_of(DEPLOY)
    assert path in commands.faults_of({**DEPLOY, **changed})


async def test_registering_counts_creations_and_only_them(discord: Discord, clock: MovedClock) -> None:
    def batch(first: int) -> list[Json]:
        return [{**DEPLOY, "name": f"deploy{n}"} for n in range(first, first + 100)]

    for first in (0, 0, 100):
        assert (await ask(discord, "PUT", COMMANDS, batch(first)))[0] == 200
    status, answer = await ask(discord, "PUT", COMMANDS, batch(200))
    assert (status, answer["code"]) == (429, 30034)
    clock.move(86_401)
    assert (await ask(discord, "PUT", COMMANDS, batch(200)))[0] == 200
    many = [*batch(0), {**DEPLOY, "name": "one-more"}]
    assert (await ask(discord, "PUT", COMMANDS, many))[1]["code"] == 30032
    twice = await ask(discord, "PUT", COMMANDS, [DEPLOY, DEPLOY])
    assert "unique" in str(twice[1])
    strange = COMMANDS.replace(GUILD, "200000000000000009")
    assert (await ask(discord, "PUT", strange, [DEPLOY]))[1]["code"] == 50001
    assert (await ask(discord, "PUT", COMMANDS.replace(GUILD, STRANGERS), [DEPLOY]))[0] == 200


# -- interactions ------------------------------------------------------------------------------------------------------


async def begun(discord: Discord, who: Human, **options: str) -> asyncio.Task[Any]:
    """They sent a command; the app has not answered yet."""
    if not discord.commands.all(GUILD):
        await ask(discord, "PUT", COMMANDS, [DEPLOY])
    discord.delivers_to_nobody()
    task = asyncio.create_task(who.slash("push", **options))
    before = len(discord.state.interactions)
    await discord.until(lambda: len(discord.state.interactions) > before)
    return task


async def test_one_first_answer_in_three_seconds(discord: Discord, clock: MovedClock) -> None:
    waiting = await begun(discord, discord.alice, id="v1")
    assert (await answers(discord, 8))[1]["code"] == 50035, "a command is not answered with choices"
    assert (await answers(discord, 4, {"content": "x" * 2001}))[1]["code"] == 50035
    assert (await answers(discord, 4, {"content": "hello", "flags": 64}))[0] == 204
    assert (await answers(discord, 4, {"content": "again"}))[1]["code"] == 40060
    assert (await waiting).text == "hello"
    late = await begun(discord, discord.alice, id="v1")
    clock.move(3.1)
    assert (await answers(discord, 4, {"content": "hello"}))[1]["code"] == 10062
    with pytest.raises(NotAnswered):
        await late


async def test_a_token_lives_a_quarter_of_an_hour(discord: Discord, clock: MovedClock) -> None:
    waiting = await begun(discord, discord.alice, id="v1")
    token = [*discord.state.interactions.values()][-1].token
    hook = f"/webhooks/{APP}/{token}"
    assert (await ask(discord, "POST", hook, {"content": "early"}))[1]["code"] == 10015
    await answers(discord, 5, {"flags": 64})
    one = await waiting
    assert one.loading
    await ask(discord, "POST", hook, {"content": "first"})
    assert not one.loading
    assert one.original
    assert one.original.to == discord.alice.id
    await ask(discord, "POST", hook, {"content": "second", "flags": 64})
    assert one.text == "first\nsecond"
    await ask(discord, "PATCH", f"{hook}/messages/@original", {"content": "edited"})
    assert one.text == "edited\nsecond"
    assert (await ask(discord, "GET", f"{DEPLOYMENTS}/{one.original.id}"))[1]["code"] == 10008, "it is ephemeral"
    clock.move(901)
    assert (await ask(discord, "PATCH", f"{hook}/messages/@original", {"content": "x"}))[1]["code"] == 50027


def inquiry(**more: Any) -> Json:
    """An input in a row, as modals had it before there were Labels."""
    return row({"type": 4, "custom_id": "a", "style": 1, "label": "Why", **more})


def dialog(*inner: Json, **more: Any) -> Json:
    return {"custom_id": "m", "title": "Why", "components": [*inner], **more}


@pytest.mark.parametrize(
    "modal",
    [
        dialog(inquiry(), title="x" * 46),
        dialog(),
        dialog(inquiry(), custom_id="x" * 101),
        dialog(inquiry(label="x" * 46)),
        dialog(row(button())),
        dialog({"type": 18, "label": "x" * 46, "component": {"type": 4, "custom_id": "a", "style": 1}}),
    ],
)
async def test_modals_that_are_refused(discord: Discord, modal: Json) -> None:
    waiting = await begun(discord, discord.alice, id="v1")
    assert (await answers(discord, 9, modal))[1]["code"] == 50035
    good = {"custom_id": "m", "title": "x", "components": [
        {"type": 18, "label": "Why", "component": {"type": 4, "custom_id": "a", "style": 1}}
    ]}  # fmt: skip
    assert (await answers(discord, 9, good))[0] == 204
    assert (await waiting).modal["title"] == "x"


async def test_at_most_25_choices(discord: Discord) -> None:
    await ask(discord, "PUT", COMMANDS, [DEPLOY])
    discord.delivers_to_nobody()
    waiting = asyncio.create_task(discord.alice.looks_for("push", "id", "v"))
    await discord.until(lambda: discord.state.interactions)
    many = [{"name": str(n), "value": str(n)} for n in range(26)]
    assert (await answers(discord, 8, {"choices": many}))[1]["code"] == 50035
    assert (await answers(discord, 8, {"choices": [{"name": "x", "value": 1}]}))[1]["code"] == 50035
    assert (await answers(discord, 8, {"choices": many[:25]}))[0] == 204
    assert len(await waiting) == 25


async def test_nobody_connected_is_told_to_the_person(discord: Discord) -> None:
    await ask(discord, "PUT", COMMANDS, [DEPLOY])
    with pytest.raises(NotAnswered, match="not connected"):
        await discord.alice.slash("push", id="v1")


# -- the gateway -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", ["", "zlib-stream", "zstd-stream"])
async def test_hello_ready_guilds_and_heartbeats(discord: Discord, compress: str) -> None:
    async with wire(discord, compress) as one:
        ready = await one.identifies(discord)
        assert ready
        assert ready["t"] == "READY"
        assert ready["d"]["resume_gateway_url"] == discord.gateway_url
        names = [(await one.hears() or {})["d"]["name"] for _ in range(3)]
        assert names == ["Acme", "Labs", "Strangers"]
        await one.says(1, 4)
        assert (await one.hears() or {})["op"] == 11


@pytest.mark.parametrize(
    ("op", "body", "code"),
    [
        (2, {"token": "wrong", "intents": 1}, 4004),
        (2, {"intents": 1 << 40}, 4013),
        (2, {"intents": 1 << 15}, 4014),
        (99, None, 4001),
        (3, {}, 4003),
        (6, {"token": "wrong"}, 4004),
        (1, "x" * 5000, 4002),
    ],
)
async def test_ways_to_be_thrown_out(discord: Discord, op: int, body: Any, code: int) -> None:
    async with wire(discord) as one:
        await one.hears()
        if op == 2:
            body = {"token": discord.token, "properties": {}, **body}
        await one.says(op, body)
        assert await one.hears() is None
        assert one.code == code


async def test_another_version_and_no_json_are_thrown_out_and_twice_too(discord: Discord) -> None:
    async with wire(discord, version="9") as one:
        assert await one.hears() is None
        assert one.code == 4012
    async with wire(discord) as one:
        await one.hears()
        await one.says_text("{")
        assert await one.hears() is None
        assert one.code == 4002
    async with wire(discord) as one:
        await one.identifies(discord, intents=0)
        await one.says(2, {"token": discord.token, "intents": 0, "properties": {}})
        assert await one.hears() is None
        assert one.code == 4005


async def test_a_session_is_resumed_for_minutes_and_not_for_an_hour(discord: Discord, clock: MovedClock) -> None:
    async with wire(discord) as one:
        ready = await one.identifies(discord, intents=1 << 9)
        assert ready
    await discord.until(lambda: not discord.gateway.live)
    await discord.alice.says("@Ashat status")
    resume = {"token": discord.token, "session_id": ready["d"]["session_id"], "seq": ready["s"]}
    async with wire(discord) as one:
        await one.hears()
        await one.says(6, resume)
        assert (await one.hears() or {})["t"] == "MESSAGE_CREATE"
        assert (await one.hears() or {})["t"] == "RESUMED"
    await discord.until(lambda: not discord.gateway.live)
    clock.move(3600)
    async with wire(discord) as one:
        await one.hears()
        await one.says(6, resume)
        assert (await one.hears() or {}) == {"op": 9, "d": False, "s": None, "t": None}
    async with wire(discord) as one:
        assert (await one.identifies(discord) or {})["t"] == "READY"


async def test_troubles_come_before_or_after_a_request_took_hold(discord: Discord) -> None:
    discord.troubles.fails(troubles.POST, 500, when="after")
    discord.troubles.fails(troubles.POST, 500, when="before")
    statuses = [(await ask(discord, "POST", DEPLOYMENTS, {"content": "x"}))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert len(discord.channel("#deployments").messages()) == 2
