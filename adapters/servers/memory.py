"""Servers in memory, for tests of the whole workflow: they keep and refuse what agents do, and tests script the rest.

Nothing here waits. What is asked for is under way until the next call to the server, which finds it finished, unless
the server is `slow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from securesystemslib.signer import CryptoSigner

from adapters.servers.link import origin_of
from adapters.servers.memory_agent import MemoryAgent, MemoryOmega, MemoryPublic, Surroundings, When
from adapters.servers.memory_fleet import MemoryMainframe
from adapters.servers.memory_host import Effect
from core.ports import Clock, Probe, ServerFault
from core.state import DEFAULT_REGION, Server

__all__ = ["Effect", "MemoryAgent", "MemoryAgents", "MemoryMainframe", "MemoryOmega", "MemoryPublic", "When"]


class MemoryAgents:
    """All servers there are, by origin. `content` gives a stored artifact's bytes, or raises ArtifactProblem."""

    def __init__(self, clock: Clock, content: Callable[[str], bytes], signer: CryptoSigner | None = None) -> None:
        self._around = Surroundings(clock, content, signer or CryptoSigner.generate_ed25519())
        self._agents: dict[str, MemoryAgent] = {}
        self._others: set[str] = set()

    def public(self, url: str = "http://127.0.0.1:9101", name: str = "staging") -> MemoryPublic:
        """Put a Public server there."""
        agent = MemoryPublic(name, url, self._around)
        self._agents[origin_of(url)] = agent
        return agent

    def omega(
        self,
        url: str = "http://127.0.0.1:9201",
        name: str = "production",
        region: str = DEFAULT_REGION,
        mainframes: Iterable[MemoryMainframe] = (),
        online_within: float = 90.0,
        receipt_timeout: float = 300.0,
    ) -> MemoryOmega:
        """Put an OMEGA there."""
        agent = MemoryOmega(name, url, self._around, region, mainframes, online_within, receipt_timeout)
        self._agents[origin_of(url)] = agent
        return agent

    def something_else(self, url: str) -> None:
        """Put a server there that is no agent."""
        self._others.add(origin_of(url))

    def at(self, server: Server) -> MemoryAgent:
        """The agent at the server's address; where there is none, one that never answers."""
        found = self._agents.get(origin_of(server.url))
        if found is None:
            found = MemoryAgent(server.role, server.name, server.url, self._around)
            found.down()
        return found

    async def probe(self, url: str) -> Probe:
        origin = origin_of(url)
        if origin in self._others:
            return Probe("other", detail=f"{origin} answered GET /v1/about with 404")
        if origin not in self._agents:
            return Probe("nothing", detail=f"{origin} refuses connections: nothing listens at its address")
        try:
            return Probe("agent", about=await self._agents[origin].about())
        except ServerFault as fault:
            return Probe("nothing", detail=str(fault))

    async def close(self) -> None:
        """Nothing is open."""
