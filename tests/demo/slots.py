"""Updates of the demo, unpacked and run as the processes that they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx

from core.release.archive import Bounds, entries
from core.release.manifest import Manifest, parse_manifest
from demo.updates import Update, archive
from tests.support.ports import free_port

BOUND = 30.0
"""Seconds; what takes longer has failed, also on a busy machine."""


@dataclass(frozen=True)
class Running:
    """One update in a slot of its own."""

    manifest: Manifest
    folder: Path
    url: str
    process: subprocess.Popen[bytes]
    client: httpx.Client

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def stopped(self) -> int:
        """Ask the process to end as an agent does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND)


def unpack(update: Update, folder: Path) -> Path:
    """The artifact's files, through the reader that agents use."""
    for entry in entries(BytesIO(archive(update)), Bounds()):
        path = folder.joinpath(*entry.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(entry.data))
    return folder


@contextmanager
def running(update: Update, folder: Path) -> Iterator[Running]:
    """Migrate and start an update by its manifest's commands; healthy on entry, gone on exit."""
    manifest = parse_manifest((unpack(update, folder) / "release.toml").read_text())
    assert manifest.run.migrate is not None
    subprocess.run(manifest.run.migrate, cwd=folder, env=environment(), check=True, capture_output=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "log.txt").open("wb") as log:
        env = {**environment(), "PORT": str(port)}
        process = subprocess.Popen(manifest.run.start, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=url, timeout=BOUND, trust_env=False) as client:
            _await_health(client, manifest.health.path, process)
            yield Running(manifest, folder, url, process, client)
    finally:
        process.kill()
        process.wait()


def _await_health(client: httpx.Client, path: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        assert process.poll() is None, f"ended with status {process.returncode}"
        try:
            assert client.get(path).status_code == 200
        except httpx.ConnectError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("not healthy in time")


def environment() -> dict[str, str]:
    """What an agent gives a slot: no more than PATH."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
