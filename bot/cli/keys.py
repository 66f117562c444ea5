"""`ashat keys`: the key with which the bot signs what servers act on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.common import DEFAULT_CONFIG, Config, explained

group = typer.Typer(no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Makes `new` a command of its own, also while it is the only one."""


@group.command()
def new(
    path: Annotated[Path | None, typer.Argument(help="The file; [ashat] key_file of the settings unless told.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Make the bot's private key, once, with mode 0600; prints the public half for the agents' settings."""
    from bot import keys
    from bot.settings import load

    with explained():
        target = path or load(config).ashat.key_file
        public = keys.new(target)
    typer.echo(f"The private key is in {target}; keep a backup, it cannot be made again.")
    typer.echo(f'Put its public half into each agent\'s settings, under [trust]: bot_keys = ["{public}"]')
