"""An artifact of 1 GiB to a real agent, hashed while it streams, beside `cp` and sha256sum of the same file."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
from pydantic import SecretStr
from securesystemslib.signer import CryptoSigner

from adapters.servers.failures import Patience
from adapters.servers.link import Credential, Link
from adapters.servers.upload import BLOCK, upload
from benchmarks.agents import TOKEN, agent, peak_mib, resident_mib
from benchmarks.table import Row

SIZE = 1024 * 1024 * 1024


def _artifact(path: Path) -> str:
    """Random bytes, repeated: what matters is their number."""
    block, sha256 = os.urandom(BLOCK), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // BLOCK):
            file.write(block)
            sha256.update(block)
    return sha256.hexdigest()


def _floor(path: Path) -> float:
    """Seconds of a copy that is on disk, and then its hash."""
    copy = path.with_suffix(".copy")
    start = time.perf_counter()
    subprocess.run(["cp", path, copy], check=True)
    subprocess.run(["sync", copy], check=True)
    subprocess.run(["sha256sum", copy], check=True, capture_output=True)
    copy.unlink()
    return time.perf_counter() - start


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "artifact"
        digest = await asyncio.to_thread(_artifact, path)
        floor = await asyncio.to_thread(_floor, path)
        async with agent(folder, CryptoSigner.generate_ed25519()) as (url, pid, _), httpx.AsyncClient() as client:
            link = Link(client, "measured", url, Credential(SecretStr(TOKEN)), Patience())
            before, mine = resident_mib(pid), resident_mib(os.getpid())
            start = time.perf_counter()
            await upload(link, digest, path, lambda done, total: None)
            took = time.perf_counter() - start
            grown = (peak_mib(pid) - before) + max(0.0, resident_mib(os.getpid()) - mine)
    block = BLOCK / 1024 / 1024
    return [
        Row("upload of 1 GiB, hashed and synced", took, floor, "s", "cp, sync and sha256sum"),
        Row("memory that both sides add for 1 GiB", grown, block, "MiB", "one block of the stream", "flat: ≤ 52 each"),
    ]
