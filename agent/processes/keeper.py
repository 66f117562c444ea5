"""The parent of one release's process: it outlives the agent, and nothing of the release outlives it.

Run as a script of its own with the standard library alone (`python -I -S keeper.py`), so that it is small and starts in
20 ms. It reads its plan, one line of JSON, from its standard input (see `agent.processes.kept.Plan`), and then

- takes the lock in the run folder, or leaves at once: a release is never started twice, whoever asks;
- starts the process in a session of its own, as another user and with limits where the plan says so;
- writes what the process prints to a log that it keeps below its size;
- ends everything that the process left behind when the process ends, and records how it ended;
- on SIGTERM runs the `stop` command, or passes the signal on, and kills what is left after `stop_seconds`;
- where the plan says `tied`, its standard input is its lifeline: when the agent is gone, it does the same.

If the keeper itself is killed, the kernel kills the process (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

ALREADY_KEPT = 75
"""Exit status where another keeper holds the lock (EX_TEMPFAIL)."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_LAST_WORDS = 2.0
"""Seconds for which the output of an ended process is still read."""


class Log:
    """A log file and its predecessor, together below `max_bytes`."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._half = max_bytes // 2
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        while data:
            room = self._half - self._file.tell()
            if room <= 0:
                self._turn()
                continue
            self._file.write(data[:room])
            data = data[room:]

    def _turn(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._file = self._path.open("ab", buffering=0)


class Keeper:
    """One process from its start to the last of its descendants."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._run = Path(plan["run"])
        self._log = Log(Path(plan["log"]), plan["log_bytes"])
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._output, self._child_output = os.pipe()
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):  # what they mean is read from the wake-up pipe, in order
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._child = 0
        self._status: int | None = None
        self._kill_at: float | None = None

    def run(self) -> int:
        self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
        for stale in ("process.json", "exit.json"):
            (self._run / stale).unlink(missing_ok=True)
        self._child = self._spawn(self._plan["argv"])
        self._record("process.json", {**_identity("keeper", os.getpid()), **_identity("child", self._child)})
        self._watch()
        self._end_descendants()
        os.close(self._child_output)
        self._drain(_LAST_WORDS)
        assert self._status is not None
        code = os.waitstatus_to_exitcode(self._status)
        self._record("exit.json", {"code": max(code, 0), "signal": max(-code, 0)})
        return 0

    def _prctl(self, option: int, first: int) -> None:
        if self._libc.prctl(option, first, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option} failed")

    def _record(self, name: str, data: dict[str, int]) -> None:
        scratch = self._run / f".{name}"
        with scratch.open("w") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._run / name)

    def _spawn(self, argv: list[str]) -> int:
        """Fork and execute; a failure is the first line of the log and exit status 127."""
        keeper = os.getpid()
        child = os.fork()
        if child:
            return child
        try:
            self._become_the_release(keeper)
            os.execvpe(argv[0], argv, self._plan["env"])  # noqa: S606 - an argument list from a signed release
        except BaseException as error:  # noqa: BLE001 - a forked child must never return into the keeper's code
            os.write(2, f"cannot start {argv[0]}: {error}\n".encode(errors="replace"))
        finally:
            os._exit(127)

    def _become_the_release(self, keeper: int) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (self._child_output, 1), (self._child_output, 2)):
            os.dup2(source, target)
        os.chdir(self._plan["cwd"])
        for name, limit in self._plan["limits"].items():
            resource.setrlimit(getattr(resource, name), (limit, limit))
        self._become_the_user()
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(127)
        os.umask(0o027)

    def _become_the_user(self) -> None:
        user = self._plan["user"]
        if user is not None:
            os.setgroups(user["groups"])
            os.setgid(user["gid"])
            os.setuid(user["uid"])
        self._libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1)

    def _watch(self) -> None:
        """Until the process has ended: copy its output, and react to signals, the lifeline and the clock."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            if self._plan["tied"]:
                selector.register(0, selectors.EVENT_READ)
            while not self._has_ended():
                for key, _ in selector.select(self._patience()):
                    if key.fd == self._output:
                        self._log.write(os.read(self._output, 65536))
                    elif key.fd == self._woken:
                        self._heed(os.read(self._woken, 512))
                    elif not os.read(0, 512):
                        selector.unregister(0)
                        self._ask_to_stop()
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._end_descendants()

    def _heed(self, signals: bytes) -> None:
        if signal.SIGTERM in signals:
            self._ask_to_stop()

    def _patience(self) -> float | None:
        return None if self._kill_at is None else max(0.01, self._kill_at - time.monotonic())

    def _has_ended(self) -> bool:
        self._reap()
        return self._status is not None

    def _reap(self) -> bool:
        """Take in the ended; False once there are no children at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._child:
                self._status = status

    def _ask_to_stop(self) -> None:
        if self._kill_at is not None:
            return
        self._kill_at = time.monotonic() + self._plan["stop_seconds"]
        if self._plan["stop"]:
            self._spawn(self._plan["stop"])
        else:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.killpg(self._child, signal.SIGTERM)

    def _end_descendants(self) -> None:
        """Kill whatever is left, in whichever session: as their subreaper, the keeper inherits the orphans."""
        while self._reap():
            for pid in _descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):  # it ended between the look and the signal
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)

    def _drain(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        os.set_blocking(self._output, False)
        with contextlib.suppress(BlockingIOError):  # nothing more is in the pipe
            while time.monotonic() < until and (data := os.read(self._output, 65536)):
                self._log.write(data)


def _stat_fields(pid: int) -> list[str] | None:
    """/proc/PID/stat after the command's name: state, parent, … ; None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _identity(name: str, pid: int) -> dict[str, int]:
    """A pid with its start time (field 22): pids come round again, the two together do not."""
    fields = _stat_fields(pid)
    return {name: pid, f"{name}_started": int(fields[19]) if fields else 0}


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found: list[int] = []
    front = {root}
    while front:
        front = {pid for pid, parent in parents.items() if parent in front}
        found.extend(front)
    return found


def main() -> int:
    plan = json.loads(sys.stdin.buffer.readline())
    os.umask(0o077)
    lock = os.open(Path(plan["run"]) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ALREADY_KEPT
    return Keeper(plan).run()


if __name__ == "__main__":
    sys.exit(main())
