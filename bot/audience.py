"""What a chat platform shows unasked: the updates to choose from, and what waits for the person who looks."""

from __future__ import annotations

from collections.abc import Sequence

from bot.app import App
from core.cards import Card
from core.people import Person
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

    async def waiting(self, person: Person) -> Sequence[Card]:
        """The cards of the deployments in which this person's vote would count, oldest first."""
        asked = [d for d in await self._app.parts.store.active() if d.stage is Stage.AWAITING_APPROVAL]
        drawn = [await self._app.viewer.card(d.key) for d in asked if await self._app.viewer.asks(d.key, person)]
        return [found[0] for found in drawn if found is not None]
