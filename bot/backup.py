"""Backups of the SQLite database: made while the bot runs, and put back only where they are whole and nobody runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bot import keys, wiring
from bot.checkpoints import faults
from bot.settings import Settings, SettingsError, sqlite_file
from core.ports import ArtifactProblem, Clock


class RestoreRefused(Exception):
    """Nothing was replaced. `str(error)` is one sentence."""


@dataclass(frozen=True, slots=True)
class Backup:
    file: Path
    events: int
    chains: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    database: Path
    events: int
    chains: int
    kept: Path | None
    """Where the database is that was there before."""
    missing: tuple[str, ...]
    """Digests of artifacts that unfinished deployments need and that are not here."""


def database_of(settings: Settings) -> Path:
    """Raises SettingsError where the settings name another database than a SQLite file."""
    file = sqlite_file(settings)
    if file is None:
        raise SettingsError(
            "`ashat backup` and `ashat restore` are for SQLite; database_url names another database: use its own "
            "tools, for example pg_dump and pg_restore."
        )
    return file


def back_up(settings: Settings, file: Path) -> Backup:
    """Raises SettingsError or wiring.expected() errors, each with its sentence."""
    wiring.database_file(database_of(settings)).copy_to(file)
    contents = wiring.database_file(file).contents()
    return Backup(file, contents.events, len(contents.heads), file.stat().st_size)


async def restore(settings: Settings, file: Path, clock: Clock, *, force: bool) -> Restored:
    """Put the backup at `file` in the database's place; what was there is kept beside it.

    Raises RestoreRefused where its journal is not whole, or the database has events that it lacks (both unless
    `force`); and what is told by `wiring.expected()`: where `file` is damaged, or a bot runs.
    """
    database = database_of(settings)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with wiring.claimed(settings), TemporaryDirectory(prefix=".restore-", dir=database.parent) as folder:
        staged = Path(folder) / database.name
        wiring.database_file(file).copy_to(staged)
        contents = wiring.database_file(staged).contents()
        missing = await _checked(settings, file, staged, clock, force=force)
        if database.exists():
            wiring.database_file(database).require_unused()
            if not force:
                _require_no_loss(database, staged)
        kept = wiring.database_file(database).replace_by(staged, clock.now())
    return Restored(database, contents.events, len(contents.heads), kept, missing)


async def _checked(settings: Settings, file: Path, staged: Path, clock: Clock, *, force: bool) -> tuple[str, ...]:
    """Opens the copy, which brings an older schema up to date; the digests of artifacts that are missing here."""
    store = await wiring.store_at(staged, clock)
    try:
        found = [] if force else await faults(store, [keys.load(settings.ashat.key_file).public_key])
        if found:
            raise RestoreRefused(f"the journal in {file} is not whole: {found[0]}; --force restores it all the same")
        digests = dict.fromkeys(d.digest for d in await store.active() if d.digest)
    finally:
        await store.close()
    return tuple(digest for digest in digests if not _is_stored(settings, digest))


def _is_stored(settings: Settings, digest: str) -> bool:
    try:
        wiring.artifacts_of(settings, only_look=True).path(digest)
    except ArtifactProblem:
        return False
    return True


def _require_no_loss(database: Path, staged: Path) -> None:
    """Raises RestoreRefused where the restore would lose events, or nobody can say whether it would."""
    try:
        lost = wiring.database_file(database).contents().beyond(wiring.database_file(staged).contents())
    except wiring.expected() as error:
        raise RestoreRefused(f"what would be replaced cannot be read: {error}; --force replaces it") from error
    if lost:
        events = "1 event" if lost == 1 else f"{lost} events"
        raise RestoreRefused(
            f"{database} has {events} that the backup lacks; --force replaces it, and keeps it beside the restored one"
        )
