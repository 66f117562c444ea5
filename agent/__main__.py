"""`python -m agent --config agent.toml`: serve as one of the roles public, omega, mainframe."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from agent.logs import configure_logs
from agent.settings import SettingsError, load_settings


def main(config: Path, end_slots_on_exit: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status (2 where the settings are wrong).

    Front door and releases go on running without the agent, and are adopted by the next one. `end_slots_on_exit` ends
    every process with the agent, even if it is killed: each keeper holds the other end of a pipe that then breaks.
    """
    from agent.processes.kept import NotStarted
    from agent.program import serve

    try:
        settings = load_settings(config)
        configure_logs(settings.name)
        asyncio.run(serve(settings, os.environ, end_slots=end_slots_on_exit))
    except (SettingsError, NotStarted) as error:
        for problem in str(error).splitlines():
            print(f"ashat agent: {problem}", file=sys.stderr)  # noqa: T201 - for the person who started it
        return 2
    return 0


def command_line(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m agent", description="The program that runs on a server.")
    parser.add_argument("--config", required=True, type=Path, help="the agent's settings (TOML)")
    parser.add_argument("--end-slots", action="store_true", help="end every process that was started, when it ends")
    options = parser.parse_args(arguments)
    return main(options.config, options.end_slots)


if __name__ == "__main__":
    sys.exit(command_line())
