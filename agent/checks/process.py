"""A program run for a check: a group of its own, a clean environment, bounded output, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KEPT = 64 * 1024
"""Bytes of output that are kept, counted from its end: what a program says last is why it failed."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAST_WORDS = 1.0
"""Seconds that a pipe may stay open after its group was killed; only a program that left the group keeps it so."""


@dataclass(frozen=True)
class Finished:
    """`status` is the exit status, negative for the signal that ended it; `output` is stdout and stderr together."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        lines = self.output.strip().splitlines()
        return lines[-1] if lines else "no output"


async def run_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, stdin: bytes = b""
) -> Finished:
    """Run `command` in `folder` until it ends; nothing of the agent's environment is passed on.

    A caller that is cancelled, by its deadline say, takes the whole process group with it. Raises OSError where the
    program cannot be started.
    """
    reader, transport, outlet = await _pipe()
    try:
        with tempfile.TemporaryFile() as source:
            source.write(stdin)
            source.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=folder,
                    env={"PATH": PATH, "LANG": "C.UTF-8", **(environment or {})},
                    stdin=source,
                    stdout=outlet,
                    stderr=outlet,
                    start_new_session=True,
                )
            finally:
                os.close(outlet)
        return await _finished(process, reader)
    finally:
        transport.close()


async def _finished(process: asyncio.subprocess.Process, reader: asyncio.StreamReader) -> Finished:
    reading = asyncio.create_task(_tail(reader))
    try:
        status = await process.wait()
        _kill_group(process.pid)  # what it left running would hold the pipe, and outlive the check
        await asyncio.wait({reading}, timeout=_LAST_WORDS)
        output = reading.result() if reading.done() else b""
    finally:
        reading.cancel()
        if process.returncode is None:
            _kill_group(process.pid)
            await process.wait()
    return Finished(status, output.decode(errors="replace"))


async def _pipe() -> tuple[asyncio.StreamReader, asyncio.ReadTransport, int]:
    """A pipe of our own: with asyncio's, some versions of Python wait for the pipe, not for the process."""
    inlet, outlet = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(inlet, "rb", 0)
    )
    return reader, transport, outlet


async def _tail(reader: asyncio.StreamReader) -> bytes:
    kept = b""
    while chunk := await reader.read(KEPT):
        kept = (kept + chunk)[-KEPT:]
    return kept


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended already
