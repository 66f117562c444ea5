"""Draws a deployment's card from what is stored now, with the progress that only this process knows."""

from __future__ import annotations

from collections.abc import Callable

from bot.gather import Gatherer
from core.cards import Card
from core.people import Person
from core.policy import approvers, awaited
from core.state import Deployment
from core.views.card import Progress, deployment_card


class Viewer:
    def __init__(self, gatherer: Gatherer, zone: str) -> None:
        self._gather = gatherer
        self._zone = zone
        self._progress: dict[str, Progress] = {}
        self._listeners: list[Callable[[Deployment], None]] = []

    async def card(self, key: str) -> tuple[Card, int] | None:
        """The card, and the version of the deployment that it shows. None where there is no such deployment."""
        facts = await self._gather.for_deployment(key)
        if facts is None or facts.deployment is None:
            return None
        return deployment_card(facts.deployment, facts, self._zone, self._progress.get(key)), facts.deployment.version

    async def awaited(self, key: str) -> frozenset[str]:
        """The people whose vote the deployment waits for now; nobody where there is no such deployment."""
        facts = await self._gather.for_deployment(key)
        if facts is None or facts.deployment is None:
            return frozenset()
        return frozenset(person.id for person in awaited(facts.deployment, facts))

    async def could_vote(self, key: str) -> frozenset[str]:
        """The people whose vote would count for it now."""
        facts = await self._gather.for_deployment(key)
        if facts is None or facts.deployment is None:
            return frozenset()
        return frozenset(person.id for person in approvers(facts.deployment, facts))

    def seen(self, person: Person) -> Person:
        """With whether anything at all is granted to them."""
        return self._gather.seen(person)

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
