"""What this workspace is to the bot: its secrets, its ids, and where people may act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

PLATFORM = "slack"
PATH = "/slack/events"
"""Where Slack sends its requests, in HTTP mode."""


@dataclass(frozen=True, slots=True)
class Setup:
    """From settings. Ids are Slack's own: team `T…`, app `A…`, channels `C…`."""

    bot_token: SecretStr
    app_token: SecretStr
    """For Socket Mode; empty in HTTP mode."""
    signing_secret: SecretStr
    """For HTTP; empty in Socket Mode."""
    team: str
    app: str
    home: str
    """The channel that gets the cards of what is begun in a direct message."""
    channels: frozenset[str]
    """Where changes may be asked for; the home channel is one of them."""
    groups: frozenset[str] = frozenset()
    """The user groups that give roles."""
    mode: Literal["socket", "http"] = "socket"
    api_url: str = "https://slack.com/api/"

    @property
    def home_address(self) -> str:
        return address(self.home)


def address(channel: str) -> str:
    """`slack:C0123`: a channel as the rest of the bot names it."""
    return f"{PLATFORM}:{channel}"


def channel_of(address_: str) -> str:
    """The channel's own id, out of its address."""
    return address_.removeprefix(f"{PLATFORM}:")
