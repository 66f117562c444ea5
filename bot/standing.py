"""Who people are now: what the settings say of them, and what their groups on the platforms give them.

Whoever the settings list keeps the roles that they give, whatever a platform says. A group's roles count only while it
is certain that the person is in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.groups import PlatformGroups
from core.people import Account, Group, Person, in_groups
from core.ports import Clock, Memberships, People


class Standing:
    """Implements core.ports.People: what it gives is certain now. `known` is for what is shown."""

    def __init__(
        self, people: People, groups: Sequence[Group], memberships: Iterable[Memberships], clock: Clock, *,
        zone: str = "UTC", strangers_vote: bool = True,
    ) -> None:  # fmt: skip
        """`strangers_vote`: whether people whom nobody lists may approve or administer at all."""
        self._people = people
        self._groups = groups
        self._zone = zone
        self._strangers_vote = strangers_vote
        self._platforms: dict[str, PlatformGroups] = {}
        for one in memberships:
            places = {place for group in groups for platform, place in group.places if platform == one.platform}
            if places:
                self._platforms[one.platform] = PlatformGroups(one, places, clock)

    # -- people, as far as it is certain now ---------------------------------------------------------------------------

    def find(self, account: Account) -> Person | None:
        person = self._found(account)
        return person and self._certain(person)

    def get(self, id: str) -> Person | None:  # noqa: A002 - the word of the port
        platform, colon, account = id.partition(":")
        person = self._found(Account(platform, account)) if colon else self._people.get(id)
        return person and self._certain(person)

    def all(self) -> Sequence[Person]:
        """Everyone who is listed, and whoever a platform has named as being in a group."""
        return [self._certain(person) for person in self._everybody()]

    def known(self) -> Sequence[Person]:
        """The same by what was last heard, however long ago: to be shown, and never to decide by."""
        return [self._with_groups(person, certain=False) for person in self._everybody()]

    def unsure(self, people: Iterable[Person]) -> frozenset[str]:
        """The ids of those whose groups would have to be asked before it is certain what they may."""
        return frozenset(person.id for person in people if self._uncertain(person))

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        """Whether any platform has a say in who may what."""
        return bool(self._platforms)

    async def refresh(self, accounts: Iterable[Account], *, everybody: bool = False) -> None:
        """Make it certain who these are; `everybody`: and everyone else whose vote may count."""
        wanted = [*accounts]
        if everybody:
            wanted += [account for person in self._everybody() for account in person.accounts]
        await asyncio.gather(*(
            one.ask([account.id for account in wanted if account.platform == one.platform], everybody=everybody)
            for one in self._platforms.values()
        ))  # fmt: skip

    def hear(self, account: Account, domain: str, groups: frozenset[str]) -> None:
        """What a platform has said unasked: of its groups that begin with `domain` the account is in exactly these."""
        if account.platform in self._platforms:
            self._platforms[account.platform].hear(account.id, domain, groups)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _found(self, account: Account) -> Person | None:
        return self._people.find(account) or self._newcomer(account)

    def _newcomer(self, account: Account) -> Person | None:
        """Whom nobody lists: named by platform and id, since display names can be chosen freely."""
        if account.platform not in self._platforms:
            return None
        label = f"{account.platform}:{account.id}"
        return Person(label, label, frozenset(), accounts=(account,), time_zone=self._zone)

    def _everybody(self) -> Sequence[Person]:
        listed = self._people.all()
        theirs = {account for person in listed for account in person.accounts}
        members = (Account(one.platform, id_) for one in self._platforms.values() for id_ in one.members())
        found = (self._found(account) for account in members if account not in theirs)
        return (*listed, *(person for person in found if person is not None))

    def _certain(self, person: Person) -> Person:
        return self._with_groups(person, certain=True)

    def _with_groups(self, person: Person, *, certain: bool) -> Person:
        if not self._strangers_vote and ":" in person.id:
            person = replace(person, roles=person.roles - {"approver", "admin"})
        if not self._platforms:
            return person
        theirs = {(one.platform, place) for one in person.accounts for place in self._places(one, certain=certain)}
        groups = [group for group in self._groups if not group.places.isdisjoint(theirs)]
        found = in_groups(person, groups, votes=self._strangers_vote or ":" not in person.id)
        silent = {one.platform.capitalize() for one in self._uncertain(person) if self._platforms[one.platform].silent}
        if not (certain and silent):
            return found
        return replace(found, unsure=f"{' and '.join(sorted(silent))} did not say which groups you are in; try again")

    def _places(self, account: Account, *, certain: bool) -> frozenset[str]:
        groups = self._platforms.get(account.platform)
        if groups is None:
            return frozenset()
        return groups.certain(account.id) or frozenset() if certain else groups.known(account.id)

    def _uncertain(self, person: Person) -> list[Account]:
        return [
            one
            for one in person.accounts
            if one.platform in self._platforms and self._platforms[one.platform].certain(one.id) is None
        ]
