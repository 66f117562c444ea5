"""The team of the tests, and what one of them says."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from adapters.people import SettingsPeople
from core.commands import Seen
from core.people import Account, Person, Role, with_viewing
from core.ports import Door, Incoming, Reply

PLATFORM = "chat"
HOME = f"{PLATFORM}:deployments"
_deliveries = count(1)


def person(name: str, *roles: Role, platform: str = PLATFORM) -> Person:
    """`Alice Ng` has the id `alice` and one account."""
    key = name.split()[0].lower()
    return Person(key, name, with_viewing(roles), accounts=(Account(platform, f"U-{key}"),))


TEAM = (
    person("Alice Ng", "deployer"),
    person("Bo Li", "deployer", "approver"),
    person("Cy Roe", "approver"),
    person("Eve Poe", "deployer", "approver", "admin"),
    person("Vi Day", "viewer"),
)


def people(team: Iterable[Person] = TEAM) -> SettingsPeople:
    return SettingsPeople(team)


class Speaker:
    """One account in front of the door."""

    def __init__(self, door: Door, account: Account, channel: str = HOME) -> None:
        self._door = door
        self._account = account
        self._channel = channel

    async def says(self, text: str, *, delivery: str | None = None, seen: Seen | None = None) -> Reply:
        """Say it, and give what they are told."""
        message = self.message(text, delivery, seen)
        await self._door.submit(message)
        return await self._door.answer(message)

    async def is_cut_off_saying(self, text: str) -> None:
        """It was accepted, and the program ended before it was carried out."""
        assert await self._door.submit(self.message(text))

    def message(self, text: str, delivery: str | None = None, seen: Seen | None = None) -> Incoming:
        delivery = delivery or f"d{next(_deliveries)}"
        return Incoming(self._account.platform, delivery, self._account, self._channel, text, seen)
