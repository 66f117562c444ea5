"""What a chat platform shows unasked: the updates to choose from, and what waits for the person who looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.app import App
from bot.console import context_of
from core.cards import Card
from core.commands import split_id
from core.completion import CompletionContext
from core.people import Account, Person
from core.ports import ArtifactProblem
from core.stages import Stage


class Audience:
    def __init__(self, app: App) -> None:
        self._app = app

    async def person(self, account: Account) -> Person | None:
        """Whose account it is, with the roles that are certain now. None for a stranger."""
        await self._app.people.refresh([account])
        person = self._app.people.find(account)
        return person and self._app.viewer.seen(person)

    async def updates(self, account: Account) -> Sequence[str]:
        """The ids of ALPHA's updates, newest first; none for somebody who may not look.

        Where ALPHA cannot be read there are none either, which `servers` explains.
        """
        person = await self.person(account)
        if person is None or not person.known:
            return ()
        try:
            return list(dict.fromkeys(file.id for file in await self._app.parts.source.updates()))
        except ArtifactProblem:
            return ()

    def hears(self, account: Account, domain: str, groups: frozenset[str]) -> None:
        """The platform has said it unasked: of the groups that begin with `domain` it is in exactly these."""
        self._app.people.hear(account, domain, groups)

    async def completion(self, account: Account) -> CompletionContext:
        """What can be typed now, in a chat; nothing for somebody who may not look."""
        person = await self.person(account)
        if person is None or not person.roles:
            return CompletionContext()
        return replace(await context_of(self._app), shell=False)

    async def card(self, name: str) -> Card | None:
        """The card of a deployment as it is now; None where there is none of that name."""
        d = await self._app.parts.store.deployment(*split_id(name))
        drawn = None if d is None else await self._app.viewer.card(d.key)
        return None if drawn is None else drawn[0]

    async def waiting(self, person: Person) -> Sequence[Card]:
        """The cards of the deployments in which this person's vote would count, oldest first."""
        asked = [d for d in await self._app.parts.store.active() if d.stage is Stage.AWAITING_APPROVAL]
        mine = [d.key for d in asked if person.id in await self._app.viewer.could_vote(d.key)]
        drawn = [await self._app.viewer.card(key) for key in mine]
        return [found[0] for found in drawn if found is not None]
