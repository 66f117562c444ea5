"""`ashat agent`: the program that runs on a server."""

from __future__ import annotations

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
    from agent.settings import SettingsError

    try:
        settings = _settings(config, role)
        if show_key:
            typer.echo(_known_by(settings))
            return
    except SettingsError as error:
        complain(*error.problems)
        raise typer.Exit(USAGE) from error
    raise typer.Exit(main(config))


def _settings(config: Path, role: Role | None) -> AgentSettings:
    """Raises SettingsError, also where they are of another role than the one that was said."""
    from agent.settings import SettingsError, load_settings

    settings = load_settings(config)
    if role is not None and settings.role != role.value:
        raise SettingsError(f"{config} is of role {settings.role}, and --role says {role.value}; make them agree.")
    return settings


def _known_by(settings: AgentSettings) -> str:
    """Lines of TOML, for the bot's [[agents]], and a mainframe's for OMEGA's [[mainframes]]. Raises SettingsError."""
    from agent.ownership import OwnKey
    from agent.settings import read_token, token_hash

    hashed = settings.omega and token_hash(read_token(settings.omega.token_file))
    key = f'public_key = "{OwnKey.of(settings).public_text}"'
    return f'{key}\ntoken_sha256 = "{hashed}"' if hashed else key
