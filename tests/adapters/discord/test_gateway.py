"""Whatever befalls the gateway, the bot lives, comes back, hears what it missed, and says how it stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from adapters.discord.health import HealthPage
from tests.adapters.discord.test_journey import answer
from tests.adapters.discord.world import DiscordWorld, servers
from tests.discord.peer.discord import Discord, NotAnswered

Trouble = Callable[[Discord], Awaitable[None]]


async def _cut(discord: Discord) -> None:
    discord.gateway.cut()


async def _asked_to_reconnect(discord: Discord) -> None:
    await discord.gateway.reconnect()


async def _closed(discord: Discord) -> None:
    await discord.gateway.close(4000)


async def _session_over(discord: Discord) -> None:
    await discord.gateway.invalidate()


async def _session_may_be_resumed(discord: Discord) -> None:
    await discord.gateway.invalidate(resumable=True)


async def _closed_for_good(discord: Discord) -> None:
    await discord.gateway.close(1000)


async def works(world: DiscordWorld) -> None:
    """People are heard, by command and by word."""
    assert "viewer" in await answer(world, await world.discord.vi.slash("whoami"))


@pytest.mark.parametrize(
    "befalls", [_cut, _asked_to_reconnect, _closed, _session_over, _session_may_be_resumed, _closed_for_good]
)
async def test_it_comes_back(world: DiscordWorld, befalls: Trouble) -> None:
    before = world.discord.gateway.connects
    await befalls(world.discord)
    await world.discord.until(lambda: world.discord.gateway.connects > before and world.discord.gateway.live)
    await works(world)
    assert world.platform.health.state == "connected"


@pytest.mark.parametrize("befalls", [_cut, _asked_to_reconnect, _closed])
async def test_a_session_that_can_be_resumed_is_and_nothing_is_missed(world: DiscordWorld, befalls: Trouble) -> None:
    discord = world.discord
    await befalls(discord)
    await discord.vi.says("@Ashat whoami")
    await discord.until(lambda: discord.dm(discord.vi).messages())
    assert discord.gateway.resumes >= 1
    assert len(discord.gateway.identifies) == 1
    assert len(discord.dm(discord.vi).messages()) == 1


async def test_a_half_open_connection_is_noticed() -> None:
    async with servers(quiet=0.3, patience=0.3) as world:
        before = world.discord.gateway.connects
        world.discord.gateway.go_silent()
        await world.discord.until(lambda: world.discord.gateway.connects > before and world.discord.gateway.live)
        assert any("does not answer" in entry["event"] for entry in world.log)
        await works(world)


async def test_a_quiet_gateway_that_answers_is_kept() -> None:
    async with servers(quiet=0.05, patience=30.0) as world:
        beats = world.discord.gateway.live[0].beats
        await world.discord.until(lambda: world.discord.gateway.live[0].beats > beats + 2)
        assert world.discord.gateway.connects == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [("INTERACTION_CREATE", {"id": None}), ("MESSAGE_CREATE", []), ("READY", {}), ("GUILD_CREATE", {}), ("NEWS", {})],
)
async def test_an_event_that_makes_no_sense_is_left_out(world: DiscordWorld, name: str, data: object) -> None:
    await world.discord.gateway.garbles(name, data)
    await works(world)
    assert world.discord.gateway.connects == 1


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", '{"op": 99}', '{"op": 10, "d": null}', '{"op": 0, "t": 5, "s": "x"}']
)
async def test_a_message_that_makes_no_sense_does_not_end_it(world: DiscordWorld, text: str) -> None:
    await world.discord.gateway.says(text)
    await works(world)


async def test_down_at_the_start_it_is_waited_for() -> None:
    async with servers() as world:
        discord = world.discord
        await world.app.stop()
        discord.goes_away()
        later = type(world.platform)(world.platform.setup, world.clock)
        later.open(world.app.door, world.view)
        await later.start()
        await discord.until(lambda: later.health.state == "down")
        discord.comes_back()
        await discord.until(lambda: later.health.state == "connected")
        await later.stop()
        await later.close()


@pytest.mark.parametrize(("code", "why"), [(4004, "token"), (4014, "intents")])
async def test_what_is_hopeless_is_said_and_tried_again(world: DiscordWorld, code: int, why: str) -> None:
    await world.discord.gateway.close(code)
    await world.discord.until(lambda: any(why in entry.get("why", "") for entry in world.log))
    assert any(entry["log_level"] == "error" and entry.get("code") == code for entry in world.log)
    await world.discord.until(lambda: world.platform.health.state == "connected")


async def test_while_it_is_away_what_is_clicked_is_not_lost_silently(world: DiscordWorld) -> None:
    world.discord.gateway.goes_away()
    world.discord.gateway.forget()
    with pytest.raises(NotAnswered):
        await world.discord.vi.slash("whoami")
    await world.discord.until(lambda: world.platform.health.state == "down")
    assert any(entry["event"] == "Discord's gateway is down" for entry in world.log)
    world.discord.gateway.comes_back()
    await world.discord.until(lambda: world.discord.gateway.live)
    await works(world)


async def test_the_health_page_says_no_more_than_the_state(world: DiscordWorld) -> None:
    page = HealthPage(lambda: world.platform.health)
    assert await _asked(page) == (200, b"connected")
    world.discord.gateway.goes_away()
    await world.discord.until(lambda: world.platform.health.state == "down")
    assert await _asked(page) == (503, b"down")
    world.discord.gateway.comes_back()


async def _asked(page: HealthPage) -> tuple[int, bytes]:
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    await page({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    return int(str(sent[0]["status"])), bytes(sent[1]["body"])  # type: ignore[call-overload]
