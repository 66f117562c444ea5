"""Discord, where the settings switch it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.settings import Settings, SettingsError, discord_token, sqlite_file
from core.ports import Clock

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from adapters.discord.platform import DiscordPlatform
    from bot.app import App
    from bot.audience import Audience
    from bot.doctor.finding import Level


def discord_of(settings: Settings, clock: Clock) -> DiscordPlatform | None:
    """Discord, where the settings switch it on. Raises SettingsError where something that it needs is missing."""
    token = discord_token(settings)
    if token is None:
        return None
    try:
        from adapters.discord.platform import DiscordPlatform
    except ImportError as error:
        raise SettingsError(
            "Discord needs more packages: install ashat with the extra discord, ashat[discord]."
        ) from error
    from adapters.discord.setup import Setup as DiscordSetup

    discord = settings.discord
    assert discord.home is not None, "a token is given only where the home channel is set"
    setup = DiscordSetup(
        token=token,
        application=discord.application,
        guilds=frozenset(discord.guilds),
        home=discord.home,
        channels=frozenset({discord.home, *discord.channels}),
        mode=discord.mode,
        groups=frozenset(role for group in settings.groups.values() for role in group.discord),
        public_key=discord.public_key,
        api_url=discord.api_url,
        gateway_url=discord.gateway_url,
    )
    return DiscordPlatform(setup, clock, settings.servers.allows)


def open_discord(app: App, discord: DiscordPlatform, view: Audience) -> Mapping[str, ASGIApp]:
    """One replica has the gateway; a database of one process has no others."""
    from adapters.discord.health import PATH as HEALTH
    from adapters.discord.health import HealthPage
    from adapters.discord.setup import PATH
    from bot.turn import Turn

    alone = sqlite_file(app.settings) is not None
    turn = None if alone else Turn(app.parts.store, app.parts.clock, "discord gateway")
    ingress = discord.open(app.door, view, turn)
    app.attach(discord)
    health = HealthPage(lambda: discord.health)
    return {HEALTH: health} if ingress is None else {HEALTH: health, PATH: ingress}


def discord_invitation(settings: Settings) -> Sequence[str]:
    """The link for each listed server, or one for any. Raises SettingsError without the application's id."""
    from adapters.discord.invite import invitation

    discord = settings.discord
    if not discord.application:
        raise SettingsError("[discord] application is missing; docs/discord.md says where to find it.")
    return [invitation(discord.application, guild) for guild in discord.guilds or ("",)]


async def discord_findings(settings: Settings, clock: Clock) -> Sequence[tuple[Level, str, str]]:
    """What the doctor has to say of Discord; nothing where it is not switched on. Raises SettingsError."""
    discord = discord_of(settings, clock)
    if discord is None:
        return ()
    from adapters.discord.inspection import inspect

    try:
        addresses = (route.channel.partition(":") for route in settings.routes)
        return await inspect(discord.rest, {id_ for platform, _, id_ in addresses if platform == "discord"})
    finally:
        await discord.close()
