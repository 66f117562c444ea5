"""What Discord can ask of the bot, and tell it, besides what people say to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.cards import Card
from core.completion import CompletionContext
from core.people import Account, Person


class View(Protocol):
    async def person(self, account: Account) -> Person | None:
        """Whose account it is, with the roles that are certain now. None for a stranger."""

    def hears(self, account: Account, domain: str, groups: frozenset[str]) -> None:
        """The platform has said it unasked: of the groups that begin with `domain` it is in exactly these."""

    async def updates(self, account: Account) -> Sequence[str]:
        """The ids of ALPHA's updates, newest first; none for somebody who may not look."""

    async def completion(self, account: Account) -> CompletionContext:
        """What can be typed now; nothing for somebody who may not look."""

    async def card(self, name: str) -> Card | None:
        """The card of a deployment as it is now; None where there is none of that name."""
