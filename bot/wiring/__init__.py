"""The only place that knows every part: settings in, a bot out.

Adapters are imported where they are built: a command of the shell needs the socket's client, and no database.
"""

from bot.wiring.bot import Overrides, build
from bot.wiring.discord import discord_findings, discord_invitation, discord_of
from bot.wiring.here import Chat, Listener, Page, claimed, expected, players, playground, room, shell, terminal
from bot.wiring.parts import (
    SystemClock,
    agents_of,
    artifacts_of,
    database_file,
    policy_of,
    servers_in,
    source_of,
    store_at,
    store_of,
)
from bot.wiring.slack import slack_findings, slack_manifest, slack_of

__all__ = [
    "Chat",
    "Listener",
    "Overrides",
    "Page",
    "SystemClock",
    "agents_of",
    "artifacts_of",
    "build",
    "claimed",
    "database_file",
    "discord_findings",
    "discord_invitation",
    "discord_of",
    "expected",
    "players",
    "playground",
    "policy_of",
    "room",
    "servers_in",
    "shell",
    "slack_findings",
    "slack_manifest",
    "slack_of",
    "source_of",
    "store_at",
    "store_of",
    "terminal",
]
