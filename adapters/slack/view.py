"""What Slack can ask of the bot, besides what people say to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.cards import Card
from core.people import Account, Person


class View(Protocol):
    async def person(self, account: Account) -> Person | None:
        """Whose account it is, with the roles that are certain now. None for a stranger."""

    async def updates(self, account: Account) -> Sequence[str]:
        """The ids of ALPHA's updates, newest first; none for somebody who may not look."""

    async def waiting(self, person: Person) -> Sequence[Card]:
        """The cards of the deployments that wait for this person's vote."""
