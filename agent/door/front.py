"""The agent's side of the front door: it writes the routes, keeps the process, and asks what is in flight."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import agent
from agent.door.place import LISTENING, ROUTES, status_address
from agent.door.routes import Route, routes_text
from agent.files import read_or_none, write_durably
from agent.processes.kept import Keepers, NotStarted, Plan, alive
from agent.processes.words import last_words
from agent.settings import split_address

_LOG_BYTES = 1024 * 1024
_OPENS_WITHIN = 30.0
"""Seconds; a door opens in 0.2 s."""
_ASK = 5.0
"""Seconds for the door to say what is in flight."""


class FrontDoor:
    """One front door: a folder with its route table, its records and its log."""

    def __init__(self, folder: Path, listen: str, keepers: Keepers) -> None:
        self._folder = folder
        self._listen = listen
        self._keepers = keepers
        self._run = folder / "run"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def publish(self, routes: Iterable[Route]) -> bool:
        """Make these the routes from the next request on; False where they are so already."""
        text = routes_text(routes)
        path = self._folder / ROUTES
        if read_or_none(path) == text:
            return False
        write_durably(path, text)
        return True

    @property
    def alive(self) -> bool:
        return alive(self._run)

    async def keep(self) -> None:
        """Start the door where it does not run, and return once it listens. Raises agent.processes.kept.NotStarted."""
        host, port = split_address(self._listen)
        if port == 0:
            port = self.port or 0
        argv = (sys.executable, "-m", "agent.door", "--listen", f"{host}:{port}", "--folder", str(self._folder))
        root = str(Path(agent.__file__).parent.parent)
        plan = Plan(argv, str(self._folder), {"PYTHONPATH": root}, str(self._folder / "log"), _LOG_BYTES)
        await self._keepers.start(self._run, plan)
        until = time.monotonic() + _OPENS_WITHIN
        while not await self._answers():
            if not self.alive or time.monotonic() > until:
                words = last_words(self._folder / "log", ())
                raise NotStarted(f"the front door does not listen on {self._listen}: {words}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        await self._keepers.stop(self._run, grace=20.0)

    @property
    def port(self) -> int | None:
        """Where it listens, or did last; None before its first start."""
        data = read_or_none(self._folder / LISTENING)
        return None if data is None else int(json.loads(data)["port"])

    async def in_flight(self) -> dict[str, int]:
        """Requests that are not answered to the end, by upstream; nothing where the door does not run."""
        return await self._ask() or {}

    async def _answers(self) -> bool:
        return await self._ask() is not None

    async def _ask(self) -> dict[str, int] | None:
        try:
            async with asyncio.timeout(_ASK):
                with status_address(self._folder) as address:
                    reader, writer = await asyncio.open_unix_connection(address)
                data = await reader.read()
                writer.close()
        except (FileNotFoundError, ConnectionError):
            return None
        return {str(upstream): int(count) for upstream, count in json.loads(data).items()}
