"""Who is in the demo: eight servers, the owners of the mainframes, and the people who deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Role = Literal["public", "omega", "mainframe"]


@dataclass(frozen=True)
class Part:
    """A server: its name and role, and the ports that it has where they are free."""

    name: str
    role: Role
    port: int
    """Of the agent."""
    front_port: int
    """Of the front door, where people see what it runs."""


@dataclass(frozen=True)
class Licence:
    """Whose a mainframe is. `lasts` counts from the demo's start; a negative one has run out."""

    owner: str
    tier: Literal["standard", "server-owner"] = "standard"
    lasts: timedelta = timedelta(days=365)


@dataclass(frozen=True)
class Person:
    name: str
    roles: tuple[str, ...]


LICENCES: Mapping[str, Licence] = {
    "m1": Licence("Aster Labs", "server-owner"),
    "m2": Licence("Birch & Sons", "server-owner"),
    "m3": Licence("Cedar Ltd"),
    "m4": Licence("Dune Works"),
    "m5": Licence("Elm Media"),
    "m6": Licence("Fjord Data", lasts=timedelta(days=-30)),
}

PARTS: tuple[Part, ...] = (
    Part("public", "public", 9101, 8101),
    Part("omega", "omega", 9102, 8102),
    *(Part(name, "mainframe", 9110 + index, 8110 + index) for index, name in enumerate(LICENCES, 1)),
)

REGION = "eu"
ROUTES = {"web": "/", "api": "/api", "docs": "/docs"}
"""Where the components are behind each front door."""

PEOPLE: Mapping[str, Person] = {
    "alice": Person("Alice Ng", ("viewer", "deployer")),
    "bo": Person("Bo Li", ("viewer", "deployer", "approver")),
    "cy": Person("Cy Roe", ("viewer", "approver")),
    "di": Person("Di Fox", ("viewer",)),
    "eve": Person("Eve Poe", ("viewer", "deployer", "approver", "admin")),
}
AT_THE_SHELL = "eve"
"""Who gives the commands that the user of this machine types in a shell."""
