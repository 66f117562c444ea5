"""The app that Ashat is in Slack: exactly the scopes and events that the code uses, each with what for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from adapters.slack.setup import PATH

SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hear a message that begins with the mention",
    "channels:history": "find a post whose answer was lost, before posting again, in public channels",
    "channels:read": "see whether a public channel is archived, or shared with another organisation",
    "chat:write": "post and edit cards, and answer",
    "commands": "hear /deploy",
    "groups:history": "find a post whose answer was lost, in private channels",
    "groups:read": "see whether a private channel is archived or shared",
    "im:history": "hear direct messages, and find a lost post there",
    "im:write": "open a direct conversation with the person who is asked",
    "usergroups:read": "see who is in the user groups that give roles",
    "users:read": "tell full members from guests, bots and deleted accounts",
}
"""Bot scope to what it is for. `ashat doctor` compares them with what was granted."""
EVENTS: Mapping[str, str] = {
    "app_home_opened": "draw the Home tab",
    "app_mention": "a command by mention",
    "message.im": "a command by direct message",
}


def manifest(mode: Literal["socket", "http"], url: str = "") -> str:
    """YAML for "Create an app from a manifest". `url`: the public address of the bot, in HTTP mode."""
    return "\n".join(_yaml(described(mode, url))) + "\n"


def described(mode: Literal["socket", "http"], url: str = "") -> dict[str, Any]:
    """https://docs.slack.dev/reference/app-manifest"""
    request = {} if mode == "socket" else {"request_url": f"{url.rstrip('/')}{PATH}"}
    options = {} if mode == "socket" else {"message_menu_options_url": request["request_url"]}
    command = {
        "command": "/deploy", "description": "Carry an update to production", "usage_hint": "help",
        "should_escape": True, **({"url": request["request_url"]} if request else {}),
    }  # fmt: skip
    return {
        "display_information": {"name": "Ashat", "description": "Deployments that a team can trust"},
        "features": {
            "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True,
                         "messages_tab_read_only_enabled": False},
            "bot_user": {"display_name": "ashat", "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**request, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **request, **options},
            "org_deploy_enabled": False,
            "socket_mode_enabled": mode == "socket",
            "token_rotation_enabled": False,
        },
    }  # fmt: skip


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Block style; scalars as JSON writes them, which YAML reads as the same."""
    items = value.items() if isinstance(value, dict) else [(None, one) for one in value]
    for key, below in items:
        lead = f"{indent}- " if key is None else f"{indent}{key}:"
        if isinstance(below, dict) and key is None:
            first, *rest = _yaml(below, f"{indent}  ")
            yield from (f"{lead}{first.strip()}", *rest)
        elif isinstance(below, dict | list):
            yield lead
            yield from _yaml(below, f"{indent}  ")
        else:
            yield f"{lead}{'' if key is None else ' '}{json.dumps(below)}"
