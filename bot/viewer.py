"""Draws a deployment's card from what is stored now, with the progress that only this process knows."""

from __future__ import annotations

from collections.abc import Callable

from bot.gather import Gatherer
from core.cards import Card
from core.people import Person
from core.policy import approvers
from core.state import Deployment
from core.views.deployment import Progress, deployment_card


class Viewer:
    def __init__(self, gatherer: Gatherer, zone: str) -> None:
        self._gather = gatherer
        self._zone = zone
        self._progress: dict[str, Progress] = {}
        self._listeners: list[Callable[[Deployment], None]] = []

    async def card(self, key: str) -> tuple[Card, int] | None:
        """The card, and the version of the deployment that it shows. None where there is no such deployment."""
        facts = await self._gather.for_deployment(key, "")
        if facts is None or facts.deployment is None:
            return None
        return deployment_card(facts.deployment, facts, self._zone, self._progress.get(key)), facts.deployment.version

    async def asks(self, key: str, person: Person) -> bool:
        """Whether the deployment waits for this person's vote."""
        facts = await self._gather.for_deployment(key, "")
        if facts is None or facts.deployment is None:
            return False
        return person.id in {one.id for one in approvers(facts.deployment, facts)}

    def progressed(self, d: Deployment, what: str, done: int, total: int) -> None:
        """An upload goes on; it is forgotten once it is whole."""
        if done >= total:
            self._progress.pop(d.key, None)
        else:
            self._progress[d.key] = Progress(what, done, total)
        for listener in self._listeners:
            listener(d)

    def listen(self, listener: Callable[[Deployment], None]) -> None:
        """Have `listener` told of each deployment whose card would show more progress now."""
        self._listeners.append(listener)
