"""`ashat doctor`: looks at everything that a working bot needs, and says of each what is wrong and what mends it.

It only looks: nothing is repaired, configured or made. Servers are asked through the same port as the bot asks them, so
what is well here is well for the bot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bot.doctor.finding import Finding, fail, ok
from bot.doctor.local import local_findings
from bot.doctor.people import people_findings
from bot.doctor.servers import server_findings
from bot.settings import Settings, SettingsError, load
from core.ports import Agents, Clock
from core.state import Server

__all__ = ["Finding", "read", "run"]


def read(path: Path) -> tuple[Settings | None, list[Finding]]:
    """The settings at `path`, where they can be used, and what there is to say of them."""
    try:
        settings = load(path)
    except SettingsError as error:
        return None, [fail(problem, f"edit {path}; config.example.toml has every key") for problem in error.problems]
    return settings, [ok(f"Settings: {path} is valid.")]


async def run(
    settings: Settings, agents: Agents, servers: Sequence[Server], clock: Clock, config: Path | None = None
) -> list[Finding]:
    """Everything but the settings' own validity: see `read`. `servers` are those that are configured."""
    local = await asyncio.to_thread(local_findings, settings, config)
    return [*local, *people_findings(settings), *await server_findings(settings, agents, servers, clock)]
