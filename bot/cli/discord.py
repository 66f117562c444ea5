"""`ashat discord`: what Discord needs to know."""

from __future__ import annotations

import typer

from bot.cli.common import DEFAULT_CONFIG, Config, explained

group = typer.Typer(no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Makes `invite` a command of its own, also while it is the only one."""


@group.command()
def invite(config: Config = DEFAULT_CONFIG) -> None:
    """Print the link that lets the bot into each listed server, with exactly the permissions that it needs."""
    from bot import wiring
    from bot.settings import load

    with explained():
        for link in wiring.discord_invitation(load(config)):
            typer.echo(link)
