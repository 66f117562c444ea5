"""The only place that knows every part: settings in, a bot out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.artifacts.content import ContentStore
from adapters.artifacts.folder import FolderSource
from adapters.people import SettingsPeople
from adapters.servers.client import HttpAgents
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from adapters.store.sql import SqlStore
from bot import keys
from bot.app import App, Parts
from bot.settings import Settings, token_of
from core.policy import CheckRule, Policy
from core.ports import Channel, Clock, People


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
        quorum=work.quorum,
        quorum_by_component=dict(work.quorum_by_component),
        own_push=work.own_push if own_push is None else own_push,
        verification_timeout=work.verification_timeout,
        verification_ttl=work.verification_ttl,
        staging_timeout=work.staging_timeout,
        deploy_timeout=work.deploy_timeout,
        receipt_timeout=work.receipt_timeout,
        watch=work.watch,
        max_failed_mainframes=work.max_failed_mainframes,
        max_active_per_person=work.max_active_per_person,
        max_staged_bytes=work.max_staged_bytes,
        allow_http_omega=settings.servers.allow_http_omega,
        min_platform_version=settings.servers.min_platform_version,
    )


def agents_of(settings: Settings, artifacts: ContentStore) -> HttpAgents:
    """Clients of the servers. Raises KeyFileError where the bot's key cannot be read."""
    credentials = {
        agent.origin: Credential(token_of(agent).get_secret_value(), agent.public_key) for agent in settings.agents
    }
    guard = Guard(settings.servers.allows)
    return HttpAgents(credentials, keys.load(settings.ashat.key_file), artifacts, guard, settings.servers.ca_file)


async def build(
    settings: Settings, channels: Callable[[], Mapping[str, Channel]], overrides: Overrides = Overrides(),
    clock: Clock | None = None,
) -> App:  # fmt: skip
    """A bot that is not started yet. Raises SettingsError, KeyFileError or StoreUnusable, each with its sentence."""
    clock = clock or SystemClock()
    people = overrides.people or SettingsPeople(settings.persons(), settings.roles.default, settings.ashat.time_zone)
    artifacts = ContentStore(settings.ashat.data / "artifacts")
    parts = Parts(
        store=await SqlStore.open(settings.ashat.database_url.get_secret_value(), clock),
        people=people,
        clock=clock,
        policy=policy_of(settings, overrides.own_push),
        source=FolderSource(settings.alpha.folder, settings.alpha.name),
        artifacts=artifacts,
        agents=agents_of(settings, artifacts),
        channels=channels(),
        signer=keys.load(settings.ashat.key_file),
    )
    return App(parts, settings, edit_gap=overrides.edit_gap)
