"""Slack, where the settings switch it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from bot.settings import Settings, SettingsError, SlackSecrets, slack_secrets
from core.ports import Clock

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from adapters.slack.platform import SlackPlatform
    from adapters.slack.setup import Setup
    from bot.app import App
    from bot.audience import Audience
    from bot.doctor.finding import Level


def slack_of(settings: Settings, clock: Clock) -> SlackPlatform | None:
    """Slack, where the settings switch it on. Raises SettingsError where something that it needs is missing."""
    secrets = slack_secrets(settings)
    if secrets is None:
        return None
    try:
        from adapters.slack.platform import SlackPlatform
    except ImportError as error:
        raise SettingsError("Slack needs more packages: install ashat with the extra slack, ashat[slack].") from error
    return SlackPlatform(_slack_setup(settings, secrets), clock, settings.servers.allows)


def _slack_setup(settings: Settings, secrets: SlackSecrets) -> Setup:
    from adapters.slack.setup import Setup

    slack = settings.slack
    assert slack.home is not None, "secrets are given only where the home channel is set"
    return Setup(
        bot_token=secrets.bot_token,
        app_token=secrets.app_token,
        signing_secret=secrets.signing_secret,
        team=slack.team,
        app=slack.app,
        home=slack.home,
        channels=frozenset({slack.home, *slack.channels}),
        mode=slack.mode,
        api_url=slack.api_url,
        groups=frozenset(id_ for group in settings.groups.values() for id_ in group.slack),
    )


def open_slack(app: App, slack: SlackPlatform, view: Audience) -> Mapping[str, ASGIApp]:
    ingress = slack.open(app.door, view)
    app.attach(slack)
    if ingress is None:
        return {}
    from adapters.slack.ingress import PATH

    return {PATH: ingress}


def slack_manifest(mode: Literal["socket", "http"], url: str) -> str:
    """The app to make in Slack, as YAML."""
    from adapters.slack.manifest import manifest

    return manifest(mode, url)


async def slack_findings(settings: Settings, clock: Clock) -> Sequence[tuple[Level, str, str]]:
    """What the doctor has to say of Slack; nothing where it is not switched on. Raises SettingsError."""
    slack = slack_of(settings, clock)
    if slack is None:
        return ()
    from adapters.slack.inspection import inspect

    try:
        return await inspect(slack.workspace)
    finally:
        await slack.close()
