"""`ashat audit`: whether the journal is still what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from bot.cli.common import DEFAULT_CONFIG, REFUSED, Config, complain, explained

if TYPE_CHECKING:
    from bot.settings import Settings

group = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Audit:
    chains: int
    events: int
    checkpoints: int
    faults: tuple[str, ...]


@group.callback()
def _group() -> None:
    """Makes `verify` a command of its own, also while it is the only one."""


@group.command()
def verify(config: Config = DEFAULT_CONFIG) -> None:
    """Check every event of the journal, and every signed checkpoint. Exit status 1 where one is wrong or gone."""
    import asyncio

    from bot.settings import load, sqlite_file
    from core.say import count

    with explained():
        settings = load(config)
        database = sqlite_file(settings)
        if database is not None and not database.exists():
            complain(f"There is no journal at {database}; `ashat run` makes it at its first start.")
            raise typer.Exit(REFUSED)
        found = asyncio.run(_audit(settings))
    counts = (count(found.events, "event"), count(found.chains, "chain"), count(found.checkpoints, "signed checkpoint"))
    typer.echo("Checked {} in {}, and {}.".format(*counts))
    if found.faults:
        complain(f"The journal was changed: {found.faults[0]}.", *(f"Also: {fault}." for fault in found.faults[1:]))
        raise typer.Exit(REFUSED)
    typer.echo("The journal is whole: no event was changed, removed or moved, and no deployment is missing.")


async def _audit(settings: Settings) -> Audit:
    from bot import keys, wiring
    from bot.checkpoints import faults

    key = keys.load(settings.ashat.key_file).public_key
    store = await wiring.store_of(settings, wiring.SystemClock())
    try:
        found = await faults(store, [key])
        if found:  # a bot that writes meanwhile can look like a fault; a real one is there at the second look too
            again = await faults(store, [key])
            found = [fault for fault in found if fault in again]
        heads = await store.heads()
        return Audit(len(heads), sum(head.seq for head in heads), len(await store.checkpoints()), tuple(found))
    finally:
        await store.close()
