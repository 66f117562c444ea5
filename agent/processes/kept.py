"""Processes that outlive the agent: each has a keeper (`keeper.py`), is recorded on the disk, and is found again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agent.files import read_or_none
from agent.processes import keeper

_KEEPER = Path(__file__).with_name("keeper.py")
_LOOK = 0.02
"""Seconds between two looks at a process that is about to start or to end."""
_KEEPER_STARTS_WITHIN = 30.0
"""Seconds: a keeper starts in 20 ms; a machine that takes this long is not well."""


@dataclass(frozen=True)
class User:
    """Whom a process runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """All that a keeper is told. `limits` maps names like RLIMIT_NOFILE to numbers; times are in seconds."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    log: str
    log_bytes: int
    stop: tuple[str, ...] | None = None
    stop_seconds: float = 10.0
    limits: Mapping[str, int] = field(default_factory=dict)
    user: User | None = None


@dataclass(frozen=True)
class Ending:
    """How a process ended: exit status, or the signal that ended it (0: none)."""

    code: int
    signal: int

    def __str__(self) -> str:
        return f"was ended by {signal.Signals(self.signal).name}" if self.signal else f"ended with status {self.code}"


class NotStarted(Exception):
    """A keeper did not come up. `str(error)` is one sentence."""


class _Child:
    """A keeper that this process started, and its lifeline, an open pipe, where it is tied."""

    def __init__(self, pid: int, lifeline: int | None) -> None:
        self._pid = pid
        self._lifeline = lifeline
        self._status: int | None = None

    def exit_status(self) -> int | None:
        """None while it runs; asking takes it in, so that it does not stay as a zombie."""
        if self._status is None:
            done, status = os.waitpid(self._pid, os.WNOHANG)
            if done:
                self._status = os.waitstatus_to_exitcode(status)
                if self._lifeline is not None:
                    os.close(self._lifeline)
        return self._status


class Keepers:
    """Starts, finds and ends kept processes. `tied`: they end when this process does, however it ends."""

    def __init__(self, tied: bool = False) -> None:
        self._tied = tied
        self._children: list[_Child] = []

    async def start(self, run: Path, plan: Plan) -> None:
        """Start `plan` with its records in the folder `run`; nothing happens where it already runs.

        Returns once the process is recorded, or has already ended. Raises NotStarted.
        """
        if alive(run):
            return
        _clear_away(run)
        child = self._spawn(run, plan)
        until = time.monotonic() + _KEEPER_STARTS_WITHIN
        while not alive(run):
            match child.exit_status():
                case 0:
                    return
                case None | keeper.ALREADY_KEPT if time.monotonic() < until:
                    await asyncio.sleep(_LOOK)
                case _:
                    raise NotStarted(f"the keeper of {plan.argv[0]} did not come up; its last words are in {plan.log}")

    async def stop(self, run: Path, grace: float) -> None:
        """Ask the process in `run` to stop, and return once all of it is gone; nothing where it does not run.

        The keeper kills what has not stopped after its plan's `stop_seconds`; should the keeper itself hang for
        `grace` seconds, it is killed, and the kernel takes the process with it.
        """
        pid = _keeper_of(run)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + grace
        while pid is not None and _keeper_of(run) == pid:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
            self.reap()
            await asyncio.sleep(_LOOK)
        _end_orphans(run)

    def reap(self) -> None:
        """Take in keepers that have ended."""
        self._children = [child for child in self._children if child.exit_status() is None]

    def _spawn(self, run: Path, plan: Plan) -> _Child:
        text = json.dumps({**asdict(plan), "env": dict(plan.env), "run": str(run), "tied": self._tied})
        reading, writing = os.pipe()
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-X", "utf8", str(_KEEPER)],
            {},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reading, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD],
        )
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8", closefd=not self._tied) as pipe:
            pipe.write(text + "\n")
        child = _Child(pid, writing if self._tied else None)
        self._children.append(child)
        return child


def alive(run: Path) -> bool:
    """Whether the process recorded in `run` is the one that was started there, and lives."""
    return _keeper_of(run) is not None


def ending(run: Path) -> Ending | None:
    """How the process in `run` ended, once it has and its keeper could record it."""
    data = read_or_none(run / "exit.json")
    return None if data is None else Ending(**json.loads(data))


def started_at(pid: int) -> int | None:
    """The process's start in clock ticks since boot (/proc/PID/stat field 22); None where it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _keeper_of(run: Path) -> int | None:
    """The pid of the keeper recorded in `run`, if that very process still lives."""
    record = _recorded(run)
    if record is None or started_at(record["keeper"]) != record["keeper_started"]:
        return None
    return record["keeper"]


def _recorded(run: Path) -> dict[str, int] | None:
    data = read_or_none(run / "process.json")
    return None if data is None else dict(json.loads(data))


def _clear_away(run: Path) -> None:
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    _end_orphans(run)


def _end_orphans(run: Path) -> None:
    """Kill what a keeper that was killed could not end: the rest of the session in which its process ran."""
    record = _recorded(run)
    if record is None or ending(run) is not None or _keeper_of(run) is not None:
        return
    leader = started_at(record["child"])
    if leader is not None and leader != record["child_started"]:
        return  # the number went round: that session is somebody else's
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _session_of(int(entry.name)) == record["child"]:
            with contextlib.suppress(ProcessLookupError):  # it ended between the look and the signal
                os.kill(int(entry.name), signal.SIGKILL)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
