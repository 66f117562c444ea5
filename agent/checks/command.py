"""An added command on the server: only its name crosses the wire, what it runs stands in the agent's settings."""

from __future__ import annotations

from agent.checks.context import CheckContext, Finding, Passed, Unmet
from agent.checks.kept_command import run_command
from agent.checks.options import CommandOptions
from agent.processes.kept import NotStarted
from core.release.text import clean


async def run(context: CheckContext, options: CommandOptions) -> Finding:
    """Raises Unmet where the settings name no such command, it cannot start, or its exit status is not 0."""
    command = context.settings.commands.get(options.name)
    where = f"command {options.name}"
    if command is None:
        known = ", ".join(sorted(context.settings.commands)) or "none"
        raise Unmet(f"{options.name} under [checks] commands in the agent's settings", f"only {known}", where)
    await run_clean(context, command, where)
    return Passed()


async def run_clean(context: CheckContext, command: tuple[str, ...], where: str) -> None:
    """Run one of the settings' commands in the slot's folder; exit status 0 is the only good end. Raises Unmet."""
    context.place.where, context.place.seen = where, "still running, so it was ended"
    environment = {"SLOT_URL": context.target.url, "SLOT_DIGEST": context.target.digest}
    try:
        finished = await run_command(command, context.target.folder, environment, context.run_as)
    except NotStarted as error:
        raise Unmet("a command that starts", str(error), where) from error
    if finished.status:
        seen = f"exit status {finished.status}: {clean(finished.last_line, 200)}"
        raise Unmet("exit status 0", seen, where)
