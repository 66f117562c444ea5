"""Who is who, and what time it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from core.people import Account, Person


class Clock(Protocol):
    """The only source of the time."""

    def now(self) -> datetime: ...


class People(Protocol):
    """Who is who. Asked when it counts, never remembered across commands."""

    def find(self, account: Account) -> Person | None:
        """The person that owns `account`, or None for a stranger."""

    def get(self, id: str) -> Person | None:  # noqa: A002 - the word of the domain
        """The person with this id, or None."""

    def all(self) -> Sequence[Person]: ...


class Memberships(Protocol):
    """The groups of one platform. Asked when it counts; what is not known for sure gives nobody a role.

    Groups and accounts are named by the platform's own ids. Both methods raise ChannelDown where nobody can say.
    """

    @property
    def platform(self) -> str: ...

    async def of(self, account: Account) -> frozenset[str]:
        """The groups that `account` is in now; none for a stranger."""

    async def members(self, group: str) -> frozenset[str] | None:
        """The ids of the accounts in it, none where there is no such group; None where the platform lists nobody."""
