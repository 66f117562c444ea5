"""`python3 main.py` serves on PORT; `python3 main.py migrate` brings the database up to date."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..kit.app import App
from ..kit.database import migrate
from ..kit.http import serve
from ..kit.slot import About, Component, Slot


def run(component: Component, folder: Path) -> None:
    """Do what the command line says, with the release in `folder`. Exits with one sentence where that is impossible."""
    slot = Slot(folder, component.prefix, About.read(folder))
    match sys.argv[1:]:
        case []:
            slot.load(component.package)
            serve(_port(), App(slot))
        case ["migrate"]:
            version = migrate(slot.database, component.migrations)
            sys.stderr.write(f"{slot.database.name} is at version {version}.\n")
        case _:
            sys.exit("Usage: python3 main.py [migrate]")


def _port() -> int:
    value = os.environ.get("PORT", "")
    if not value.isdecimal():
        sys.exit("PORT must be set to the port to listen on, like PORT=8000.")
    return int(value)
