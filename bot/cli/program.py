"""All commands in one program."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli import agent, alpha, attest, audit, backup, console, demo, deploy, discord, doctor, keys, run, slack

program = typer.Typer(
    help="Ashat carries updates from ALPHA to Public, proves them there, and takes approved ones to OMEGA.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ashat {version('ashat')}")
        raise typer.Exit


@program.callback()
def _program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """What all commands share: nothing but the version."""


program.command()(demo.demo)
program.command()(run.run)
program.command(**deploy.RAW)(deploy.deploy)
program.command()(console.console)
program.command()(agent.agent)
program.add_typer(audit.group, name="audit", help="The journal's proof.")
program.add_typer(attest.group, name="attest", help="The signed statements of completed deployments.")
program.add_typer(keys.group, name="keys", help="The bot's signing keys.")
program.add_typer(alpha.group, name="alpha", help="Updates on ALPHA, before they are pushed.")
program.add_typer(slack.group, name="slack", help="What Slack needs to know.")
program.add_typer(discord.group, name="discord", help="What Discord needs to know.")
program.command()(backup.backup)
program.command()(backup.restore)
program.command()(doctor.doctor)
program.command("help")(deploy.help_)


def main() -> None:
    """The entry point of the command `ashat`."""
    program(prog_name="ashat")
