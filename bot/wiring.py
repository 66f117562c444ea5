"""The only place that knows every part: settings in, a bot out.

Adapters are imported where they are built: a command of the shell needs the socket's client, and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from bot.settings import (
    Settings,
    SettingsError,
    SlackSecrets,
    discord_token,
    slack_secrets,
    sqlite_file,
    token_of,
)
from bot.settings.sections import Component
from core.cards import Card
from core.people import Person
from core.policy import CheckRule, Policy
from core.ports import Agents, ArtifactSource, ArtifactStore, Channel, Clock, Door, People, Store

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from adapters.discord.platform import DiscordPlatform
    from adapters.playground.room import Room
    from adapters.slack.platform import SlackPlatform
    from adapters.slack.setup import Setup
    from adapters.store.backup import DatabaseFile
    from bot.app import App
    from bot.audience import Audience
    from bot.doctor.finding import Level


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a console of its own has differently: who its speakers are, and whether they may approve their own push."""

    people: People | None = None
    own_push: bool | None = None
    edit_gap: float | None = None


def policy_of(settings: Settings, own_push: bool | None = None) -> Policy:
    """The team's rules, as core wants them."""
    work = settings.workflow
    standard = [
        CheckRule(check.name, kind, check.timeout, check.options)
        for kind, check in settings.checks.by_kind()
        if check.enabled
    ]
    added = [
        CheckRule(check.name, check.kind, check.timeout, check.options, check.components)
        for check in settings.checks_added
    ]
    return Policy(
        checks=(*standard, *added),
        minimum_checks={name: component.minimum_checks for name, component in settings.components.items()},
        default_minimum=Component().minimum_checks,
        quorum=work.quorum,
        grants=settings.all_grants(),
        quorum_by_component=dict(work.quorum_by_component)
        | {name: one.quorum for name, one in settings.components.items() if one.quorum is not None},
        groups=work.groups,
        groups_by_component={name: one.groups for name, one in settings.components.items() if one.groups is not None},
        countersign_within=work.countersign_within,
        windows=settings.all_windows(),
        holidays=settings.all_holidays(),
        own_push=work.own_push if own_push is None else own_push,
        verification_timeout=work.verification_timeout,
        verification_ttl=work.verification_ttl,
        staging_timeout=work.staging_timeout,
        deploy_timeout=work.deploy_timeout,
        receipt_timeout=work.receipt_timeout,
        watch=work.watch,
        reminder_after=work.reminder_after,
        escalate_after=work.escalate_after,
        escalate_to=work.escalate_to,
        max_failed_mainframes=work.max_failed_mainframes,
        max_active_per_person=work.max_active_per_person,
        max_staged_bytes=work.max_staged_bytes,
        allow_http_omega=settings.servers.allow_http_omega,
        min_platform_version=settings.servers.min_platform_version,
        routes=settings.all_routes(),
    )


def agents_of(settings: Settings, artifacts: ArtifactStore) -> Agents:
    """Clients of the servers. Raises KeyFileError where the bot's key cannot be read, SettingsError for a token."""
    from adapters.servers.client import HttpAgents
    from adapters.servers.guard import Guard
    from adapters.servers.link import Credential
    from bot import keys

    credentials = {agent.origin: Credential(token_of(agent), agent.public_key) for agent in settings.agents}
    guard, ring = Guard(settings.servers.allows), keys.Ring(settings.ashat.key_file)
    return HttpAgents(credentials, ring, artifacts, guard, settings.servers.ca_file, older=ring.older)


def artifacts_of(settings: Settings) -> ArtifactStore:
    from adapters.artifacts.content import ContentStore

    return ContentStore(settings.ashat.artifacts)


def source_of(settings: Settings) -> ArtifactSource:
    """ALPHA."""
    from adapters.artifacts.folder import FolderSource

    return FolderSource(settings.alpha.folder, settings.alpha.name)


async def store_of(settings: Settings, clock: Clock) -> Store:
    """The bot's memory, opened. Raises StoreUnusable."""
    from adapters.store.sql import SqlStore

    return await SqlStore.open(settings.ashat.database_url.get_secret_value(), clock)


async def store_at(file: Path, clock: Clock) -> Store:
    """A SQLite file, opened and brought up to date. Raises StoreUnusable."""
    from adapters.store.sql import SqlStore

    return await SqlStore.open(f"sqlite:///{file}", clock)


