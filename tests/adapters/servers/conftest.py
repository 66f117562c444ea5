"""What the tests of the HTTP client share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from securesystemslib.signer import CryptoSigner

from adapters.artifacts.content import ContentStore
from adapters.servers.client import HttpAgents
from adapters.servers.failures import Patience
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from core.state import Server, ServerRole

TOKEN = "tok-5f1c9d0e7a3b4c6d"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTS = ("127.0.0.1", "localhost", "public.example")


def server(url: str, role: ServerRole = "public", key: str | None = None) -> Server:
    return Server(role, "main", "staging", url, "eve", NOW, key)


async def loopback_only(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore.open(tmp_path / "store")


Make = Callable[..., HttpAgents]


@pytest.fixture
async def make(store: ContentStore) -> AsyncIterator[Make]:
    """Clients with a token for the given origins; all are closed in the end."""
    made: list[HttpAgents] = []

    def agents(
        *origins: str,
        keys: Mapping[str, str] | None = None,
        resolve: Callable[[str, int], object] = loopback_only,
        ca_file: Path | None = None,
        patience: Patience | None = None,
        signer: CryptoSigner | None = None,
    ) -> HttpAgents:
        credentials = {origin: Credential(SecretStr(TOKEN), (keys or {}).get(origin)) for origin in origins}
        guard = Guard(HOSTS.__contains__, resolve)  # type: ignore[arg-type]  # tests give resolvers of many kinds
        one = HttpAgents(credentials, signer or CryptoSigner.generate_ed25519(), store, guard, ca_file, patience)
        made.append(one)
        return one

    yield agents
    for one in made:
        await one.close()
