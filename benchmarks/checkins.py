"""Check-ins on OMEGA: many mainframes that poll, beside a server that answers after one durable update."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.agents import cpu_seconds
from benchmarks.served import token_of
from benchmarks.table import Row

MAINFRAMES = 200
_AT_ONCE = 50
_ROUNDS = 15
_BODY = b'{"after":-1,"wait":0,"reports":[]}'


@asynccontextmanager
async def _server(kind: str, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Port and process id."""
    command = [sys.executable, "-m", "benchmarks.served", kind, str(folder), str(MAINFRAMES)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(await process.stdout.readline()), process.pid
    finally:
        process.terminate()
        await process.wait()


async def _polls(port: int, name: str, times: int) -> None:
    """One mainframe on its connection. Raises where an answer is not 200."""
    head = f"POST /v1/poll HTTP/1.1\r\nHost: omega\r\nAuthorization: Bearer {token_of(name)}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(times):
        writer.write(head.encode() + _BODY)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a check-in was answered with {answer[:200]!r}")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


async def _round(port: int, times: int) -> None:
    for start in range(0, MAINFRAMES, _AT_ONCE):
        await asyncio.gather(*(_polls(port, f"m{n}", times) for n in range(start, start + _AT_ONCE)))


async def _cost(kind: str) -> tuple[float, float]:
    """Microseconds of the server's processor for one check-in, and check-ins a second."""
    with tempfile.TemporaryDirectory() as name:
        async with _server(kind, Path(name)) as (port, pid):
            await _round(port, 2)
            start, used = time.perf_counter(), cpu_seconds(pid)
            await _round(port, _ROUNDS)
            count = MAINFRAMES * _ROUNDS
            return (cpu_seconds(pid) - used) / count * 1e6, count / (time.perf_counter() - start)


async def measure() -> list[Row]:
    (ours, rate), (floor, echoes) = await _cost("omega"), await _cost("echo")
    against = f"Starlette echo with one durable update, {echoes:,.0f}/s"
    return [Row(f"check-in on OMEGA, {MAINFRAMES} mainframes ({rate:,.0f}/s)", ours, floor, "µs CPU", against, "≤ 2")]
