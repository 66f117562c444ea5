"""`ashat slack`: what Slack needs to know."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bot.cli.common import USAGE, complain

group = typer.Typer(no_args_is_help=True)


class Mode(StrEnum):
    SOCKET = "socket"
    HTTP = "http"


@group.callback()
def _group() -> None:
    """Makes `manifest` a command of its own, also while it is the only one."""


@group.command()
def manifest(
    mode: Annotated[Mode, typer.Option(help="socket needs no public address.")] = Mode.SOCKET,
    url: Annotated[str, typer.Option(help="The bot's public https address, for http.")] = "",
) -> None:
    """Print the app's manifest, to be pasted at api.slack.com/apps under "From a manifest"."""
    from bot import wiring

    if mode is Mode.HTTP and not url.startswith("https://"):
        complain("HTTP needs the bot's public address: --url https://ashat.example.com")
        raise typer.Exit(USAGE)
    typer.echo(wiring.slack_manifest("http" if mode is Mode.HTTP else "socket", url), nl=False)
