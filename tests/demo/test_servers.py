"""All eight agents as real processes: they answer, they end with whoever started them, and they come back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.servers import Servers, ServersError, start
from demo.updates import updates

ROOT = Path(__file__).resolve().parents[2]
BOUND = 60.0
"""Seconds, on a busy machine."""
STARTER = """
import pathlib, sys, time
from demo.servers import launch, prepared, settle
with prepared(pathlib.Path(sys.argv[1]), keep=False) as mark:
    public = launch(settle(pathlib.Path(sys.argv[1]), mark)[0])
    while not public.log.read_text().count("agent serves"):
        assert public.process.poll() is None, public.log.read_text()
        time.sleep(0.05)
print(public.process.pid, flush=True)
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


def about(servers: Servers, name: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {servers.tokens[name]}"}
    answer = httpx.get(f"{servers.urls[name]}/v1/about", headers=headers, timeout=BOUND, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = start(tmp_path_factory.mktemp("demo"))
    try:
        yield servers
    finally:
        everything = family({process.pid for process in servers.processes.values()})
        servers.stop()
        await_gone(everything)


def test_each_agent_is_who_the_demo_says(servers: Servers) -> None:
    said = {name: about(servers, name) for name in servers.running}
    mainframes = dict.fromkeys(("m1", "m2", "m3", "m4", "m5", "m6"), "mainframe")
    assert {name: each["role"] for name, each in said.items()} == {"public": "public", "omega": "omega", **mainframes}
    assert {name: each["public_key"] for name, each in said.items()} == servers.keys
    assert said["omega"]["region"] == "eu"


def test_the_licensed_mainframes_come_online(servers: Servers) -> None:
    assert online(servers) == ["m1", "m2", "m3", "m4", "m5"]


def test_nothing_runs_yet_behind_the_front_doors(servers: Servers) -> None:
    answers = {name: httpx.get(url, timeout=BOUND, trust_env=False) for name, url in servers.fronts.items()}
    assert {answer.status_code for answer in answers.values()} == {503}


def test_alpha_holds_the_updates(servers: Servers) -> None:
    assert {path.name for path in servers.alpha.iterdir()} == {f"{each.id}.{each.format}" for each in updates()}


def test_a_second_demo_in_the_same_folder_leaves_the_first_alone(servers: Servers) -> None:
    with pytest.raises(ServersError, match="A demo runs in"):
        start(servers.data)
    assert {name: about(servers, name)["public_key"] for name in servers.running} == servers.keys
    assert all(place.exists() for place in (servers.config, servers.bot_key, servers.alpha))


def test_a_starter_that_is_killed_leaves_none_behind(tmp_path: Path) -> None:
    command = (sys.executable, "-c", STARTER, str(tmp_path))
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            agent = int(process.stdout.readline())
            everything = family({process.pid})
            assert agent in {pid for pid, _ in everything}
            assert len(everything) >= 4, "the starter, the agent, its front door's keeper and the front door"
        finally:
            process.kill()
    await_gone(everything)


def online(servers: Servers) -> list[str]:
    """The licensed mainframes in OMEGA's registry, once all of them have polled."""
    headers = {"Authorization": f"Bearer {servers.tokens['omega']}"}
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        answer = httpx.get(f"{servers.urls['omega']}/v1/mainframes", headers=headers, timeout=BOUND, trust_env=False)
        licensed = [row for row in answer.json()["mainframes"] if row["licensed"]]
        if all(row["online"] for row in licensed):
            return [row["name"] for row in licensed]
        time.sleep(0.1)
    raise AssertionError(f"not all came online: {licensed}")
