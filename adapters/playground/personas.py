"""Whom one can speak as: the people of the settings, and a guest whom they do not name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.people import Account, Person, Role
from core.ports import People

PLATFORM = "playground"
GUEST = "guest"
_ORDER: tuple[Role, ...] = ("viewer", "deployer", "approver", "admin")


@dataclass(frozen=True, slots=True)
class Persona:
    """One of those whom the page can speak as. Who has no role sees neither the channel nor the picture."""

    id: str
    name: str
    roles: tuple[str, ...]

    @property
    def may_look(self) -> bool:
        return bool(self.roles)

    @property
    def account(self) -> Account:
        return Account(PLATFORM, self.id)


def personas_of(people: People) -> Sequence[Persona]:
    """Everybody who has an account here, and the guest."""
    known = [_persona(person) for person in people.all() if Account(PLATFORM, person.id) in person.accounts]
    return (*known, Persona(GUEST, "Guest", ()))


def as_players(people: Iterable[Person]) -> tuple[Person, ...]:
    """The same people, each with an account in the playground; for a bot whose data is nobody else's."""
    return tuple(replace(person, accounts=(*person.accounts, Account(PLATFORM, person.id))) for person in people)


def _persona(person: Person) -> Persona:
    return Persona(person.id, person.name, tuple(role for role in _ORDER if role in person.roles))
