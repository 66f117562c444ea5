"""`ashat deploy …`: a chat's command from the shell, given to the bot that runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.common import DEFAULT_CONFIG, DONE, NO_BOT, REFUSED, USAGE, Config, complain, explained

RAW: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False},
}
"""Everything behind the options is the command's own, as the shell has split it: `--help` and `--for` too."""
_STATUS = {"done": DONE, "ignored": DONE, "refused": REFUSED, "failed": REFUSED}
_DOCS = "docs/guide.md of Ashat's source; config.example.toml explains every setting"


def deploy(words: Annotated[list[str] | None, typer.Argument()] = None, config: Config = DEFAULT_CONFIG) -> None:
    """Give any chat command to the running bot: `ashat deploy status`. Exit status 1: refused, 2: usage, 3: no bot."""
    from bot import asking
    from core.plain import safe

    socket = asking.socket_of(config) or _socket(words or (), config)
    try:
        answer = asking.ask(socket, words or ())
    except asking.NoBot as error:
        _socket(words or (), config)  # what else is wrong is told first, and help is given
        complain(str(error))
        raise typer.Exit(NO_BOT) from error
    if answer.outcome == "usage":
        complain(*answer.lines)
        raise typer.Exit(USAGE)
    status = _STATUS[answer.outcome]
    for line in answer.lines:
        typer.echo(safe(line), err=status != DONE)
    raise typer.Exit(status)


def _socket(words: Sequence[str], config: Path) -> Path:
    """Where the bot listens, by settings that hold; leaves where those or `words` are wrong, and where they ask for
    help, which needs neither settings nor a bot."""
    from bot.settings import load
    from core.commands import Help
    from core.parsing import Reply, parse_words

    parsed = parse_words(words)
    if isinstance(parsed, Reply):
        complain(parsed.text)
        raise typer.Exit(USAGE)
    if isinstance(parsed, Help):
        help_(parsed.topic, config)
        raise typer.Exit
    with explained():
        return load(config).ashat.socket


def help_(
    topic: Annotated[str | None, typer.Argument(metavar="[command]")] = None, config: Config = DEFAULT_CONFIG
) -> None:
    """Show the chat commands, or one of them, and where more help is. No bot is needed."""
    from core.help import help_for, plain_lines

    docs, support = _about(config)
    for line in plain_lines(help_for(topic, shell=True, docs=docs or _DOCS, support=support)):  # noqa: S604 - no shell
        typer.echo(line)


def _about(config: Config) -> tuple[str, str]:
    """Where the settings send people for help; nothing where there are none."""
    from bot.settings import load

    if not config.exists():
        return "", ""
    with explained():
        about = load(config).about
    return about.docs, about.support