def database_file(path: Path) -> DatabaseFile:
    """A SQLite file, to be copied, looked into or replaced."""
    from adapters.store.backup import DatabaseFile

    return DatabaseFile(path)


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
    chat_channels: list[Channel] = [platform.channel for platform in (slack, discord) if platform is not None]
    people = overrides.people or SettingsPeople(settings.persons(), settings.roles.default, settings.ashat.time_zone)
    artifacts = artifacts_of(settings)
    agents = agents_of(settings, artifacts)
    policy = policy_of(settings, overrides.own_push)
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
        memberships=[platform.memberships for platform in (slack, discord) if platform is not None],
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
        paths |= _open_slack(app, slack, view)
    if discord is not None:
        paths |= _open_discord(app, discord, view)
    called = any(platform is not None and platform.setup.mode == "http" for platform in (slack, discord))
    if called or app.settings.http.health:
        from bot.web import Web

        app.attach(Web(app.settings.http.listen, paths))


# -- slack -------------------------------------------------------------------------------------------------------------


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


def _open_slack(app: App, slack: SlackPlatform, view: Audience) -> Mapping[str, ASGIApp]:
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


# -- discord -----------------------------------------------------------------------------------------------------------


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


def _open_discord(app: App, discord: DiscordPlatform, view: Audience) -> Mapping[str, ASGIApp]:
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


# -- the terminal ------------------------------------------------------------------------------------------------------


class Chat(Channel, Protocol):
    """The terminal's channel, with what a chat loop prints besides."""

    def spoken(self, speaker: str, text: str) -> None: ...

    def answer(self, card: Card, *, refused: bool) -> None: ...

    def tell(self, *rows: str) -> None: ...


def terminal(stream: TextIO, prompt: Callable[[], str] | None = None) -> Chat:
    """A chat on `stream`, in the machine's own time zone; `prompt` gives what is being typed there."""
    from adapters.terminal import Screen, Terminal

    return Terminal(Screen(stream, prompt=prompt), lambda: datetime.now(UTC).astimezone())


# -- the playground ----------------------------------------------------------------------------------------------------


class Page(Protocol):
    """The chat in the browser, once its room is a channel of the bot."""

    @property
    def link(self) -> str:
        """What a person opens; it holds this run's secret, so it is shown to them and never logged."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def players(people: Iterable[Person]) -> tuple[Person, ...]:
    """The people as the playground may speak for them: for data that is nobody else's."""
    from adapters.playground.personas import as_players

    return as_players(people)


def room(home: str, clock: Clock | None = None) -> Room:
    """What the playground shows: a channel to be given to the bot, at the address `home`."""
    from adapters.playground.room import Room

    return Room(home, clock or SystemClock())


def playground(app: App, shown: Room) -> Page:
    """The page for the room, not started yet. Raises PlaygroundRefused beside a real platform."""
    from adapters.playground.server import Playground
    from adapters.playground.site import Parts
    from bot.picture import PictureView

    parts = app.parts
    given = Parts(shown, app.door, parts.people, PictureView(app), parts.clock, app.settings.servers.allows)
    return Playground(given, beside=parts.channels)


# -- the shell ---------------------------------------------------------------------------------------------------------


class Listener(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@contextmanager
def claimed(settings: Settings) -> Iterator[None]:
    """The right to be the one bot of these settings' socket, and of their database where that is a file.

    Raises SocketRefused or StoreUnusable.
    """
    from adapters.shell.claim import claimed
    from adapters.store.alone import alone

    file = sqlite_file(settings)
    with claimed(settings.ashat.socket), alone(file) if file else nullcontext():
        yield


def shell(settings: Settings, door: Door, home: str) -> Listener:
    """What answers `ashat deploy`; to be started while the socket is claimed."""
    from adapters.shell.server import ShellServer

    return ShellServer(settings.ashat.socket, door, home)


def expected() -> tuple[type[Exception], ...]:
    """What stops a program at its start for a reason that its user can mend; each has its sentence."""
    from adapters.playground.refused import PlaygroundRefused
    from adapters.shell.claim import SocketRefused
    from adapters.store.database import StoreUnusable
    from bot.keys import KeyFileError
    from bot.web import CannotListen

    return (SettingsError, KeyFileError, StoreUnusable, SocketRefused, PlaygroundRefused, CannotListen)
