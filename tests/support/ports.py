"""Ports for servers that are started a moment later."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _EACH, _WORKERS = 10_000, 1_400, 16
"""Below those that systems give to whoever asks for any (Linux: from 32768), so that nobody gets one in the meantime;
so many for each of the processes that share the tests."""
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_numbers = itertools.cycle(range(_FIRST + _worker * _EACH, _FIRST + (_worker + 1) * _EACH))


def free_port() -> int:
    """One that nobody has now, and that no other test is given before a thousand others."""
    for port in itertools.islice(_numbers, _EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
