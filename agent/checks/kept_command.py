"""One of the settings' commands, run to its end: nothing of it goes on alone, whatever happens to the agent."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agent.checks.process import KEPT, PATH, Finished
from agent.processes.kept import Ending, Keepers, Plan, User, alive, ending

_LOOK = 0.02
"""Seconds between two looks at whether it has ended."""
_GRACE = 10.0
"""Seconds for a keeper to kill everything."""


async def run_command(
    command: tuple[str, ...], folder: Path, environment: Mapping[str, str], run_as: User | None
) -> Finished:
    """Run `command` in `folder` as `run_as`; nothing of the agent's environment is passed on.

    A caller that is cancelled, by its deadline say, takes all of it along, and so does an agent that is killed.
    Raises agent.processes.kept.NotStarted.
    """
    keepers = Keepers(tied=True)
    with tempfile.TemporaryDirectory(prefix="ashat-check-") as scratch:
        run, log = Path(scratch, "run"), Path(scratch, "log")
        env = {"PATH": PATH, "LANG": "C.UTF-8", **environment}
        plan = Plan(command, str(folder), env, str(log), KEPT, stop_seconds=0.0, user=run_as)
        try:
            await keepers.start(run, plan)
            while alive(run):
                keepers.reap()
                await asyncio.sleep(_LOOK)
        finally:
            await keepers.stop(run, _GRACE)
            keepers.reap()
        outcome = ending(run)
        output = await asyncio.to_thread(log.read_text, errors="replace")
    return Finished(_status(outcome), output)


def _status(outcome: Ending | None) -> int:
    """Negative for the signal that ended it. One without an ending was killed together with its keeper."""
    if outcome is None:
        return -signal.SIGKILL
    return -outcome.signal or outcome.code
