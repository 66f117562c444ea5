"""`ashat doctor`: everything that a working bot needs, a line each, with the mend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from bot.cli.common import DEFAULT_CONFIG, REFUSED, Config

if TYPE_CHECKING:
    from bot.doctor import Finding
    from bot.settings import Settings


def doctor(config: Config = DEFAULT_CONFIG) -> None:
    """Look at settings, files, key, database, servers, clocks, certificates, chats. Exit status 1 if one fails."""
    import asyncio

    from bot.doctor import read
    from core.plain import safe

    settings, findings = read(config)
    if settings is not None:
        findings += asyncio.run(_all(settings, config))
        findings += asyncio.run(_platforms(settings))
    for finding in findings:
        typer.echo(safe(str(finding)))
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(REFUSED)


async def _all(settings: Settings, config: Config) -> Sequence[Finding]:
    """Servers are asked where there is a database that names them, and a key and tokens to ask them with."""
    import asyncio

    from bot import wiring
    from bot.doctor import run
    from bot.doctor.finding import warn
    from bot.doctor.local import is_there, local_findings
    from bot.doctor.people import people_findings
    from bot.settings import sqlite_file

    database = sqlite_file(settings)
    try:
        agents = wiring.agents_of(settings, wiring.artifacts_of(settings, only_look=True))
        named = database is None or is_there(database)
        servers = await asyncio.to_thread(wiring.servers_in, settings) if named else ()
    except wiring.expected() as error:
        why = warn(f"Servers: none was asked: {str(error).rstrip('.')}.", "mend that first, then ask the doctor again")
        return [*await asyncio.to_thread(local_findings, settings, config), *people_findings(settings), why]
    try:
        return await run(settings, agents, servers, wiring.SystemClock(), config)
    finally:
        await agents.close()


async def _platforms(settings: Settings) -> Sequence[Finding]:
    """The chats that are switched on."""
    from bot import wiring
    from bot.doctor.finding import Finding, fail
    from bot.settings import SettingsError

    try:
        found = [Finding(*told) for told in await wiring.slack_findings(settings, wiring.SystemClock())]
    except SettingsError as error:
        found = [fail(f"Slack: {problem}", "see docs/slack.md") for problem in error.problems]
    try:
        return [*found, *(Finding(*told) for told in await wiring.discord_findings(settings, wiring.SystemClock()))]
    except SettingsError as error:
        return [*found, *(fail(f"Discord: {problem}", "see docs/discord.md") for problem in error.problems)]
