"""Who acts: one human is one person, however many accounts on however many platforms are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["viewer", "deployer", "approver", "admin"]
Pings = Literal["direct", "thread"]
"""How somebody is told of what they should do: by a direct message, or by their name in the deployment's thread."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where a command came from. `id` is the platform's own stable id, never a display name; `shell` uses the uid."""

    platform: str
    id: str


@dataclass(frozen=True, slots=True)
class Person:
    """`time_zone` is an IANA name. A `shared` person is a team's account: it acts within its roles, and has no vote."""

    id: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    accounts: tuple[Account, ...] = ()
    time_zone: str = "UTC"
    shared: bool = False
    pings: Pings = "direct"
    roles_from: str = ""
    """Where the roles come from, where that is not the settings' entry of this person."""
    granted: bool = False
    """Whether a grant gives them roles for some components or servers, beside these."""
    unsure: str = ""
    """Why the groups that they may be in could not be asked; no role of those counts then."""

    @property
    def origin(self) -> str:
        return self.roles_from or f"the settings, [people.{self.id}]"

    @property
    def known(self) -> bool:
        """Whether they have any role anywhere: nobody else is told a name or an id."""
        return bool(self.roles) or self.granted


@dataclass(frozen=True, slots=True)
class Grant:
    """Roles for people and groups (`@security`), for some components and servers. What is empty means all of them."""

    to: tuple[str, ...]
    roles: frozenset[Role]
    components: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """`public`, or a region of OMEGA."""

    def to_person(self, person: Person) -> bool:
        return person.id in self.to or any(f"@{group}" in self.to for group in person.groups)

    def holds(self, component: str | None, place: str | None) -> bool:
        """Whether it reaches these; None is any of them."""
        return (component is None or not self.components or component in self.components) and (
            place is None or not self.servers or place in self.servers
        )

    @property
    def where(self) -> str:
        """`main on eu`, `every component`."""
        what = ", ".join(self.components) if self.components else "every component"
        return f"{what} on {', '.join(self.servers)}" if self.servers else what


@dataclass(frozen=True, slots=True)
class Group:
    """Whoever is in one of `places` (platform, and the group's own id there) is in it, and has its roles."""

    name: str
    roles: frozenset[Role]
    places: frozenset[tuple[str, str]]

    def is_on(self, platform: str) -> bool:
        return any(where == platform for where, _ in self.places)


def with_viewing(roles: Iterable[Role]) -> frozenset[Role]:
    """Whoever may act may look. Nothing else is implied: an admin neither deploys nor approves by being one."""
    given = frozenset(roles)
    return given | {"viewer"} if given else given


def in_groups(person: Person, groups: Iterable[Group], *, votes: bool) -> Person:
    """`person` with what `groups` give. `votes` False: neither approver nor admin, whatever they say."""
    found = list(groups)
    refused = frozenset[Role]() if votes else frozenset[Role](("approver", "admin"))
    given = {group.name: group.roles - refused for group in found if group.roles - refused}
    origins = [f"the group {name}: {', '.join(sorted(roles))}" for name, roles in given.items()]
    if person.roles and origins:
        origins.append(f"{person.origin}: {', '.join(sorted(person.roles))}")
    return replace(
        person,
        roles=with_viewing(person.roles.union(*given.values())),
        groups=person.groups | {group.name for group in found},
        roles_from="; ".join(origins) or person.roles_from,
    )
