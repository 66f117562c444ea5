"""Facts for a decision: what the store, ALPHA and the servers know of it now. Reads only; core decides."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.standing import Standing
from core import commands as c
from core.facts import AlphaFacts, Facts, RegistrySeen
from core.people import Person
from core.policy import Policy, may, roles_in
from core.ports import (
    Agents,
    ArtifactProblem,
    ArtifactSource,
    Clock,
    Probe,
    ServerFault,
    Store,
    Surroundings,
)
from core.state import Deployment, Server
from core.text import nearest
from core.workflow import Writing, about

_ASKING = 3.0
"""Seconds that an answer to a person may wait for a server that only adds to it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of Facts that are asked before a decision: what only ALPHA and servers can say, and what has ended."""

    leaving_out: tuple[Deployment, ...] = ()
    registries: tuple[RegistrySeen, ...] = ()
    alpha: AlphaFacts | None = None
    probe: Probe | None = None

    @property
    def component(self) -> str | None:
        """In which a deployment is to be opened, where one is."""
        if self.alpha is None:
            return None
        return self.alpha.manifest.component if self.alpha.manifest else "main"


class Gatherer:
    def __init__(
        self, store: Store, people: Standing, clock: Clock, policy: Policy, source: ArtifactSource, agents: Agents
    ) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._policy = policy
        self._source = source
        self._agents = agents

    async def asked(self, command: Writing, asker: Person) -> Asked:
        """What `command` is decided by besides what the store knows by then. Servers are probed for an admin alone."""
        match command:
            case c.Push(id=id_):
                return Asked(alpha=await self._alpha(id_))
            case c.Configure(url=url):
                return Asked(probe=await self._agents.probe(url) if self._is_admin(asker) else None)
            case c.Freeze(mainframe=str()) if self._is_admin(asker):
                return Asked(await self._leaving_out(), await self._registries())
            case _:
                return Asked() if about(command) else Asked(await self._leaving_out())

    def _is_admin(self, person: Person) -> bool:
        return "admin" in roles_in(person, self._policy)

    async def about(self, typed: str, asker: Person, channel: str) -> Facts:
        """What the store knows of the deployment that `typed` names, or of production as a whole where it is empty."""
        return self.within(await self._store.surroundings(*c.split_id(typed)), asker, channel)

    async def _leaving_out(self) -> tuple[Deployment, ...]:
        lanes = await self._store.lanes()
        keys = [lane.leaves_out for lane in lanes if lane.leaves_out]
        found = [await self._store.deployment(*c.split_id(key)) for key in keys]
        return tuple(d for d in found if d is not None and d.ended)

    async def _registries(self) -> tuple[RegistrySeen, ...]:
        omegas = [server for server in await self._store.servers() if server.role == "omega"]
        return tuple(await asyncio.gather(*(self._registry(server) for server in omegas)))

    async def _registry(self, server: Server) -> RegistrySeen:
        try:
            async with asyncio.timeout(_ASKING):
                fleet = await self._agents.at(server).mainframes()
        except (ServerFault, TimeoutError):
            return RegistrySeen(server.region, None)
        return RegistrySeen(server.region, tuple(one.name for one in fleet))

    async def for_deployment(self, key: str) -> Facts | None:
        """What is known of one deployment, where no person asks; None where there is no such key."""
        around = await self._store.surroundings(*c.split_id(key))
        d = around.deployment
        return None if d is None else self.shown(d, self.within(around, None, d.home))

    def shown(self, d: Deployment, facts: Facts) -> Facts:
        """`facts` about `d` with everybody by what was last heard, which may be shown though it is not certain now."""
        return replace(facts, people=self._involved(d, None, self._heard(d))) if self._people.asks else facts

    def _heard(self, d: Deployment) -> Sequence[Person]:
        """By what was last heard. Of a voter of whom nothing was: that they might, when they did."""
        voted = {vote.person for vote in d.votes}
        people = self._people.known()
        unsure = self._people.unsure(people) & voted
        return [replace(one, roles=one.roles | {"approver"}) if one.id in unsure else one for one in people]

    def within(self, around: Surroundings, asker: Person | None, channel: str, asked: Asked = Asked()) -> Facts:
        """What the store knows, with who there is and the rules. Pure but for clock and nonce: for any thread."""
        people = self._involved(around.deployment, asker, self._people.all())
        return Facts(
            now=self._clock.now(),
            policy=self._policy,
            people=people,
            unsure=self._people.unsure(people),
            servers=around.servers,
            asker=asker,
            channel=channel,
            nonce=secrets.token_urlsafe(18),
            unfinished=around.unfinished,
            lanes=around.lanes,
            leaving_out=asked.leaving_out,
            registries=asked.registries,
            alpha=asked.alpha,
            probe=asked.probe,
            deployment=around.deployment,
            lane=around.lane,
            siblings=around.siblings,
            blocks=around.blocks,
        )

    def _involved(self, d: Deployment | None, asker: Person | None, people: Sequence[Person]) -> tuple[Person, ...]:
        """`people`, with those who have to do with it and are nobody whom the settings list."""
        ids = {person.id for person in people}
        others = {vote.person for vote in d.votes} | {d.pusher} if d else set()
        others |= {d.emergency.person} if d and d.emergency else set()
        found = [self._people.get(id_) for id_ in sorted(others - ids)]
        mine = () if asker is None or asker.id in ids | others or ":" not in asker.id else (asker,)
        return (*people, *(person for person in found if person is not None), *mine)

    def may_hang_on_groups(self, person: Person, command: c.Command) -> bool:
        """Whether groups could give them what the command asks for: it is not enough what they may without them."""
        granted = any(name.startswith("@") for grant in self._policy.grants for name in grant.to)
        writes = isinstance(command, Writing)
        return (writes and granted) or not may(person, c.spec_of(command), self._policy)

    def seen(self, person: Person) -> Person:
        """With whether anything at all is granted to them."""
        return replace(person, granted=bool(roles_in(person, self._policy)))

    # -- push ----------------------------------------------------------------------------------------------------------

    async def _alpha(self, id: str) -> AlphaFacts:  # noqa: A002 - the word of the domain
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
        return AlphaFacts(
            files=files,
            manifest=manifest,
            tested=bool(await self._store.tested(files[0].id)),
            mainframes=await self._mainframes(await self._store.servers()),
            durations=await self._store.durations(manifest.component),
        )

    async def _nearest(self, id: str) -> tuple[str, ...]:  # noqa: A002 - the word of the domain
        updates = [file.id for file in await self._source.updates()]
        found = nearest(id, updates)
        return (found,) if found else tuple(updates[:1])

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
