"""Gathers the live picture, and what completion knows, for those who look at it: reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bot.app import App
from bot.console import context_of
from core import say
from core.completion import CompletionContext
from core.ports import ArtifactProblem, ServerFault
from core.state import Deployment, Server
from core.views.picture import Picture, Place, Seen, alpha_place, digests, picture

_ASKING = 3.0
"""Seconds that a look waits for one server; the others are drawn without it."""
_BACK = 200
"""How many deployments are searched for the name of a digest that runs somewhere."""


class PictureView:
    """Looks at ALPHA and the servers. Whoever calls says how often."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._parts = app.parts
        self._names: dict[str, str] = {}
        self._strange: set[str] = set()
        """Digests that no deployment of ours has: they are searched for once."""

    async def picture(self) -> Picture:
        """Everything as it is now. A server that does not answer in time is shown so."""
        servers = await self._parts.store.servers()
        alpha, *seen = await asyncio.gather(self._alpha(), *(self._seen(server) for server in servers))
        whole = await self._parts.store.surroundings("")
        found = [one for one in seen if isinstance(one, Seen)]
        assert isinstance(alpha, Place)
        now = self._parts.clock.now()
        frozen = [block for block in whole.blocks if block.mainframe and block.stands(now)]
        return picture(alpha, found, whole.unfinished, await self._named(digests(found), whole.unfinished), frozen)

    async def completion(self) -> CompletionContext:
        return await context_of(self._app)

    async def _alpha(self) -> Place:
        name = self._app.settings.alpha.name
        try:
            return alpha_place(name, await self._parts.source.updates())
        except ArtifactProblem as problem:
            return alpha_place(name, (), str(problem))

    async def _seen(self, server: Server) -> Seen:
        agent = self._parts.agents.at(server)
        try:
            async with asyncio.timeout(_ASKING):
                state = await agent.state()
                fleet = await agent.mainframes() if server.role == "omega" else ()
        except ServerFault as fault:
            return Seen(server, problem=str(fault))
        except TimeoutError:
            return Seen(server, problem=f"no answer within {say.duration(_ASKING)}")
        return Seen(server, state, fleet)

    async def _named(self, wanted: set[str], active: Sequence[Deployment]) -> Mapping[str, str]:
        self._names |= {d.digest: d.name for d in active if d.digest}
        if wanted - self._names.keys() - self._strange:
            page = await self._parts.store.history(_BACK)
            self._names = {d.digest: d.name for d in page.deployments if d.digest} | self._names
            self._strange |= wanted - self._names.keys()
        return self._names
