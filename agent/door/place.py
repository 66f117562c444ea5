"""The folder in which agent and front door meet: the route table, where the door listens, and its status socket."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

ROUTES = "routes.json"
LISTENING = "listening.json"
STATUS_SOCKET = "door.sock"


@contextlib.contextmanager
def status_address(folder: Path) -> Iterator[str]:
    """The status socket's address, however deep its folder is: a socket's own path may have 107 bytes only."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{STATUS_SOCKET}"
    finally:
        os.close(handle)
