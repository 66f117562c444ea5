"""From an OMEGA's settings to its fleet."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from agent.fleet.distributions import Patience
from agent.fleet.omega import Fleet
from agent.fleet.ports import Now, Said, StoredArtifacts
from agent.fleet.registry import Licence
from agent.settings import AgentSettings, MainframeEntry
from core.release.wire import EnvelopeJson

REGISTRY_NAME = "fleet.sqlite3"


class OmegaHost(Protocol):
    """What the fleet needs of OMEGA's own host."""

    @property
    def artifacts(self) -> StoredArtifacts: ...

    def trusted_as(self, envelope: EnvelopeJson, name: str, model: type[Said]) -> Said: ...


async def open_fleet(settings: AgentSettings, host: OmegaHost, now: Now) -> Fleet:
    """The fleet of the OMEGA that `settings` describe. Raises as `Fleet.open` does."""
    licences = [licence(entry) for entry in settings.mainframes]
    patience = Patience(
        online_within=timedelta(seconds=settings.online_within),
        receipt_timeout=timedelta(seconds=settings.receipt_timeout),
    )
    return await Fleet.open(settings.data / REGISTRY_NAME, licences, host.artifacts, host.trusted_as, now, patience)


def licence(entry: MainframeEntry) -> Licence:
    return Licence(
        name=entry.name,
        owner=entry.owner,
        tier=entry.tier,
        until=entry.licence_until,
        revoked=entry.revoked,
        public_key=entry.public_key,
        token_sha256=entry.token_sha256,
    )
