"""A bot of one's own: the folder in which a console keeps it, made where it is missing."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from bot import keys
from bot.console import CONSOLE_ROLES, EVERY_ROLE, Speakers
from bot.settings import Settings, SettingsError, load, sqlite_file
from bot.zone import local_zone
from core.people import Account, Person

MARK = "console"
"""The file by which a data folder is known as a console's: in it, everybody is taken at their word."""
DEMO_MARK = "demo.json"
_SETTINGS = """\
# The settings of this console's own bot; config.example.toml explains every key.
# For each server: its token in a file of mode 0600, and
#   [[agents]]
#   origin = "http://127.0.0.1:9101"
#   token_file = "public.token"

[ashat]
data = "."
time_zone = "{zone}"

[alpha]
folder = "alpha"
"""


@dataclass(frozen=True, slots=True)
class Own:
    """The settings, who speaks unless told, and the bot's public key where it was made just now."""

    settings: Settings
    speakers: Speakers
    speaker: str
    new_key: str | None


def prepared(folder: Path) -> Own:
    """The console's bot in `folder`. Raises SettingsError where that is another bot's data, KeyFileError, OSError."""
    config = folder / "config.toml"
    if not config.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "alpha").mkdir(exist_ok=True)
        config.write_text(_SETTINGS.format(zone=local_zone() or "UTC"), "utf-8")
    settings = load(config)
    _is_own(settings, folder)
    key_file = settings.ashat.key_file
    new_key = None if key_file.exists() else keys.new(key_file)
    me = _me()
    return Own(settings, Speakers((me,), EVERY_ROLE, settings.ashat.time_zone), me.id, new_key)


def _is_own(settings: Settings, folder: Path) -> None:
    """Data that other people's votes are in is not for a console that takes everybody at their word."""
    database = sqlite_file(settings)
    if database is None:
        raise SettingsError(f"{folder} uses a database that others may share; a console has an SQLite of its own.")
    mark = settings.ashat.data / MARK
    if mark.exists() or (folder / DEMO_MARK).exists():
        return
    if database.exists():
        raise SettingsError(
            f"{database} is the data of a bot with people of its own: use `ashat deploy` there, or give the console "
            "another folder by --data."
        )
    settings.ashat.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.touch(mode=0o600)


def _me() -> Person:
    """Whoever is logged in here; their shell commands are theirs too."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name (Python 3.13 raises OSError)
        name = f"user-{os.getuid()}"
    return Person(name, name, EVERY_ROLE, accounts=(Account("shell", str(os.getuid())),), roles_from=CONSOLE_ROLES)
