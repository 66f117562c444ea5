"""`ashat agent`: the program that runs on a server."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.common import USAGE, complain


class Role(StrEnum):
    public = "public"
    omega = "omega"
    mainframe = "mainframe"


def agent(
    config: Annotated[Path, typer.Option(metavar="F", help="The agent's settings file.")],
    role: Annotated[
        Role | None, typer.Option(help="The server's role; the settings have it, and must say the same.")
    ] = None,
) -> None:
    """Run the agent of a Public server, an OMEGA or a mainframe until SIGTERM or Ctrl-C."""
    from agent.__main__ import main
    from agent.settings import SettingsError, load_settings

    try:
        settings = load_settings(config)
    except SettingsError as error:
        complain(str(error))
        raise typer.Exit(USAGE) from error
    if role is not None and settings.role != role.value:
        complain(f"{config} is of role {settings.role}, and --role says {role.value}; make them agree.")
        raise typer.Exit(USAGE)
    raise typer.Exit(main(config))
