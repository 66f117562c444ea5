"""What every bot has: its clock, its rules, its memory, its files, and the servers that it talks to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings import Settings, token_of
from bot.settings.sections import Component
from core.policy import CheckRule, Policy
from core.ports import Agents, ArtifactSource, ArtifactStore, Clock, Store
from core.state import Server

if TYPE_CHECKING:
    from adapters.store.backup import DatabaseFile


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def policy_of(settings: Settings, own_push: bool | None = None, homes: tuple[str, ...] = ()) -> Policy:
    """The team's rules, as core wants them. `homes`: the home channels of the chats that are switched on."""
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
        homes=homes,
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


def artifacts_of(settings: Settings, *, only_look: bool = False) -> ArtifactStore:
    """What deployments ship. `only_look`: nothing is added, and so nothing is made ready for it. Raises OSError."""
    from adapters.artifacts.content import ContentStore

    return (ContentStore if only_look else ContentStore.open)(settings.ashat.artifacts)


def source_of(settings: Settings) -> ArtifactSource:
    """ALPHA."""
    from adapters.artifacts.folder import FolderSource

    return FolderSource(settings.alpha.folder, settings.alpha.name)


async def store_of(settings: Settings, clock: Clock) -> Store:
    """The bot's memory, opened. Raises StoreUnusable."""
    from adapters.store.sql import SqlStore

    return await SqlStore.open(settings.ashat.database_url.get_secret_value(), clock)


def servers_in(settings: Settings) -> Sequence[Server]:
    """The configured servers, by a look that changes nothing; it blocks. Raises StoreUnusable."""
    from adapters.store.looking import servers_in

    return servers_in(settings.ashat.database_url.get_secret_value())


async def store_at(file: Path, clock: Clock) -> Store:
    """A SQLite file, opened and brought up to date. Raises StoreUnusable."""
    from adapters.store.sql import SqlStore

    return await SqlStore.open(f"sqlite:///{file}", clock)


def database_file(path: Path) -> DatabaseFile:
    """A SQLite file, to be copied, looked into or replaced."""
    from adapters.store.backup import DatabaseFile

    return DatabaseFile(path)
