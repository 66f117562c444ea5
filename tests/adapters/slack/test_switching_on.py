"""Slack is there where settings switch it on, and says what is missing where they do so by halves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import keys, wiring
from bot.cli import program
from bot.settings import SettingsError, parse, slack_secrets
from bot.web import CannotListen, Web
from core.stages import Stage
from tests.adapters.slack.world import workspace
from tests.bot.support.clock import MovedClock
from tests.slack.peer.slack import Slack

SLACK = """
[slack]
mode = "http"
team = "T0ACME"
app = "A0ASHAT"
home = "C0DEPLOY"
api_url = "{api}"

[http]
listen = "127.0.0.1:0"

[people.alice]
name = "Alice Ng"
slack = "U0ALICE"
roles = ["deployer"]
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ASHAT_")]:
        monkeypatch.delenv(name)


def test_without_a_token_there_is_no_slack(tmp_path: Path) -> None:
    settings = parse("", tmp_path / "config.toml")
    assert slack_secrets(settings) is None
    assert wiring.slack_of(settings, MovedClock()) is None


def test_with_a_token_everything_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASHAT_SLACK_BOT_TOKEN", "xapp-wrong-one")
    with pytest.raises(SettingsError) as caught:
        slack_secrets(parse("", tmp_path / "config.toml"))
    said = str(caught.value)
    for word in ("xoxb-", "xapp-", "team", "app", "home"):
        assert word in said
    assert "wrong-one" not in said


def test_ids_and_addresses_are_checked_and_secrets_never_stand_in_the_file() -> None:
    for line in (
        'home = "deployments"', 'team = "acme"', 'api_url = "http://slack.example/"', 'bot_token = "xoxb-1"',
    ):  # fmt: skip
        with pytest.raises(SettingsError):
            parse(f"[slack]\n{line}\n")


async def test_the_bot_as_built_from_settings_answers_in_slack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with Slack() as slack:
        monkeypatch.setenv("ASHAT_SLACK_BOT_TOKEN", slack.installation.bot_token)
        (tmp_path / "secret").write_text(slack.installation.signing_secret)
        text = SLACK.format(api=slack.api_url).replace(
            "[http]", f'signing_secret_file = "{tmp_path / "secret"}"\n[http]'
        )
        (tmp_path / "data").mkdir()
        settings = parse(text, tmp_path / "config.toml")
        keys.new(settings.ashat.key_file)
        app = await wiring.build(settings, dict, chats=True)
        assert list(app.parts.channels) == ["slack"]
        await app.start()
        try:
            web = next(part for part in app._attached if isinstance(part, Web))
            slack.by_http(f"http://127.0.0.1:{web.port}/slack/events")
            await slack.alice.types("/deploy whoami")
            await slack.until(lambda: slack.ephemeral(to=slack.alice))
            assert "Alice Ng" in slack.ephemeral(to=slack.alice)[0].text
        finally:
            await app.stop()


async def test_an_address_in_use_is_said_in_a_sentence() -> None:
    first = Web("127.0.0.1:0", {})
    await first.start()
    try:
        with pytest.raises(CannotListen, match="Set \\[http\\] listen"):
            await Web(f"127.0.0.1:{first.port}", {}).start()
    finally:
        await first.stop()


async def test_a_subscribed_channel_gets_the_card_from_its_stage_on() -> None:
    routes = parse('[[routes]]\nchannel = "slack:C0OPS"\nstages = ["awaiting_approval", "completed"]\n').all_routes()
    async with workspace(routes=routes) as world:
        slack = world.slack
        world.ships("v1")
        await slack.alice.types("/deploy push v1 'Fixes'")
        await world.settles()
        assert slack.channel("#ops").messages() == []
        await slack.alice.types("/deploy verify v1")
        await world.reaches("v1", Stage.AWAITING_APPROVAL)
        await world.settles()
        card = slack.channel("#ops").card("v1")
        await slack.bo.clicks("Approve", on=card)
        await world.reaches("v1", Stage.COMPLETED)
        await world.settles()
        assert "Completed" in slack.channel("#ops").messages()[0].text
        assert any("v1 is complete" in message.text for message in slack.thread(card))


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASHAT_SLACK_BOT_TOKEN", "xoxb-1-acme")
    config = tmp_path / "config.toml"
    config.write_text("")
    shown = CliRunner().invoke(program, ["doctor", "--config", str(config)])
    assert shown.exit_code == 1
    assert "[slack] home is missing" in shown.stdout
    assert "app-level token is missing" in shown.stdout
