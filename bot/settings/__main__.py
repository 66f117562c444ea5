"""`python -m bot.settings > config.example.toml`, and `python -m bot.settings agent > agent.example.toml`."""

from __future__ import annotations

import sys

from bot.settings.example import agent_example, example

match sys.argv[1:]:
    case []:
        sys.stdout.write(example())
    case ["agent"]:
        sys.stdout.write(agent_example())
    case _:
        sys.exit("Nothing follows `python -m bot.settings`, for the bot's example, or `agent`, for the agent's.")
