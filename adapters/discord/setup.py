"""What this application is on Discord: its secret, its ids, and where people may act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

PLATFORM = "discord"
PATH = "/discord/interactions"
"""Where Discord sends interactions, in HTTP mode."""
API_URL = "https://discord.com/api/v10"
GATEWAY_URL = "wss://gateway.discord.gg"


@dataclass(frozen=True, slots=True)
class Setup:
    """From settings. Ids are Discord's own, of digits only."""

    token: SecretStr
    application: str
    guilds: frozenset[str]
    home: str
    """The channel that gets the cards of what is begun in a direct message."""
    channels: frozenset[str]
    """Where changes may be asked for; the home channel is one of them."""
    mode: Literal["gateway", "http"] = "gateway"
    groups: frozenset[str] = frozenset()
    """The roles that settings name, as `<server>/<role>`."""
    public_key: str = ""
    """For HTTP: the application's Ed25519 key, hexadecimal."""
    api_url: str = API_URL
    gateway_url: str = GATEWAY_URL
    quiet: float = 15.0
    """Seconds without a word from the gateway after which it is asked whether it is there."""
    patience: float = 5.0
    """Seconds that it may take to answer; then it is taken to be gone."""
    hold: float = 5.0
    """Seconds between two questions whether the gateway is this replica's."""
    backoff: float = 1.0
    """Seconds before the second try to reach the gateway; each further one waits up to twice as long."""
    longest: float = 120.0
    """Seconds between two tries, at most: Discord allows 1000 sessions to be begun in a day."""

    @property
    def home_address(self) -> str:
        return address(self.home)


def address(channel: str) -> str:
    """`discord:80351110224678912`: a channel as the rest of the bot names it."""
    return f"{PLATFORM}:{channel}"


def channel_of(address_: str) -> str:
    """The channel's own id, out of its address."""
    return address_.removeprefix(f"{PLATFORM}:")
