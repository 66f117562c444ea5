"""Who acts: one human is one person, however many accounts on however many platforms are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


def with_viewing(roles: Iterable[Role]) -> frozenset[Role]:
    """Whoever may act may look. Nothing else is implied: an admin neither deploys nor approves by being one."""
    given = frozenset(roles)
    return given | {"viewer"} if given else given
