"""Signed slash commands to the bot, from the request to its ack, beside bare Bolt apps and an echo, in one run.

The bot does all that it does after an ack: it answers, journals, edits cards, tells the channel. The others do nothing.
They take turns, in short rounds on connections that are open; the first round of each warms it up, and the rows are the
medians of the others.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks.slack_served import API
from benchmarks.slack_typed import UPDATES, request
from benchmarks.table import Row

FLIGHTS = (1, 16, 64)
_CARRIED_OUT = (
    "Slack, carried out: the floor does nothing after its ack. Ours looks into the database (status), or decides and "
    "commits (note), draws the answer, and posts it to the response URL in a request of its own."
)
_COMMANDS = 256
"""Of each kind, in one go: a busier minute than any team has."""
_ROUNDS = 9
_PATIENCE = 120.0
"""Seconds in which the bot must have answered what it acknowledged."""


@asynccontextmanager
async def served(kind: str, folder: Path, api: str = "") -> AsyncIterator[int]:
    """The server's port."""
    command = [sys.executable, "-m", "benchmarks.slack_served", kind, str(folder)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env={**os.environ, API: api})
    try:
        assert process.stdout is not None
        yield int(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def acknowledged(port: int, requests: list[bytes], flight: int) -> tuple[list[float], float]:
    """Seconds to each ack, and in all, with `flight` requests on their way at a time. Raises where one is refused."""
    queue, found = iter(requests), []

    async def person(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for raw in queue:
            start = time.perf_counter()
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            found.append(time.perf_counter() - start)
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"a command was answered with {head[:100]!r}")

    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(flight)]
    start = time.perf_counter()
    await asyncio.gather(*(person(*connection) for connection in connections))
    took = time.perf_counter() - start
    for _, writer in connections:
        writer.close()
    return found, took


def typed(text: str, api: str) -> list[bytes]:
    """`note` goes to one deployment after the other."""
    words = (
        f"note {UPDATES[number % len(UPDATES)]} 'Seen by all'" if text == "note" else text
        for number in range(_COMMANDS)
    )
    return [request(line, number, f"{api}respond") for number, line in enumerate(words)]


Go = tuple[list[float], float, float]
"""Seconds to each ack, to the last one, and until everything was answered."""
Times = dict[str, list[Go]]


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            folder = Path(name)
            api = f"http://127.0.0.1:{await stack.enter_async_context(served('api', folder))}/"
            ports = {
                kind: await stack.enter_async_context(served(kind, folder, api))
                for kind in ("bot", "acks", "inserts", "echo")
            }
            rows: list[Row] = []
            for text, floor, aim in (("status", "acks", "≤ 1.5"), ("note", "inserts", "≤ 1.5")):
                for flight in FLIGHTS:
                    times = await _in_turn(ports, ("bot", floor, "echo"), text, api, flight)
                    rows += _rows(text, flight, times, floor, aim)
    return rows


async def _in_turn(ports: dict[str, int], kinds: tuple[str, ...], text: str, api: str, flight: int) -> Times:
    """One after the other, again and again, so that what else the machine does falls on all."""
    found: Times = {kind: [] for kind in kinds}
    async with httpx.AsyncClient(base_url=api, timeout=_PATIENCE) as slack:
        for _ in range(_ROUNDS + 1):
            for kind in kinds:
                before, start = await answered(slack, 0), time.perf_counter()
                each, whole = await acknowledged(ports[kind], typed(text, api), flight)
                await answered(slack, before + _COMMANDS * (kind == "bot"))
                found[kind].append((each, whole, time.perf_counter() - start))
    return {kind: goes[1:] for kind, goes in found.items()}


async def answered(slack: httpx.AsyncClient, count: int) -> int:
    """How many answers have reached Slack, once there are `count`: what was acknowledged is carried out and answered.

    Raises httpx.ReadTimeout.
    """
    return int((await slack.get(f"answered/{count}")).text)


def _rows(text: str, flight: int, times: Times, floor: str, aim: str) -> list[Row]:
    named = {"acks": "bare Bolt that acks", "inserts": "bare Bolt, one fsynced insert", "echo": "Starlette echo"}
    what = f"Slack {text}, {flight} in flight"
    rows = [
        Row(f"{what}, {word}", _over(times["bot"], of), _over(times[floor], of), "ms", named[floor], aim)
        for word, of in (("p50", _p50), ("p99", _p99), ("a command", _each))
    ]
    ours, theirs = _over(times["bot"], _done), _over(times[floor], _each)
    rows.append(Row(f"{what}, carried out", ours, theirs, "ms", named[floor], why=_CARRIED_OUT))
    return [*rows, Row(f"{what}, p50", _over(times["bot"], _p50), _over(times["echo"], _p50), "ms", named["echo"])]


def _over(goes: list[Go], of: Callable[[Go], float]) -> float:
    return median(map(of, goes)) * 1000


def _p50(go: Go) -> float:
    return median(go[0])


def _p99(go: Go) -> float:
    return quantiles(go[0], n=100)[98]


def _each(go: Go) -> float:
    """One over the acks a second."""
    return go[1] / len(go[0])


def _done(go: Go) -> float:
    """One over the commands a second that are decided and answered too."""
    return go[2] / len(go[0])
