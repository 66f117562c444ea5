"""All eight agents as real processes: they answer, they end with whoever started them, and they come back."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.servers import Servers, start

BOUND = 60.0
"""Seconds, on a busy machine."""
STARTER = """
import pathlib, sys
from demo.servers import start
servers = start(pathlib.Path(sys.argv[1]))
print("up", flush=True)
input()
"""

Process = tuple[int, str]
"""A pid and its start time: the two together never come again."""


def family(roots: set[int]) -> set[Process]:
    """Every process below `roots`, and they themselves."""
    rows = {
        pid: row for entry in Path("/proc").iterdir() if entry.name.isdigit() and (row := _row(pid := int(entry.name)))
    }
    found = set(roots)
    while grown := {pid for pid, (_, parent, _) in rows.items() if parent in found} - found:
        found |= grown
    return {(pid, rows[pid][2]) for pid in found if pid in rows}


def _row(pid: int) -> tuple[str, int, str] | None:
    """State, parent and start time; None where there is no such process, or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else (fields[0], int(fields[1]), fields[19])


def await_gone(processes: set[Process]) -> None:
    until = time.monotonic() + BOUND
    while left := {process for process in processes if (row := _row(process[0])) and row[2] == process[1]}:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.05)


@contextmanager
def starter(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has started the servers and now waits."""
    command = (sys.executable, "-c", STARTER, str(data))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


@contextmanager
def started(data: Path, keep: bool = False) -> Iterator[Servers]:
    servers = start(data, keep)
    try:
        yield servers
    finally:
        servers.stop()


def about(servers: Servers, name: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {servers.tokens[name]}"}
    answer = httpx.get(f"{servers.urls[name]}/v1/about", headers=headers, timeout=BOUND, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.timeout(240)
def test_a_killed_starter_leaves_none_behind_and_the_servers_come_back(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with starter(data) as process:
        first = family({process.pid})
        assert len(first) > 8
        process.send_signal(signal.SIGKILL)
        await_gone(first)
    with started(data, keep=True) as servers:
        again = family({process.pid for process in servers.processes.values()})
        roles = {name: about(servers, name)["role"] for name in servers.running}
        assert roles == {
            "public": "public",
            "omega": "omega",
            **dict.fromkeys(("m1", "m2", "m3", "m4", "m5", "m6"), "mainframe"),
        }
        assert {name: about(servers, name)["public_key"] for name in servers.running} == servers.keys
        assert about(servers, "omega")["region"] == "eu"
        assert _mainframes(servers) == {"m1": True, "m2": True, "m3": True, "m4": True, "m5": True, "m6": False}
    await_gone(again)


def _mainframes(servers: Servers) -> dict[str, bool]:
    """Which are licensed, in OMEGA's registry, once all that may poll have done so."""
    headers = {"Authorization": f"Bearer {servers.tokens['omega']}"}
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        answer = httpx.get(f"{servers.urls['omega']}/v1/mainframes", headers=headers, timeout=BOUND, trust_env=False)
        rows = answer.json()["mainframes"]
        if all(row["online"] for row in rows if row["licensed"]):
            return {row["name"]: row["licensed"] for row in rows}
        time.sleep(0.1)
    raise AssertionError(f"not all came online: {rows}")
