"""Ports for slots: from the settings' range, or any that is free."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

_ANY = range(24_000, 32_768)
"""Below the ports that Linux gives to connections which go out (net.ipv4.ip_local_port_range): none of those takes one
in the moment between the look and the release's own bind."""
_TRIES = 64


class NoPort(Exception):
    """Every port of the range is in use. `str(error)` is one sentence."""


class Ports:
    """A port is only looked at, not held: the release binds it itself a moment later, and may find it taken."""

    def __init__(self, host: str, bounds: tuple[int, int] | None) -> None:
        self._host = host
        self._bounds = bounds

    def choose(self, before: int | None, taken: Collection[int]) -> int:
        """The one it had `before`, so that its address stays; else a free one. Raises NoPort where none is left."""
        if before and self.is_free(before):
            return before
        if self._bounds is None:
            return self._any(taken)
        low, high = self._bounds
        for port in range(low, high + 1):
            if port not in taken and self.is_free(port):
                return port
        raise NoPort(f"every port from {low} to {high} is in use; withdraw a slot or widen slot_ports")

    def is_free(self, port: int) -> bool:
        with self._socket() as probe:
            try:
                probe.bind((self._host, port))
            except OSError:
                return False
            return True

    def _any(self, taken: Collection[int]) -> int:
        for port in random.sample(_ANY, _TRIES):
            if port not in taken and self.is_free(port):
                return port
        with self._socket() as probe:
            probe.bind((self._host, 0))
            return int(probe.getsockname()[1])

    def _socket(self) -> socket.socket:
        probe = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe
