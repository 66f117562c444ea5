"""Discord is there where settings switch it on, and says what is missing where they do so by halves."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bot import keys, wiring
from bot.cli import program
from bot.settings import SettingsError, discord_token, parse
from bot.web import Web
from tests.adapters.discord.world import setup_of
from tests.bot.support.clock import MovedClock
from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import APP, GUILD, LABS

DISCORD = """
[discord]
application = "{app}"
guilds = ["{guild}", "{labs}"]
home = "{home}"
channels = ["{ops}"]
api_url = "{api}"
gateway_url = "{gateway}"

[http]
listen = "127.0.0.1:0"
health = true

[people.vi]
name = "Vi Day"
discord = "{vi}"
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ASHAT_")]:
        monkeypatch.delenv(name)


def written(discord: Discord) -> str:
    ids = {"app": APP, "guild": GUILD, "labs": LABS, "vi": discord.vi.id}
    home, ops = discord.room("#deployments").id, discord.room("#ops").id
    return DISCORD.format(**ids, home=home, ops=ops, api=discord.api_url, gateway=discord.gateway_url)


def test_without_a_token_there_is_no_discord(tmp_path: Path) -> None:
    settings = parse("", tmp_path / "config.toml")
    assert discord_token(settings) is None
    assert wiring.discord_of(settings, MovedClock()) is None


def test_with_a_token_everything_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASHAT_DISCORD_TOKEN", "wrong-one")
    with pytest.raises(SettingsError) as caught:
        discord_token(parse('[discord]\nmode = "http"', tmp_path / "config.toml"))
    said = str(caught.value)
    for word in ("two dots", "application", "guilds", "home", "public_key"):
        assert word in said
    assert "wrong-one" not in said


@pytest.mark.parametrize(
    "line",
    ['home = "deployments"', "guilds = [1]", 'api_url = "http://discord.example/"', 'token = "a.b.c"',
     'gateway_url = "ws://discord.example"', 'gateway_url = "https://discord.example"', 'public_key = "abc"'],
)  # fmt: skip
def test_ids_and_addresses_are_checked_and_secrets_never_stand_in_the_file(line: str) -> None:
    with pytest.raises(SettingsError):
        parse(f"[discord]\n{line}\n")


async def test_the_bot_as_built_from_settings_answers_and_tells_its_health(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with Discord() as discord:
        monkeypatch.setenv("ASHAT_DISCORD_TOKEN", discord.token)
        (tmp_path / "data").mkdir()
        settings = parse(written(discord), tmp_path / "config.toml")
        keys.new(settings.ashat.key_file)
        app = await wiring.build(settings, dict, chats=True)
        assert list(app.parts.channels) == ["discord"]
        await app.start()
        try:
            await discord.connected()
            await discord.until(lambda: discord.commands.all(GUILD) and discord.commands.all(LABS))
            asked = await discord.vi.slash("whoami")
            await discord.until(lambda: asked.original is not None and "viewer" in asked.original.text)
            (web,) = [part for part in app._attached if isinstance(part, Web)]
            async with httpx.AsyncClient() as client:
                told = await client.get(f"http://127.0.0.1:{web.port}/healthz/discord")
            assert (told.status_code, told.text) == (200, "connected")
        finally:
            await app.stop()
        assert discord.refusals() == []


async def test_commands_that_are_registered_are_not_registered_again() -> None:
    from adapters.discord.registration import Registration
    from adapters.discord.rest import Rest

    async with Discord() as discord:
        rest = Rest(setup_of(discord), MovedClock())
        assert await Registration(rest).bring_up(GUILD)
        assert not await Registration(rest).bring_up(GUILD)
        await rest.close()
        assert len(discord.called("PUT /applications/{id}/guilds/{id}/commands")) == 1


# -- the shell ---------------------------------------------------------------------------------------------------------


def test_the_invitation_is_a_link_for_each_server(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[discord]\napplication = "{APP}"\nguilds = ["{GUILD}", "{LABS}"]\n')
    told = CliRunner().invoke(program, ["discord", "invite", "--config", str(config)])
    assert told.exit_code == 0
    first, second = told.output.splitlines()
    assert f"client_id={APP}" in first
    assert f"guild_id={LABS}" in second
    config.write_text("")
    refused = CliRunner().invoke(program, ["discord", "invite", "--config", str(config)])
    assert refused.exit_code == 2
    assert "application is missing" in refused.output


async def test_the_doctor_looks_at_everything_that_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with Discord() as discord:
        monkeypatch.setenv("ASHAT_DISCORD_TOKEN", discord.token)
        settings = parse(written(discord), tmp_path / "config.toml")

        async def found() -> list[str]:
            return [f"{level} {what} {mend}" for level, what, mend in
                    await wiring.discord_findings(settings, MovedClock())]  # fmt: skip

        well = await found()
        assert [one for one in well if one.startswith("fail")] == []
        assert any("gateway answers" in one for one in well)
        assert any("#deployments can be posted to" in one for one in well)
        discord.channel("#ops").forbids("send_messages", "create_public_threads")
        discord.gateway.goes_away()
        ill = await found()
        assert any("lacks Send Messages (to post cards), Create Public Threads" in one for one in ill)
        assert any("gateway cannot be reached" in one for one in ill)
        discord.goes_away()
        assert any("cannot be reached" in one for one in await found())
        assert discord.refusals() == []
