"""`ashat backup` and `ashat restore`: the SQLite database, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.common import DEFAULT_CONFIG, REFUSED, Config, complain, explained

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
Force = Annotated[
    bool, typer.Option("--force", help="Restore although the database has later events, or the backup's journal fails.")
]


def backup(file: File, config: Config = DEFAULT_CONFIG) -> None:
    """Write the database to FILE, as it is now; the bot may run. Artifacts, key and settings are not in it."""
    from bot.backup import back_up
    from bot.settings import load

    with explained():
        settings = load(config)
        made = back_up(settings, file)
    typer.echo(f"{made.file} holds {made.events} events in {made.chains} chains: {made.bytes / 1024**2:.1f} MiB.")
    typer.echo(
        f"Keep with it what it does not hold: {settings.ashat.artifacts}, {settings.ashat.key_file}, and {config}."
    )


def restore(file: File, config: Config = DEFAULT_CONFIG, force: Force = False) -> None:
    """Put the backup in FILE in the database's place, once it is proved whole; the bot must not run."""
    import asyncio

    from bot import backup, wiring
    from bot.settings import load

    with explained():
        settings = load(config)
        try:
            done = asyncio.run(backup.restore(settings, file, wiring.SystemClock(), force=force))
        except backup.RestoreRefused as refused:
            complain(f"Nothing was restored: {refused}.")
            raise typer.Exit(REFUSED) from refused
    typer.echo(f"{done.database} holds {done.events} events in {done.chains} chains again.")
    if done.kept:
        typer.echo(f"What was there is {done.kept} now.")
    for digest in done.missing:
        complain(f"Unfinished work needs the artifact {digest}: copy it to {settings.ashat.artifacts}.")
