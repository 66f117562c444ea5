"""`ashat deploy …`: a chat's command from the shell, given to the bot that runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bot.cli.common import DEFAULT_CONFIG, DONE, NO_BOT, REFUSED, USAGE, Config, complain, explained

RAW: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False},
}
"""Everything behind the options is the command's own, as the shell has split it: `--help` and `--for` too."""
_STATUS = {"done": DONE, "ignored": DONE, "refused": REFUSED, "failed": REFUSED, "usage": USAGE}
_DOCS = "docs/guide.md of Ashat's source; config.example.toml explains every setting"


def deploy(words: Annotated[list[str] | None, typer.Argument()] = None, config: Config = DEFAULT_CONFIG) -> None:
    """Give any chat command to the running bot: `ashat deploy status`. Exit status 1: refused, 2: usage, 3: no bot."""
    from bot import wiring
    from bot.settings import load
    from core.parsing import Reply, parse_words
    from core.plain import safe

    parsed = parse_words(words or ())
    if isinstance(parsed, Reply):
        complain(parsed.text)
        raise typer.Exit(USAGE)
    with explained():
        settings = load(config)
    try:
        answer = wiring.ask(settings.ashat.socket, words or ())
    except wiring.NoBot as error:
        complain(str(error))
        raise typer.Exit(NO_BOT) from error
    status = _STATUS[answer.outcome]
    for line in answer.lines:
        typer.echo(safe(line), err=status != DONE)
    raise typer.Exit(status)


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
