"""A way to a server on which requests are cut, held up or answered by somebody else, as a test says.

Every connection carries one request: then a cut is a cut of exactly that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

Way = Literal["before", "body", "after", "answer", "delay", "hang", "late", "garbage", "nonsense", "error"]
"""Where, or how, a request fails.

before: it does not get there. body: half of it does. after: it takes effect, and no byte of the answer comes back.
answer: half of the answer does. delay: it takes its time. hang: it does not get there, and nobody says so. late: it
takes effect, and nobody says so. garbage: it takes effect, and what comes back is no HTTP. nonsense: it takes effect,
and what comes back is nothing that an agent says. error: it does not get there, and something in between says 500.
"""
WAYS: tuple[Way, ...] = get_args(Way)
SILENT: frozenset[Way] = frozenset({"hang", "late"})
"""What is over only when whoever asked runs out of patience."""

_HEAD_LIMIT = 65536
_BLOCK = 65536
_DELAY = 0.2
"""Seconds."""
_FOREVER = 60.0
"""Seconds; longer than anybody who asks here waits."""
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone"
_NONSENSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"
    b'{"what": "ever"}'
)
_GARBAGE = b"\x00\xff\x16\x03 220 smtp ready\r\n" * 3

Rule = Callable[[str, str], Way | None]
"""By the server's name and what is asked of it, as `PUT slots`: how that request fails, if at all."""


@dataclass
class Script:
    """Passes everything on, until it is told what to cut; remembers what was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    cut: list[tuple[str, str, Way]] = field(default_factory=list)
    _next: dict[tuple[str, str], Way] = field(default_factory=dict)

    def __call__(self, place: str, label: str) -> Way | None:
        self.asked.append((place, label))
        way = self._next.pop((place, label), None)
        if way is not None:
            self.cut.append((place, label, way))
        return way

    def once(self, place: str, label: str, way: Way) -> None:
        """The next request of this kind fails so."""
        self._next[place, label] = way

    def forget(self) -> None:
        """What was not reached is not cut any more."""
        self._next.clear()
        self.asked.clear()


@dataclass
class Flaky:
    """Each request fails with `probability`, in one of `ways`."""

    probability: float
    random: Random
    ways: tuple[Way, ...] = WAYS
    asked: int = 0
    cut: int = 0

    def __call__(self, place: str, label: str) -> Way | None:
        self.asked += 1
        if self.random.random() >= self.probability:
            return None
        way = self.random.choice(self.ways)
        if label == "POST poll" and way in SILENT:
            return "before"  # a mainframe is patient with a poll for more than a minute
        self.cut += 1
        return way


class _Aborted(Exception):
    """This connection ends here, without a goodbye."""


class Proxy:
    """One server's. `rule` may be replaced at any time."""

    def __init__(self, place: str, url: str, rule: Rule) -> None:
        self.place = place
        self.rule = rule
        self.url = ""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._there = (parts.hostname, parts.port)
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._request(reader, writer)
            await writer.drain()
            writer.close()
        except (_Aborted, ConnectionError, asyncio.IncompleteReadError):
            """Whoever asked, or the server, or the rule cut it."""
        finally:
            if not writer.is_closing():
                writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        way = self.rule(self.place, label_of(head))
        match way:
            case "before":
                raise _Aborted
            case "hang":
                await asyncio.sleep(_FOREVER)
            case "error":
                writer.write(_ERROR)
                return
            case "delay":
                await asyncio.sleep(_DELAY)
        await self._passed_on(head, way, reader, writer)

    async def _passed_on(
        self, head: bytes, way: Way | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, out = await asyncio.open_connection(*self._there, limit=_HEAD_LIMIT)
        try:
            await _send(head, reader, out, half=way == "body")
            if way in ("after", "late", "garbage", "nonsense", "answer"):
                answer = await there.read(-1)
                await self._answered_otherwise(answer, way, writer)
                return
            await _until_either(_copy(there, writer), _gone(reader))
        finally:
            out.transport.abort()

    async def _answered_otherwise(self, answer: bytes, way: Way, writer: asyncio.StreamWriter) -> None:
        match way:
            case "answer":
                writer.write(answer[: len(answer) // 2])
                await writer.drain()
                raise _Aborted
            case "late":
                await asyncio.sleep(_FOREVER)
            case "garbage":
                writer.write(_GARBAGE)
            case "nonsense":
                writer.write(_NONSENSE)
            case _:
                raise _Aborted

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def label_of(head: bytes) -> str:
    """`PUT /v1/slots/v1.1 HTTP/1.1` is `PUT slots`."""
    method, target, *_ = head.split(b" ", 2)
    parts = target.decode().split("?")[0].strip("/").split("/")
    return f"{method.decode()} {parts[1] if len(parts) > 1 else parts[0]}"


async def _send(head: bytes, reader: asyncio.StreamReader, out: asyncio.StreamWriter, *, half: bool) -> None:
    """The request, told that no other one follows. Raises _Aborted in the middle of it, where only `half` is to go."""
    lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
    length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    if half and not length:
        out.write(head[: len(head) // 2])
        await out.drain()
        raise _Aborted
    out.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
    left = length // 2 if half else length
    while left:
        block = await reader.read(min(left, _BLOCK))
        if not block:
            raise _Aborted
        out.write(block)
        await out.drain()
        left -= len(block)
    if half:
        raise _Aborted


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(_BLOCK):
        writer.write(block)
        await writer.drain()


async def _gone(reader: asyncio.StreamReader) -> None:
    """Whoever asked has hung up: the server is told so, as it would be without a proxy."""
    await reader.read(1)
    raise _Aborted


async def _until_either(*jobs: Coroutine[Any, Any, None]) -> None:
    """Until the first has ended; what it raised is raised."""
    tasks = {asyncio.ensure_future(job) for job in jobs}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(servers: Iterable[tuple[str, str]], rule: Rule) -> AsyncIterator[dict[str, Proxy]]:
    """A proxy on this machine for each named address; by name."""
    proxies = {name: Proxy(name, url, rule) for name, url in servers}
    listening = []
    try:
        for proxy in proxies.values():
            server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, limit=_HEAD_LIMIT)
            listening.append(server)
            proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxies
    finally:
        for server in listening:
            server.close()
        for proxy in proxies.values():
            await proxy.close()
