"""The roles public, omega and mainframe: what each does with a host, and what each answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Never, assert_never

from starlette.applications import Starlette

from agent import __version__
from agent.api.app import build_app
from agent.api.auth import Doorman
from agent.api.endpoint import Endpoint
from agent.api.endpoints import desired_endpoints, download_endpoint, host_endpoints, slot_endpoints, upload_endpoints
from agent.api.openapi import openapi_endpoint
from agent.clock import utc_now
from agent.host import Host
from agent.ownership import OwnKey
from agent.settings import AgentSettings
from agent.slots.environment import user_named
from core.release.wire import About


@dataclass(frozen=True)
class Parts:
    """What every role has."""

    settings: AgentSettings
    host: Host
    key: OwnKey

    def about(self) -> About:
        return About(
            version=__version__,
            role=self.settings.role,
            name=self.settings.name,
            region=self.settings.region,
            platform_version=self.settings.platform_version,
            public_key=self.key.public_text,
            now=utc_now(),
        )


def _nothing() -> None:
    """What most roles do at the signal to stop."""


@dataclass(frozen=True)
class Duties:
    """What a role does: `stopping` is called at the signal, before requests are waited for; `beside` never ends."""

    endpoints: Sequence[Endpoint]
    stopping: Callable[[], None] = _nothing
    beside: Coroutine[Any, Any, Never] | None = None

    def app(self, settings: AgentSettings, bot_token: str | None) -> Starlette:
        """The endpoints and their document, for those whom `settings` know; `bot_token` is the hash of the bot's, and
        without one no bot is let in."""
        mainframes = {entry.name: entry.token_sha256 for entry in settings.mainframes}
        revoked = [entry.name for entry in settings.mainframes if entry.revoked]
        return build_app([*self.endpoints, openapi_endpoint(self.endpoints)], Doorman(bot_token, mainframes, revoked))


async def duties_of(parts: Parts, running: AsyncExitStack) -> Duties:
    """Begin what the role of `parts` has; `running` ends it. What one role alone needs is imported here."""
    host = parts.host
    common = (*host_endpoints(host, parts.about), *upload_endpoints(host))
    match parts.settings.role:
        case "public":
            staging = await _staging(parts, running)
            return Duties((*common, download_endpoint(host), *desired_endpoints(host), *staging))
        case "omega":
            from agent.fleet.routes import fleet_endpoints
            from agent.fleet.start import open_fleet

            fleet = await open_fleet(parts.settings, host, utc_now)
            running.push_async_callback(fleet.close)
            host.keep(fleet.digests_in_use)
            return Duties((*common, *desired_endpoints(host), *fleet_endpoints(fleet)), fleet.stop)
        case "mainframe":
            from agent.fleet.mainframe import run_mainframe

            following = run_mainframe(parts.settings, host, parts.key.signer)
            return Duties((*common, download_endpoint(host)), beside=following)
    assert_never(parts.settings.role)


async def _staging(parts: Parts, running: AsyncExitStack) -> Sequence[Endpoint]:
    from agent.api.verification_endpoints import verification_endpoints
    from agent.checks.verifications import Verifications

    host, settings = parts.host, parts.settings
    run_as = user_named(settings.slot_user)
    verifications = Verifications(settings.data / "verifications", parts.key, settings.checks, utc_now, run_as)
    await verifications.resume(host.slot_target_soon, host.current_target)
    running.push_async_callback(verifications.close)

    async def withdrawn(slot: str) -> None:
        await verifications.stop(slot, f"the slot {slot} was withdrawn")

    return (*slot_endpoints(host, withdrawn), *verification_endpoints(host, verifications))
