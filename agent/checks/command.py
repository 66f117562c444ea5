"""An added command on the server: only its name crosses the wire, what it runs stands in the agent's settings."""

from __future__ import annotations

from agent.checks.context import CheckContext, Finding, Passed, Unmet
from agent.checks.options import CommandOptions
from agent.checks.process import run_process
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
    if "/" in command[0] and not command[0].startswith("/"):
        # It would be looked up in the slot's folder, and so be a program of the release under test.
        raise Unmet("an absolute path or a bare name in the agent's settings", command[0], where)
    context.place.where, context.place.seen = where, "still running, so it was ended"
    environment = {"SLOT_URL": context.target.url, "SLOT_DIGEST": context.target.digest}
    try:
        finished = await run_process(command, context.target.folder, environment)
    except OSError as error:
        raise Unmet("a command that starts", f"{error.strerror or error}: {command[0]}", where) from error
    if finished.status:
        seen = f"exit status {finished.status}: {clean(finished.last_line, 200)}"
        raise Unmet("exit status 0", seen, where)
