"""The agents on the servers, over HTTP: what the bot asks of Public and of OMEGA."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from adapters.servers.agent import HttpAgent
from adapters.servers.failures import Declined, Garbled, Patience
from adapters.servers.guard import Guard, PinnedTransport
from adapters.servers.link import Credential, Link, origin_of
from core.ports import ArtifactStore, Probe, ServerFault
from core.release.signing import Signs
from core.release.wire import About
from core.state import Server


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """The system's authorities and those of `ca_file`. Raises ValueError with a sentence where it is unreadable."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # an ssl.SSLError is one too
            raise ValueError(f"servers.ca_file: {ca_file} cannot be read as certificates (PEM): {error}") from error
    return context


class HttpAgents:
    """Clients of servers. One connection pool per address; nothing of the environment decides where they connect."""

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        signer: Signs,
        store: ArtifactStore,
        guard: Guard,
        ca_file: Path | None = None,
        patience: Patience | None = None,
        older: Callable[[], Sequence[Signs]] = tuple,
    ) -> None:
        """`credentials` by origin, as settings list them. Raises ValueError where `ca_file` cannot be used.

        `older`: the bot's other keys that are valid now; they sign releases too, for agents that know only them.
        """
        self._credentials = {origin_of(origin): credential for origin, credential in credentials.items()}
        self._signer = signer
        self._older = older
        self._store = store
        self._guard = guard
        self._tls = tls_context(ca_file)
        self._patience = patience or Patience()
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._agents: dict[Server, HttpAgent] = {}

    def at(self, server: Server) -> HttpAgent:
        if server not in self._agents:
            credential = self._credentials.get(origin_of(server.url))
            key = credential.public_key if credential and credential.public_key else server.public_key
            link = Link(self._client(server.url), server.name, server.url, credential, self._patience)
            self._agents[server] = HttpAgent(link, server, key, self._signer, self._older, self._store)
        return self._agents[server]

    async def probe(self, url: str) -> Probe:
        """Ask what answers there, with the token that settings hold for its origin, if any. `detail` says why not."""
        try:
            credential = self._credentials.get(origin_of(url))
            link = Link(self._client(url), httpx.URL(url).host, url, credential, self._patience)
            return Probe("agent", about=await link.ask("GET", "/v1/about", About, anyone=True))
        except Declined as declined:  # its sentence may hold words of whoever answered
            return Probe("other", detail=_answered(httpx.URL(url).host, declined.status))
        except Garbled as garbled:
            return Probe("other", detail=str(garbled))
        except ServerFault as fault:
            return Probe("nothing", detail=str(fault))
        except httpx.InvalidURL:
            return Probe("nothing", detail="the address is no web address")

    async def close(self) -> None:
        clients = list(self._clients.values())
        self._clients.clear()
        self._agents.clear()
        for client in clients:
            await client.aclose()

    def _client(self, url: str) -> httpx.AsyncClient:
        origin = origin_of(url)
        if origin not in self._clients:
            inner = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
            self._clients[origin] = httpx.AsyncClient(
                transport=PinnedTransport(self._guard, inner),
                trust_env=False,
                follow_redirects=False,
                headers={"User-Agent": "ashat", "Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._clients[origin]


def _answered(host: str, status: int) -> str:
    if status == 401:
        return f"{host} wants a token, and settings hold none for this origin that it knows"
    return f"{host} answered GET /v1/about with {status}"
