"""Who may do what, where. Roles hold everywhere (`[people]`), or for some components and servers (`[[grants]]`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from core.commands import Spec
from core.people import Person, Role, with_viewing
from core.policy.rules import Policy

EVERY = "*"
"""As a component or place: what concerns all of them, so that a grant for some does not reach it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an act concerns. None and no places: a role held anywhere is enough. Places are `public` and regions."""

    component: str | None = None
    places: tuple[str, ...] = ()


ANYWHERE = Scope()
ADMIN: frozenset[Role] = frozenset({"admin"})
APPROVER: frozenset[Role] = frozenset({"approver"})


def roles_in(person: Person, policy: Policy, component: str | None = None, place: str | None = None) -> frozenset[Role]:
    """The person's roles for a component at a place; None stands for any, so that roles held anywhere are in it."""
    granted: set[Role] = {
        role for grant in policy.grants if grant.to_person(person) and grant.holds(component, place)
        for role in grant.roles
    }  # fmt: skip
    if ":" in person.id:
        granted -= ADMIN | APPROVER  # whom the settings do not list neither approves nor administers by a group
    return with_viewing(person.roles | granted)


def holds(person: Person, wanted: Collection[Role], policy: Policy, scope: Scope = ANYWHERE) -> bool:
    """Whether the person has one of the roles at every place that is concerned."""
    places = scope.places or (None,)
    return all(not roles_in(person, policy, scope.component, place).isdisjoint(wanted) for place in places)


def may(person: Person, spec: Spec, policy: Policy, scope: Scope = ANYWHERE) -> bool:
    """Whether one of the person's roles allows the command there. Nobody without a role may read."""
    return holds(person, spec.roles, policy, scope)


def who_may(people: Iterable[Person], spec: Spec, policy: Policy, scope: Scope = ANYWHERE) -> list[Person]:
    """Everybody who may give the command there, by name."""
    return by_name(person for person in people if may(person, spec, policy, scope))


def admins(people: Iterable[Person], policy: Policy, scope: Scope = ANYWHERE) -> list[Person]:
    return by_name(person for person in people if holds(person, ADMIN, policy, scope))


def by_name(people: Iterable[Person]) -> list[Person]:
    return sorted(people, key=lambda person: person.name)


def names(people: Sequence[Person], joint: str = "or") -> str:
    """`Bo Li, Cy Roe or Di Fox`; `nobody` where there is none."""
    found = [person.name for person in people]
    if len(found) < 2:
        return found[0] if found else "nobody"
    return f"{', '.join(found[:-1])} {joint} {found[-1]}"
