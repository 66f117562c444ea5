"""The settings files of the demo: one for each agent, and one for a bot to start from."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from demo.cast import AT_THE_SHELL, LICENCES, PEOPLE, REGION, ROUTES, Part
from demo.ports import HOST
from demo.toml import Table, document

PLATFORM_VERSION = "9.4.1"
"""The version of RaOS that the servers of the demo report."""


@dataclass(frozen=True)
class Place:
    """One server of the demo: where it is, and what it is known by."""

    part: Part
    folder: Path
    port: int
    front_port: int
    public_key: str
    token: str = field(repr=False)
    """The bot's, or another client's, to this server."""

    @property
    def url(self) -> str:
        """Of the agent."""
        return f"http://{HOST}:{self.port}"

    @property
    def front(self) -> str:
        """Where people see what the server runs."""
        return f"http://{HOST}:{self.front_port}"

    @property
    def settings_file(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def token_file(self) -> Path:
        return self.folder / "bot.token"

    @property
    def key_file(self) -> Path:
        return self.folder / "agent.key"

    @property
    def omega_token_file(self) -> Path:
        """A mainframe's own, by which OMEGA knows it."""
        return self.folder / "omega.token"


def agent_settings(place: Place, bot_key: str, omega: Place, registry: Sequence[Table]) -> str:
    """The settings of one agent. `registry` are the mainframes, of which only OMEGA is told."""
    part = place.part
    top = {
        "role": part.role,
        "name": part.name,
        "region": REGION if part.role == "omega" else None,
        "listen": f"{HOST}:{place.port}",
        "data": "data",
        "url": place.front,
        "platform_version": PLATFORM_VERSION,
        "allow_same_user": True,
        "slot_path": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "keep_warm": part.role != "mainframe",
    }
    tables: list[Table] = [
        ("[front]", {"listen": f"{HOST}:{place.front_port}", "routes": ROUTES}),
        ("[trust]", {"bot_keys": [bot_key], "bot_token_file": place.token_file.name, "key_file": place.key_file.name}),
    ]
    match part.role:
        case "mainframe":
            tables.append(("[omega]", {"url": omega.url, "token_file": place.omega_token_file.name}))
        case "omega":
            tables.extend(registry)
        case "public":
            """It knows of nobody but the bot."""
    return document(top, tables)


def mainframe_entry(place: Place, token_sha256: str, started: datetime) -> Table:
    """One row of OMEGA's registry."""
    licence = LICENCES[place.part.name]
    return "[[mainframes]]", {
        "name": place.part.name,
        "owner": licence.owner,
        "tier": licence.tier,
        "licence_until": started + licence.lasts,
        "public_key": place.public_key,
        "token_sha256": token_sha256,
    }


def bot_settings(places: Sequence[Place]) -> str:
    """The settings of a bot that knows Public and OMEGA and listens to the people of the demo."""
    agents: list[Table] = [
        ("[[agents]]", {"origin": place.url, "token_file": place.token_file, "public_key": place.public_key})
        for place in places
        if place.part.role != "mainframe"
    ]
    components: list[Table] = [
        (f"[components.{name}]", {"minimum_checks": ["health", "modules", "api", "database"]}) for name in ROUTES
    ]
    tables: list[Table] = [
        ("[ashat]", {"data": "bot", "key_file": "bot.key.pem"}),
        ("[alpha]", {"folder": "alpha"}),
        *agents,
        ("[workflow]", {"poll_seconds": 0.5, "max_commands_per_minute": 120, "max_active_per_person": 30}),
        # All servers share one machine, so a pause of its own is no news; `fails-performance` takes ten times that.
        ("[checks.performance]", {"options": {"floor_ms": 50}}),
        *components,
        *((f"[people.{key}]", _person(key)) for key in PEOPLE),
    ]
    return "# The settings of a bot for the demo's servers; config.example.toml explains every key.\n" + document(
        {}, tables
    )


def _person(key: str) -> Mapping[str, object]:
    person = PEOPLE[key]
    return {"name": person.name, "roles": person.roles, "shell": os.getuid() if key == AT_THE_SHELL else None}
