"""Settings in, a bot out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.settings import Settings
from bot.wiring.discord import discord_of, open_discord
from bot.wiring.parts import SystemClock, agents_of, artifacts_of, policy_of, source_of, store_of
from bot.wiring.slack import open_slack, slack_of
from core.ports import Channel, Clock, People

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from adapters.discord.platform import DiscordPlatform
    from adapters.slack.platform import SlackPlatform
    from bot.app import App


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a console of its own has differently: who its speakers are, and whether they may approve their own push."""

    people: People | None = None
    own_push: bool | None = None
    edit_gap: float | None = None


async def build(
    settings: Settings, channels: Callable[[], Mapping[str, Channel]], overrides: Overrides = Overrides(),
    clock: Clock | None = None, *, chats: bool = False,
) -> App:  # fmt: skip
    """A bot that is not started yet. Raises SettingsError, KeyFileError or StoreUnusable, each with its sentence.

    `chats`: with the chat platforms that the settings switch on; a console or a demo has its own instead.
    """
    from adapters.people import SettingsPeople
    from bot import keys
    from bot.app import App, Parts

    clock = clock or SystemClock()
    slack = slack_of(settings, clock) if chats else None
    discord = discord_of(settings, clock) if chats else None
    chats_on = [platform for platform in (slack, discord) if platform is not None]
    chat_channels: list[Channel] = [platform.channel for platform in chats_on]
    people = overrides.people or SettingsPeople(settings.persons(), settings.roles.default, settings.ashat.time_zone)
    artifacts = artifacts_of(settings)
    agents = agents_of(settings, artifacts)
    policy = policy_of(settings, overrides.own_push, tuple(one.setup.home_address for one in chats_on))
    parts = Parts(
        store=await store_of(settings, clock),
        people=people,
        clock=clock,
        policy=policy,
        source=source_of(settings),
        artifacts=artifacts,
        agents=agents,
        channels={**channels(), **{channel.platform: channel for channel in chat_channels}},
        signer=keys.Ring(settings.ashat.key_file),
        groups=settings.all_groups(),
        memberships=[platform.memberships for platform in chats_on],
        strangers_vote=policy.highest_quorum == 1 and (slack is None or discord is None),
    )
    app = App(parts, settings, edit_gap=overrides.edit_gap)
    _open(app, slack, discord)
    return app


def _open(app: App, slack: SlackPlatform | None, discord: DiscordPlatform | None) -> None:
    """The chats, and one HTTP server for all that is asked from outside."""
    from bot.audience import Audience

    view = Audience(app)
    paths: dict[str, ASGIApp] = {}
    if slack is not None:
        paths |= open_slack(app, slack, view)
    if discord is not None:
        paths |= open_discord(app, discord, view)
    called = any(platform is not None and platform.setup.mode == "http" for platform in (slack, discord))
    if called or app.settings.http.health:
        from bot.web import Web

        app.attach(Web(app.settings.http.listen, paths))
