"""A real agent in a process of its own, and what the system says of a process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import httpx
from securesystemslib.signer import CryptoSigner

from core.release.signing import public_text

TOKEN = "the-bots-token-of-the-benchmark"
_PATIENCE = 30.0
_SETTINGS = """
role = "public"
name = "measured"
listen = "127.0.0.1:{port}"
data = "data"
allow_same_user = true
[front]
listen = "127.0.0.1:{front}"
routes = {{ main = "/" }}
[trust]
bot_keys = ["{key}"]
bot_token_sha256 = "{token}"
"""


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had (VmHWM, proc(5))."""
    return _status_kib(pid, "VmHWM") / 1024


def resident_mib(pid: int) -> float:
    """Its memory now (VmRSS)."""
    return _status_kib(pid, "VmRSS") / 1024


def _status_kib(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@asynccontextmanager
async def agent(folder: Path, signer: CryptoSigner) -> AsyncIterator[tuple[str, int, float]]:
    """Its URL, process id, and milliseconds from exec to the first answer."""
    port, front = free_port(), free_port()
    token, key = sha256(TOKEN.encode()).hexdigest(), public_text(signer)
    config = folder / "agent.toml"
    config.write_text(_SETTINGS.format(port=port, front=front, key=key, token=token))
    command = [sys.executable, "-m", "agent", "--config", str(config), "--end-slots"]
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        await answers(url, process)
        yield url, process.pid, (time.perf_counter() - started) * 1e3
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answers(url: str, process: asyncio.subprocess.Process) -> None:
    """Until the first answer. Raises RuntimeError where the process ends before it, TimeoutError where none comes."""
    async with asyncio.timeout(_PATIENCE), httpx.AsyncClient(trust_env=False) as client:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"it ended with {process.returncode} before it listened")
            try:
                await client.get(f"{url}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.005)
            else:
                return


def cpu_seconds(pid: int) -> float:
    """What a process has used, in user and system mode (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))
