"""The front door's route table: which component is where. Written by the agent, read by the door on every request.

Standard library only: the door is a process of its own that should stay small.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Route:
    """Requests whose path is below `prefix` go to `upstream` (`host:port`); without one, people read `says`."""

    prefix: str
    component: str
    upstream: str | None
    says: str = ""

    def covers(self, path: str) -> bool:
        whole = self.prefix.rstrip("/")
        return path == whole or path.startswith(f"{whole}/")


def routes_text(routes: Iterable[Route]) -> bytes:
    """The table's file. The same routes give the same bytes."""
    return json.dumps([asdict(route) for route in routes], indent=1).encode()


class RouteTable:
    """The table as it is now: the file is looked at each time, and read again when another has taken its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._routes: list[Route] = []

    def find(self, path: str) -> Route | None:
        """The route with the longest prefix that covers `path`."""
        return next((route for route in self._current() if route.covers(path)), None)

    def _current(self) -> list[Route]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen != self._seen:
            routes = [Route(**item) for item in json.loads(self._path.read_bytes())]
            self._routes = sorted(routes, key=lambda route: -len(route.prefix))
            self._seen = seen
        return self._routes
