"""Runs an agent that ends when its parent does, however the parent ends: `python -m demo.tether --config F …`.

The parent holds the other end of this process's standard input. When it is closed, by the parent or by the system
after a crash, the agent is asked to end, as by SIGTERM.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading
import time

GRACE_SECONDS = 20.0
"""How long the agent may take to end its slots; then it is gone, and they with it, for they are tied to it."""


def main() -> None:
    """Become the agent, with this process's arguments."""
    threading.Thread(target=_watch, name="tether", daemon=True).start()
    runpy.run_module("agent", run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 4096):
        """Nothing is ever sent; only the end counts."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
