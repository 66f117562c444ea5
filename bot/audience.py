"""What a chat platform shows unasked: the updates to choose from, and what waits for the person who looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.app import App
from bot.console import context_of
from core.cards import Card
from core.commands import split_id
from core.completion import CompletionContext
from core.people import Person
from core.policy import approvers
from core.ports import ArtifactProblem
from core.stages import Stage


class Audience:
    def __init__(self, app: App) -> None:
        self._app = app

    async def updates(self) -> Sequence[str]:
        """The ids of ALPHA's updates, newest first; none where ALPHA cannot be read, which `servers` explains."""
        try:
            return list(dict.fromkeys(file.id for file in await self._app.parts.source.updates()))
        except ArtifactProblem:
            return ()

    async def completion(self) -> CompletionContext:
        """What can be typed now, in a chat."""
        return replace(await context_of(self._app), shell=False)

    async def card(self, name: str) -> Card | None:
        """The card of a deployment as it is now; None where there is none of that name."""
        d = await self._app.parts.store.deployment(*split_id(name))
        drawn = None if d is None else await self._app.viewer.card(d.key)
        return None if drawn is None else drawn[0]

    async def waiting(self, person: Person) -> Sequence[Card]:
        """The cards of the deployments in which this person's vote would count, oldest first."""
        parts = self._app.parts
        mine = [
            d
            for d in await parts.store.active()
            if d.stage is Stage.AWAITING_APPROVAL and approvers(d, [person], parts.policy)
        ]
        drawn = [await self._app.viewer.card(d.key) for d in mine]
        return [found[0] for found in drawn if found is not None]
