"""`ashat agent`: the program that runs on a server."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import USAGE, complain

if TYPE_CHECKING:
    from agent.settings import AgentSettings


class Role(StrEnum):
    public = "public"
    omega = "omega"
    mainframe = "mainframe"


def agent(
    config: Annotated[Path, typer.Option(metavar="F", help="The agent's settings file.")],
    role: Annotated[
        Role | None, typer.Option(help="The server's role; the settings have it, and must say the same.")
    ] = None,
    show_key: Annotated[
        bool,
        typer.Option("--show-key", help="Start nothing: print what others' settings need to know this server by."),
    ] = False,
) -> None:
    """Run the agent of a Public server, an OMEGA or a mainframe until SIGTERM or Ctrl-C."""
    from agent.__main__ import main
    from agent.settings import SettingsError, load_settings

    try:
        settings = load_settings(config)
        known_by = list(_known_by(settings)) if show_key else []
    except SettingsError as error:
        complain(*error.problems)
        raise typer.Exit(USAGE) from error
    if role is not None and settings.role != role.value:
        complain(f"{config} is of role {settings.role}, and --role says {role.value}; make them agree.")
        raise typer.Exit(USAGE)
    if show_key:
        typer.echo("\n".join(known_by))
        return
    raise typer.Exit(main(config))


def _known_by(settings: AgentSettings) -> Iterator[str]:
    """Lines of TOML, for the bot's [[agents]], and a mainframe's for OMEGA's [[mainframes]]. Raises SettingsError."""
    from agent.ownership import OwnKey
    from agent.settings import read_token, token_hash

    yield f'public_key = "{OwnKey.of(settings).public_text}"'
    if settings.omega is not None:
        yield f'token_sha256 = "{token_hash(read_token(settings.omega.token_file))}"'
