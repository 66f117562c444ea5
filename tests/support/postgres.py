"""A real PostgreSQL for tests, started by themselves: one server a session, one database a test, copied in no time.

The machine's binaries are used (`apt-get install postgresql`; PG_BINDIR names others). They refuse to run as root, so
there they run as the user postgres. Names are sorted as people sort them (ICU), which is not how Python does: code that
relies on the database's order shows here.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.ports import free_port

_PATIENCE = 60.0
"""Seconds for a start that takes about one, on a machine that may be busy."""
_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
_PR_SET_PDEATHSIG = 1


@dataclass
class Postgres:
    """A server that runs. `port` is on the loopback address; anyone may be `postgres` there."""

    port: int
    pid: int
    version: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of `template`, which nobody may be connected to; its name."""
        name = f"t{next(self._numbers)}"
        copied = sql.SQL("CREATE DATABASE {} TEMPLATE {}" + (" STRATEGY file_copy" if self.version >= 15 else ""))
        self._run(copied.format(sql.Identifier(name), sql.Identifier(template or "template0")))
        return name

    def drop(self, database: str) -> None:
        """Whoever is still connected is cut off."""
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def binaries() -> Path:
    """Where initdb and postgres are; the newest version of them."""
    if named := os.environ.get("PG_BINDIR"):
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if not found:
        raise RuntimeError("these tests need PostgreSQL: apt-get install postgresql, or set PG_BINDIR to its binaries")
    return found[-1].parent


@contextmanager
def running_server(*settings: str, quick: bool = True) -> Iterator[Postgres]:
    """A new cluster in a folder of its own; server and folder are gone when this ends, and when its caller dies.

    `quick` gives up durability, which no test of behaviour needs.
    """
    found = binaries()
    user: dict[str, Any] = _somebody_else() if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: the path of a Unix socket has at most 107 bytes
    if user:
        os.chown(folder, user["user"], user["group"])
    try:
        version = _version(found)
        _initialise(found, version, folder / "data", user)
        port = free_port()
        more = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *settings]
        command = [str(found / "postgres"), "-D", str(folder / "data")]
        command += [word for setting in (*(_QUICK if quick else ()), *more) for word in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen[bytes](
                command, cwd=folder, stdout=log, stderr=log, preexec_fn=_die_with_parent, **user
            )
        try:
            _wait_until_up(port, server, folder / "log")
            yield Postgres(port, server.pid, version)
        finally:
            server.send_signal(signal.SIGINT)  # what PostgreSQL calls a fast shutdown
            server.wait(_PATIENCE)
    finally:
        shutil.rmtree(folder)


def _version(found: Path) -> int:
    said = subprocess.run([found / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    number = re.search(r"\d+", said)
    assert number, said
    return int(number[0])


def _initialise(found: Path, version: int, data: Path, user: dict[str, Any]) -> None:
    icu = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]
    sorting = icu if version >= 15 else ["--no-locale"]
    command = [
        str(found / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
        *sorting,
    ]
    done = subprocess.run(command, cwd=data.parent, capture_output=True, text=True, **user)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


def _somebody_else() -> dict[str, Any]:
    """Words for subprocess: Debian's package makes the user postgres; nobody is there without it."""
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    """In the new process: a test run that is killed takes its server along."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _wait_until_up(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + _PATIENCE
    while True:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error
            time.sleep(0.02)
        else:
            return
