"""Facts for a decision: what the store, ALPHA and the servers know of it now. Reads only; core decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from core import commands as c
from core.facts import AlphaFacts, Facts
from core.people import Person
from core.policy import Policy, roles_in
from core.ports import (
    Agents,
    AlphaFile,
    ArtifactProblem,
    ArtifactSource,
    Clock,
    People,
    ServerFault,
    Store,
    Surroundings,
)
from core.release.manifest import Manifest
from core.state import Server
from core.text import nearest
from core.workflow import Writing, about

_ASKING = 3.0
"""Seconds that an answer to a person may wait for a server that only adds to it."""


class Gatherer:
    def __init__(
        self, store: Store, people: People, clock: Clock, policy: Policy, source: ArtifactSource, agents: Agents
    ) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._policy = policy
        self._source = source
        self._agents = agents

    async def for_command(self, command: Writing, asker: Person, channel: str, nonce: str) -> Facts:
        """Everything that `command` is decided by."""
        match command:
            case c.Configure(url=url):
                admin = "admin" in roles_in(asker, self._policy)
                probe = await self._agents.probe(url) if admin else None
                unfinished = tuple(await self._store.active())
                return replace(await self._facts(asker, channel, nonce), probe=probe, unfinished=unfinished)
            case c.Push():
                return await self._for_push(command, asker, channel, nonce)
            case _:
                typed = about(command)
                around = await self._store.surroundings(*c.split_id(typed or ""))
                return self.within(around, asker, channel, nonce)

    async def for_deployment(self, key: str, nonce: str) -> Facts | None:
        """What is known of one deployment, where no person asks; None where there is no such key."""
        around = await self._store.surroundings(*c.split_id(key))
        d = around.deployment
        return None if d is None else self.within(around, None, d.home, nonce)

    def within(self, around: Surroundings, asker: Person | None, channel: str, nonce: str) -> Facts:
        """What the store knows, with who there is and the rules. Pure but for the clock: for any thread."""
        return Facts(
            now=self._clock.now(),
            policy=self._policy,
            people=tuple(self._people.all()),
            servers=around.servers,
            asker=asker,
            channel=channel,
            nonce=nonce,
            deployment=around.deployment,
            lane=around.lane,
            siblings=around.siblings,
            blocks=around.blocks,
        )

    async def bare(self, asker: Person, channel: str) -> Facts:
        """What every answer needs: who there is, and which servers."""
        return await self._facts(asker, channel, "")

    async def _facts(self, asker: Person | None, channel: str, nonce: str) -> Facts:
        servers, blocks = tuple(await self._store.servers()), tuple(await self._store.blocks())
        return self.within(Surroundings(None, servers, blocks=blocks), asker, channel, nonce)

    # -- push ----------------------------------------------------------------------------------------------------------

    async def _for_push(self, command: c.Push, asker: Person, channel: str, nonce: str) -> Facts:
        before = await self._store.deployment(command.id)
        alpha = await self._alpha(command.id, asker)
        component = alpha.manifest.component if alpha.manifest else "main"
        lane, siblings = await self._store.lane(component), tuple(await self._store.active(component))
        facts = await self._facts(asker, channel, nonce)
        return replace(facts, deployment=before, lane=lane, siblings=siblings, alpha=alpha)

    async def _alpha(self, id: str, asker: Person) -> AlphaFacts:  # noqa: A002 - the word of the domain
        try:
            files = tuple(await self._source.find(id))
            if len(files) != 1:
                return AlphaFacts(files, nearest=await self._nearest(id))
        except ArtifactProblem as problem:
            return AlphaFacts(problem=f"{problem}.")
        try:
            manifest = await self._source.manifest(files[0])
        except ArtifactProblem as problem:
            return AlphaFacts(files, problem=str(problem).rstrip("."))
        return await self._all_of(files, manifest, asker)

    async def _nearest(self, id: str) -> tuple[str, ...]:  # noqa: A002 - the word of the domain
        updates = [file.id for file in await self._source.updates()]
        found = nearest(id, updates)
        return (found,) if found else tuple(updates[:1])

    async def _all_of(self, files: tuple[AlphaFile, ...], manifest: Manifest, asker: Person) -> AlphaFacts:
        active = [d for d in await self._store.active() if d.pusher == asker.id]
        return AlphaFacts(
            files=files,
            manifest=manifest,
            tested=bool(await self._store.tested(files[0].id)),
            active_by_asker=len(active),
            staged_bytes=sum(d.size for d in active),
            mainframes=await self._mainframes(await self._store.servers()),
            durations=await self._store.durations(manifest.component),
        )

    async def _mainframes(self, servers: Sequence[Server]) -> int | None:
        """How many licensed mainframes there are; None where OMEGA is not configured or does not answer in time."""
        omegas = [server for server in servers if server.role == "omega"]
        if not omegas:
            return None
        try:
            async with asyncio.timeout(_ASKING):
                fleets = [await self._agents.at(server).mainframes() for server in omegas]
        except (ServerFault, TimeoutError):
            return None
        return sum(mainframe.licensed for fleet in fleets for mainframe in fleet)
