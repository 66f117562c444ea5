"""What the doctor looks at on this machine: files, key, tokens, ALPHA, database, disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bot import keys
from bot.doctor.finding import Finding, fail, ok, warn
from bot.doctor.postgres import postgres_findings
from bot.settings import Settings, SettingsError, insecure_files, sqlite_file, token_of

_UPDATE_ENDINGS = (".tar.gz", ".tar.zst", ".zip")
_LITTLE = 1024**3
_TOO_LITTLE = 100 * 1024**2
"""Bytes: below the first one more large artifact may not fit, below the second not even the journal."""
_BUSY_SECONDS = 5.0
_OLD_KEY_DAYS = 730
"""SP 800-57 part 1, table 1: a private signature key is used for one to three years."""
_OVERLAP_DAYS = 30
"""A rotation that is not finished by then was forgotten."""


def local_findings(settings: Settings, config: Path | None = None) -> list[Finding]:
    """All of them, in the order in which they matter. Reads files and the database, so it is for a thread."""
    return [
        *_modes(settings, config),
        *_key(settings),
        *_tokens(settings),
        *_authority(settings),
        *_alpha(settings),
        *_database(settings),
        *_disk(settings),
    ]


def _modes(settings: Settings, config: Path | None) -> Iterator[Finding]:
    found = insecure_files(settings, config)
    yield from (warn(f"File modes: {each.path} {each.problem}.", each.mend) for each in found)
    if not found:
        yield ok("File modes: what is private is the owner's alone.")


def _key(settings: Settings) -> Iterator[Finding]:
    try:
        rows = keys.known(settings.ashat.key_file)
    except keys.KeyFileError as error:
        mend = "`ashat keys new`, then give its public half to the agents; or restore the old one"
        yield fail(f"Key: {error}", _or_owner(mend, error))
    else:
        yield from _ages(settings, rows)


def _ages(settings: Settings, rows: Sequence[keys.KnownKey]) -> Iterator[Finding]:
    """`rows` are oldest first: the last one signs."""
    now = datetime.now(UTC)
    *older, newest = rows
    days = (now - newest.since).days if newest.since else 0
    said = f"Key: the bot signs with {newest.short}, which is {days} days old ({settings.ashat.key_file})."
    yield warn(said, "`ashat keys new`, see docs/operations.md") if days > _OLD_KEY_DAYS else ok(said)
    for row in older:
        if row.retired is not None:
            yield ok(f"Key: {row.short} is retired since {row.retired:%Y-%m-%d}; what it signed before is believed.")
        elif not keys.has_private_half(settings.ashat.key_file, row):
            yield warn(f"Key: the private half of {row.short} is not here.", f"`ashat keys retire {row.short}`")
        else:
            overlap = (now - newest.since).days if newest.since else 0
            said = f"Key: {row.short} signs releases besides the newest, since {overlap} days."
            mend = f"once every agent knows the newest: `ashat keys retire {row.short}`"
            yield warn(said, mend) if overlap > _OVERLAP_DAYS else ok(said)


def _tokens(settings: Settings) -> Iterator[Finding]:
    for agent in settings.agents:
        try:
            token_of(agent)
        except SettingsError as error:
            yield fail(f"Token: {error}", _or_owner("put there the token that the agent's settings have", error))
        else:
            yield ok(f"Token: there is one for {agent.origin}.")


def _or_owner(mend: str, error: Exception) -> str:
    """What another user may read is not missing."""
    return "run this as the user who owns it" if isinstance(error.__cause__, PermissionError) else mend


def _authority(settings: Settings) -> Iterator[Finding]:
    file = settings.servers.ca_file
    if file is None:
        return
    try:
        ssl.create_default_context().load_verify_locations(cafile=file)
    except OSError as error:  # an ssl.SSLError is one too
        yield fail(f"Certificates: {file} cannot be read as PEM: {error.strerror}.", "set [servers] ca_file")
    else:
        yield ok(f"Certificates: {file} is trusted besides the public authorities.")


def _alpha(settings: Settings) -> Iterator[Finding]:
    folder, name = settings.alpha.folder, settings.alpha.name
    try:
        updates = [path for path in folder.iterdir() if path.name.endswith(_UPDATE_ENDINGS)]
    except OSError as error:
        yield fail(f"{name}: {folder} cannot be read: {error.strerror}.", "make it, or set [alpha] folder")
        return
    if updates:
        yield ok(f"{name}: {folder} holds {len(updates)} update{'s' if len(updates) > 1 else ''}.")
    else:
        yield warn(f"{name}: {folder} holds no update.", f"put <id>{_UPDATE_ENDINGS[0]} there")


def _database(settings: Settings) -> Iterator[Finding]:
    file = sqlite_file(settings)
    if file is None:
        yield from postgres_findings(settings.ashat.database_url.get_secret_value())
    elif not is_there(file):
        yield warn(f"Database: {file} does not exist yet.", "`ashat run` makes it at its first start")
    else:
        yield _sqlite(file)


def is_there(file: Path) -> bool:
    """Also where nobody but another user may see it: whoever opens it is told so."""
    try:
        return file.exists()
    except PermissionError:
        return True


def _sqlite(file: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
            (mode,) = database.execute("PRAGMA journal_mode").fetchone()
            (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        return fail(f"Database: {file} cannot be used: {error}.", "check its owner and disk, or restore a backup")
    if verdict != "ok":
        return fail(f"Database: {file} is damaged: {verdict}.", "stop the bot and restore a backup")
    if mode != "wal":
        return warn(f"Database: {file} is in journal mode {mode}, expected wal.", "start the bot once, which sets it")
    return ok(f"Database: {file} is whole and can be written.")


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(path for path in (settings.ashat.data, *settings.ashat.data.parents) if os.access(path, os.F_OK))
    free = shutil.disk_usage(folder).free
    said = f"Disk: {free / 1024**3:.1f} GiB are free at {folder}."
    if free < _TOO_LITTLE:
        yield fail(said, "make room: the journal cannot be written on a full disk")
    elif free < _LITTLE:
        yield warn(said, "make room before the next large update")
    else:
        yield ok(said)
