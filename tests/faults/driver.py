"""`ashat run` as a process that is quick to start: everything is imported once, and each line on standard input forks.

The process that runs the bot is a real one, with its own memory, sockets and connections; only its imports are done.
"""

from __future__ import annotations

import os
import sys

import adapters.artifacts.content
import adapters.artifacts.folder
import adapters.servers.client
import adapters.shell.server
import adapters.store.sql
import adapters.terminal  # noqa: F401 - the adapters that the bot imports when it starts
import bot.app
import bot.cli.run
import bot.notifier
import bot.reconciler
from bot.cli import main

LEASE = 1.0
"""Seconds instead of the bot's own 15: how long a bot that was killed keeps its work and its channels from the next."""
EDIT_GAP = 0.3
"""Seconds instead of 3 between two edits of a card."""


def serve() -> None:
    """Run a bot for each line, and tell its process id; then that it has ended."""
    bot.notifier.LEASE = bot.reconciler.LEASE = LEASE
    bot.app.EDIT_GAP = EDIT_GAP
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(2, 1)
            main()
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    serve()
