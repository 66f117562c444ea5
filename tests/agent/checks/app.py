"""A small real HTTP server that a test tells what to answer, and what surrounds a check."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.checks.context import CheckContext
from agent.checks.run import run_check
from agent.checks.target import Target
from agent.settings import CheckSettings
from core.release.manifest import Manifest
from core.release.wire import CheckKind, CheckReport, CheckWanted

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DIGEST = "ab" * 32
PATIENCE = 20.0
"""Seconds after which a test gives up waiting; never waited for in a test that passes."""


@dataclass
class Route:
    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hangs: bool = False


def json_route(body: Any, status: int = 200) -> Route:
    return Route(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


class App:
    """Answers what `routes` says, 404 elsewhere; `asked` lists the requests in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.routes: dict[str, Route] = {"/healthz": Route(), "/": Route()}
        self.otherwise = Route(404, b"no such page")
        self.asked: list[str] = []
        self.answer: Callable[[str], Route] = lambda path: self.routes.get(path, self.otherwise)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def target(self, manifest: Mapping[str, Any] | None = None, digest: str = DIGEST) -> Target:
        declared = Manifest.model_validate({"run": {"start": ["true"]}, **(manifest or {})})
        return Target(self.url, self.folder, self.folder, declared, digest)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                self.asked.append(path)
                await self._reply(writer, method, self.answer(path))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is done, or the test is
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _reply(self, writer: asyncio.StreamWriter, method: str, route: Route) -> None:
        if route.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(route.delay)
        headers = {"Content-Length": str(len(route.body)), **route.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = b"" if method == "HEAD" else route.body
        writer.write(f"HTTP/1.1 {route.status} Status\r\n{lines}\r\n".encode() + body)
        await writer.drain()


async def check(
    target: Target,
    kind: CheckKind,
    options: Mapping[str, Any] | None = None,
    *,
    timeout: float = PATIENCE,  # noqa: ASYNC109 - it is the check's own setting
    baseline: Target | None = None,
    address: str = "http://127.0.0.1:1",
    settings: CheckSettings | None = None,
    clock: Callable[[], datetime] = lambda: NOW,
) -> CheckReport:
    """Run one check as a verification would."""
    wanted = CheckWanted(name=kind, kind=kind, timeout=timeout, options=dict(options or {}))
    context = CheckContext(target, baseline, address, settings or CheckSettings(), clock)
    return await run_check(context, wanted)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes by itself; a test that waits in vain fails after PATIENCE."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it watches code that has no event to wait for
            await asyncio.sleep(0.005)
