"""`ashat audit`: whether the journal is still what was written, here or in a file that somebody was given."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from bot.cli.common import DEFAULT_CONFIG, REFUSED, USAGE, Config, complain, explained, trusted

if TYPE_CHECKING:
    from bot.proof import Anchor, Audit
    from bot.settings import Settings
    from core.people import Person

group = typer.Typer(no_args_is_help=True)
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="HEX", help="A public key of the bot, 64 digits, instead of those found here."),
]
Anchors = Annotated[
    list[str] | None,
    typer.Option("--anchor", metavar="N:HASH", help="A checkpoint as it was posted to the anchor channel."),
]


@group.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An exported journal; else the database.")
    ] = None,
    key: Keys = None,
    anchor: Anchors = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Check every event, every signed checkpoint, and what is stored beside them. Exit status 1 where one is wrong.

    With FILE neither database nor settings are needed, only the bot's public keys: given by --key, or found in the
    settings' key file and its register.
    """
    found = _verified_file(file, key, anchor, config) if file else _verified_database(key, anchor, config)
    from core.say import count

    counts = (count(found.events, "event"), count(found.chains, "chain"), count(found.checkpoints, "signed checkpoint"))
    typer.echo("Checked {} in {}, and {}.".format(*counts))
    if found.faults:
        complain(f"The journal was changed: {found.faults[0]}.", *(f"Also: {fault}." for fault in found.faults[1:]))
        raise typer.Exit(REFUSED)
    typer.echo("The journal is whole: no event was changed, removed or moved, and no deployment is missing.")


def _verified_database(key: list[str] | None, anchor: list[str] | None, config: Path) -> Audit:
    from bot.proof import audit

    async def looked() -> Audit:
        from bot import wiring

        store = await wiring.store_of(settings, wiring.SystemClock())
        try:
            return await audit(store, trust, anchors)
        finally:
            await store.close()

    with explained():
        settings = _settings_with_journal(config)
        anchors, trust = _anchors(anchor), trusted(key, config)
        return asyncio.run(looked())


def _verified_file(file: Path, key: list[str] | None, anchor: list[str] | None, config: Path) -> Audit:
    from bot.export import NoExport, verify

    anchors = _anchors(anchor)
    with explained():
        trust = trusted(key, config)
    try:
        with file.open(encoding="utf-8") as lines:
            return verify(lines, trust, anchors)
    except (OSError, UnicodeDecodeError) as error:
        complain(f"{file} cannot be read: {error}.")
        raise typer.Exit(REFUSED) from error
    except NoExport as error:
        complain(f"{file} is no exported journal: {error}.")
        raise typer.Exit(REFUSED) from error


@group.command()
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Made with mode 0600; else standard output.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Of each chain only what came from then on, ISO 8601.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write the journal as JSON Lines with its signed checkpoints; `ashat audit verify FILE` checks it anywhere.

    The export itself is journaled, with who made it. The bot may run.
    """
    from bot.export import ExportFailed

    begin = _time(since)
    with explained():
        settings = _settings_with_journal(config)
        try:
            with _opened(file) as out:
                events = asyncio.run(_export(settings, begin, out))
        except FileExistsError as error:
            complain(f"{file} exists already; choose another name.")
            raise typer.Exit(REFUSED) from error
        except ExportFailed as error:
            complain(f"Nothing was exported: {error}.")
            raise typer.Exit(REFUSED) from error
        except OSError as error:
            complain(f"{file or 'standard output'} cannot be written: {error.strerror}.")
            raise typer.Exit(REFUSED) from error
    typer.echo(f"{events} lines are in {file or 'standard output'}; the export is journaled.", err=True)


async def _export(settings: Settings, since: datetime | None, out: TextIO) -> int:
    import secrets

    from bot import keys, wiring
    from bot.checkpoints import Checkpoints
    from bot.export import Export

    clock, path = wiring.SystemClock(), settings.ashat.key_file
    store = await wiring.store_of(settings, clock)
    try:
        signing = Checkpoints(store, keys.Ring(path), clock)
        count = 0
        async for line in Export(store, signing, clock, keys.known(path)).lines(
            _me(settings), since, secrets.token_hex(16)
        ):
            out.write(f"{line}\n")
            count += 1
        out.flush()
    finally:
        await store.close()
    return count


def _me(settings: Settings) -> Person:
    """Whoever runs the command, as the machine knows them."""
    from core.people import Account, Person

    uid = str(os.getuid())
    account = Account("shell", uid)
    known = next((person for person in settings.persons() if account in person.accounts), None)
    return known or Person(f"shell-{uid}", f"user {uid} of this machine", frozenset())


def _opened(file: Path | None) -> AbstractContextManager[TextIO]:
    if file is None:
        return nullcontext(sys.stdout)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        complain(f'--since should be a time like "2026-01-31" or "2026-01-31T14:00:00+01:00", not {text!r}.')
        raise typer.Exit(USAGE) from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def _anchors(texts: list[str] | None) -> tuple[Anchor, ...]:
    from bot.proof import anchor_of

    found = [(text, anchor_of(text)) for text in texts or ()]
    for text, anchor in found:
        if anchor is None:
            complain(f"--anchor should be a checkpoint's number and hash, like 12:9f3a… with 64 digits, not {text!r}.")
            raise typer.Exit(USAGE)
    return tuple(anchor for _, anchor in found if anchor is not None)


def _settings_with_journal(config: Path) -> Settings:
    from bot.settings import load, sqlite_file

    settings = load(config)
    database = sqlite_file(settings)
    if database is not None and not database.exists():
        complain(f"There is no journal at {database}; `ashat run` makes it at its first start.")
        raise typer.Exit(REFUSED)
    return settings
