"""The manifest asks for what the code uses and nothing else; the doctor compares it with what was granted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adapters.slack.inspection import inspect
from adapters.slack.manifest import EVENTS, SCOPES, described, manifest
from bot.cli import program
from tests.adapters.slack.world import SlackWorld

ADAPTER = Path(__file__).parents[3] / "adapters" / "slack"
METHODS = {
    "auth_test": (), "chat_postEphemeral": ("chat:write",), "chat_postMessage": ("chat:write",),
    "chat_update": ("chat:write",), "conversations_history": ("channels:history", "groups:history", "im:history"),
    "conversations_info": ("channels:read", "groups:read"), "conversations_open": ("im:write",),
    "conversations_replies": ("channels:history", "groups:history", "im:history"), "users_info": ("users:read",),
    "usergroups_users_list": ("usergroups:read",),
    "views_open": (), "views_publish": (),
}  # fmt: skip
"""Each method that the adapter calls, and the scopes that Slack's reference names for it."""


def test_the_scopes_are_those_of_the_methods_and_events_in_the_code() -> None:
    code = "\n".join(path.read_text() for path in ADAPTER.glob("*.py"))
    called = set(re.findall(r"client\.((?:auth|chat|conversations|usergroups|users|views)_\w+)", code))
    assert called == METHODS.keys()
    needed = {scope for method in called for scope in METHODS[method]} | {"commands", "app_mentions:read"}
    assert needed == SCOPES.keys()
    listened = set(re.findall(r'app\.event\("(\w+)"\)', code))
    assert listened == {name.partition(".")[0] for name in EVENTS}


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_it_is_the_yaml_of_what_is_described(mode: Any) -> None:
    read = yaml.safe_load(manifest(mode, "https://ashat.example.com/"))
    assert read == described(mode, "https://ashat.example.com/")
    settings = read["settings"]
    assert settings["socket_mode_enabled"] == (mode == "socket")
    assert ("request_url" in settings["interactivity"]) == (mode == "http")
    assert len(read["display_information"]["description"]) <= 140


def test_the_command_prints_it() -> None:
    shown = CliRunner().invoke(program, ["slack", "manifest", "--mode", "http", "--url", "https://a.example"])
    assert yaml.safe_load(shown.stdout)["features"]["slash_commands"][0]["url"] == "https://a.example/slack/events"
    assert CliRunner().invoke(program, ["slack", "manifest", "--mode", "http"]).exit_code == 2


async def test_the_doctor_looks_at_token_and_channels(world: SlackWorld) -> None:
    world.slack.installation.scopes = set(SCOPES)
    found = {what: level for level, what, _ in await inspect(world.platform.workspace)}
    assert found["Slack: the token is of T0ACME, with all 11 scopes."] == "ok"
    assert found["Slack channel C0DEPLOY (home): #deployments can be posted to."] == "ok"
    assert found["Slack user group S0OPS: 2 members."] == "ok"
    assert found["Slack user group S0NONE: nobody is in it, or it does not exist."] == "warn"
    assert found["Slack channel C0ATTIC: #attic is archived."] == "fail"
    assert found["Slack channel C0SHARED: #shared is shared with another organisation."] == "fail"


async def test_the_doctor_names_a_missing_scope_with_what_it_is_for(world: SlackWorld) -> None:
    world.slack.installation.scopes = set(SCOPES) - {"users:read"}
    level, what, _ = (await inspect(world.platform.workspace))[0]
    assert level == "fail"
    assert "users:read (to tell full members" in what


async def test_the_doctor_says_that_the_token_was_revoked(world: SlackWorld) -> None:
    world.slack.installation.revoked = "token_revoked"
    assert [(level, "revoked" in what) for level, what, _ in await inspect(world.platform.workspace)] == [
        ("fail", True)
    ]


def test_the_guide_says_what_each_scope_and_event_is_for() -> None:
    guide = (ADAPTER.parents[1] / "docs" / "slack.md").read_text()
    for scope, purpose in SCOPES.items():
        assert f"| `{scope}` | {purpose} |" in guide
    for event, purpose in EVENTS.items():
        assert f"`{event}` ({purpose})" in guide
