"""What the bot needs on a server, each with what for; and the link that asks for exactly that."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

SCOPES = ("bot", "applications.commands")
PERMISSIONS: Mapping[str, tuple[int, str]] = {
    "View Channel": (1 << 10, "see the channels that it is to post in"),
    "Send Messages": (1 << 11, "post cards"),
    "Embed Links": (1 << 14, "show the button that opens a slot"),
    "Attach Files": (1 << 15, "give texts that are longer than a message"),
    "Read Message History": (1 << 16, "find a post whose answer was lost, before posting again"),
    "Create Public Threads": (1 << 35, "open a deployment's thread"),
    "Send Messages in Threads": (1 << 38, "tell milestones there"),
}
"""Permission to its bit (https://discord.com/developers/docs/topics/permissions) and what it is for."""
ADMINISTRATOR = 1 << 3
ALL = sum(bit for bit, _ in PERMISSIONS.values())


def invitation(application: str, guild: str = "") -> str:
    """The address that a server's administrator opens; `guild` chooses the server beforehand."""
    given = {"client_id": application, "scope": " ".join(SCOPES), "permissions": str(ALL)}
    if guild:
        given |= {"guild_id": guild, "disable_guild_select": "true"}
    return f"https://discord.com/oauth2/authorize?{urlencode(given)}"
