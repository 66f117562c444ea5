"""`ashat alpha test`: the checks of a verification on this machine, before anything is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import DEFAULT_CONFIG, REFUSED, Config, complain, explained

if TYPE_CHECKING:
    from bot.settings import Settings

group = typer.Typer(no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Makes `test` a command of its own, also while it is the only one."""


@group.command("test")
def rehearse(
    id: Annotated[str, typer.Argument(help="The update's id on ALPHA.")],  # noqa: A002 - the word of the domain
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Start an update in a slot on this machine, run its checks, and record that exactly these bytes passed here."""
    import asyncio

    from bot.settings import load

    with explained():
        good = asyncio.run(_rehearsed(load(config), id))
    raise typer.Exit(0 if good else REFUSED)


async def _rehearsed(settings: Settings, id: str) -> bool:  # noqa: A002 - the word of the domain
    from bot import rehearsal
    from core.ports import ArtifactProblem

    try:
        return await rehearsal.rehearse(settings, id, typer.echo)
    except (ArtifactProblem, rehearsal.RehearsalFailed) as problem:
        complain(f"{str(problem).rstrip('.')}.")
        return False
