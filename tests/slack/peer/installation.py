"""The app as it is installed in the workspace: tokens, what they were granted, what it listens to."""

from __future__ import annotations

from dataclasses import dataclass, field

SCOPES = frozenset({
    "commands", "chat:write", "app_mentions:read", "channels:read", "groups:read", "im:read", "im:write", "im:history",
    "channels:history", "groups:history", "users:read", "users:read.email", "usergroups:read", "files:write",
})  # fmt: skip
EVENTS = frozenset({"app_mention", "message.im", "app_home_opened"})


@dataclass
class Installation:
    bot_token: str = "xoxb-1-acme"
    app_token: str = "xapp-1-acme"
    signing_secret: str = "8f742231b10e8888abcd99aabbccdd85"
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    events: set[str] = field(default_factory=lambda: set(EVENTS))
    should_escape: bool = True
    """Whether people, channels and links in a slash command's text arrive as `<@U1|ann>`, `<#C1|ops>`, `<http://x>`."""
    revoked: str | None = None
    """The code that the bot's token is answered with from now on: account_inactive, token_revoked …"""
