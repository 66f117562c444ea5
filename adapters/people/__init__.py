"""People as the settings list them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.people import Account, Person, Role, with_viewing


class SettingsPeople:
    """Resolves accounts to the people of the settings.

    An account that nobody lists is its own person with the roles `unlisted`, named by platform and id, since display
    names can be chosen freely; with no such roles it is a stranger. The id of an unlisted person has a colon, which
    no listed one can have, so that nobody passes for somebody else.
    """

    def __init__(self, people: Iterable[Person], unlisted: Iterable[Role] = (), time_zone: str = "UTC") -> None:
        """Raises ValueError where two people share an id or an account: then one human had two votes."""
        self._by_id: dict[str, Person] = {}
        self._by_account: dict[Account, Person] = {}
        self._unlisted = with_viewing(unlisted)
        self._time_zone = time_zone
        for person in people:
            self._add(person)

    def find(self, account: Account) -> Person | None:
        """The person that owns `account`, or None for a stranger."""
        return self._by_account.get(account) or self._nobody_in_particular(account)

    def get(self, id: str) -> Person | None:  # noqa: A002 - the word of the port
        """The person with this id, or None."""
        platform, colon, account = id.partition(":")
        if colon:
            return self._nobody_in_particular(Account(platform, account))
        return self._by_id.get(id)

    def all(self) -> Sequence[Person]:
        """Everyone who is listed, in the order of the settings: whom a refusal can name as able to help."""
        return tuple(self._by_id.values())

    def _add(self, person: Person) -> None:
        if ":" in person.id or person.id in self._by_id:
            raise ValueError(f"the person {person.id!r} needs an id of their own, without a colon")
        self._by_id[person.id] = person
        for account in person.accounts:
            other = self._by_account.setdefault(account, person)
            if other is not person:
                raise ValueError(f"the {account.platform} account {account.id} is both {other.id}'s and {person.id}'s")

    def _nobody_in_particular(self, account: Account) -> Person | None:
        if not self._unlisted or account in self._by_account:
            return None
        label = f"{account.platform}:{account.id}"
        return Person(
            label,
            label,
            self._unlisted,
            accounts=(account,),
            time_zone=self._time_zone,
            roles_from="the settings, [roles]",
        )
