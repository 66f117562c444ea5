"""What the peer answers and what discord.py asks, against Discord's own document; and that this check can fail.

Collected only where the environment names a copy of the document. There, every other test with a peer is held against
it at its end, too, for all that was said in it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.discord.echo import at_work
from tests.discord.peer.contract import contract
from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import APP, GUILD
from tests.discord.peer.site import Call
from tests.discord.raw import COMMANDS, DEPLOY, DEPLOYMENTS, PUSH, ask


async def said(discord: Discord) -> Call:
    """A good exchange, to be spoilt."""
    await ask(discord, "POST", DEPLOYMENTS, {"content": "hello"})
    return discord.watch.calls[-1]


async def test_every_answer_of_the_peer(discord: Discord) -> None:
    await ask(discord, "PUT", COMMANDS, [DEPLOY])
    _, card = await ask(discord, "POST", DEPLOYMENTS, {"content": "x"}, files={"log.txt": b"x"})
    _, thread = await ask(discord, "POST", f"{DEPLOYMENTS}/{card['id']}/threads", {"name": "v1"})
    await ask(discord, "POST", f"/channels/{thread['id']}/messages", {
        "content": "x", "message_reference": {"message_id": "1", "fail_if_not_exists": False}})  # fmt: skip
    await discord.alice.says("@ashat hello", to=discord.channel("#deployments").messages()[0])
    _, made = await ask(discord, "POST", COMMANDS, {**DEPLOY, "name": "other"})
    await ask(discord, "PATCH", f"{COMMANDS}/{made['id']}", {"description": "Another"})
    await ask(discord, "DELETE", f"{COMMANDS}/{made['id']}")
    await ask(discord, "PATCH", f"/channels/{thread['id']}", {"archived": True})
    await ask(discord, "POST", "/users/@me/channels", {"recipient_id": discord.bo.id})
    for path in (
        "/users/@me", "/applications/@me", "/oauth2/applications/@me", "/gateway", "/gateway/bot", "/users/@me/guilds",
        f"/users/{discord.bo.id}", f"/guilds/{GUILD}", f"/guilds/{GUILD}/channels", f"/guilds/{GUILD}/roles",
        f"/guilds/{GUILD}/members/{discord.bo.id}", f"/guilds/{GUILD}/members/{APP}", f"/guilds/{GUILD}/threads/active",
        DEPLOYMENTS, f"{DEPLOYMENTS}/{card['id']}", "/channels/400000000000000001", f"/channels/{thread['id']}",
        COMMANDS, f"{COMMANDS}/{discord.commands.all(GUILD)[0]['id']}",
    ):  # fmt: skip
        status, _ = await ask(discord, "GET", path)
        assert status == 200, path
    refused = await ask(discord, "POST", DEPLOYMENTS, {"content": "x" * 3000})
    assert refused[0] == 400
    await ask(discord, "DELETE", f"{DEPLOYMENTS}/{card['id']}")
    assert not discord.watch.faults


async def test_a_library_bot_says_nothing_wrong(discord: Discord) -> None:
    async with at_work(discord):
        await discord.alice.looks_for("push", "update", "v")
        await discord.alice.slash("push", update="v1")
        card = discord.channel("#deployments").card("v1")
        await discord.bo.clicks("Reject", on=card)
        await discord.bo.submits(Reason="no")
        await discord.bo.clicks("Approve", on=card)
        await discord.until(lambda: card.edits)
    assert len(discord.watch.calls) > 6
    assert not discord.watch.faults


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"path": "/channels/400000000000000001/missives"}, "no such operation"),
        ({"query": {"frobnicate": "1"}}, "unknown query frobnicate"),
        ({"body": {"content": 7}}, "request: ['content']"),
        ({"body": {"components": [{"type": 99}]}}, "request: ['components', 0]"),
        ({"status": 302}, "are expected"),
        ({"answer": {"id": "1"}}, "answer 200"),
        ({"answer": None}, "answer 200"),
    ],
)
async def test_it_finds_what_is_wrong(discord: Discord, spoilt: dict[str, object], words: str) -> None:
    held = contract()
    assert held
    call = await said(discord)
    assert held.faults(call) == []
    assert words in "; ".join(held.faults(replace(call, **spoilt)))  # type: ignore[arg-type]


async def test_a_nested_command_is_what_it_should_be(discord: Discord) -> None:
    group = {"type": 2, "name": "policy", "description": "Rules", "options": [PUSH]}
    status, made = await ask(discord, "PUT", COMMANDS, [{**DEPLOY, "options": [group]}])
    assert status == 200
    assert made[0]["options"][0]["options"][0]["options"][0]["autocomplete"] is True
