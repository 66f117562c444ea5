"""The demo's servers: eight agents as real processes on loopback, which end with the process that started them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict

from demo import credentials
from demo.cast import PARTS, Part
from demo.ports import reserved, reserved_again
from demo.settings import Place, agent_settings, bot_settings, mainframe_entry
from demo.updates import build

MARK = "demo.json"
"""The file by which a folder is known as a demo's; it holds the ports."""
LOCK = "demo.lock"
"""The file in it that a running demo holds locked; the system lets go of it when that process ends, however it ends."""
READY_SECONDS = 60.0
"""How long all agents together may take to answer."""
STOP_SECONDS = 30.0
"""How long an agent may take to end; then it is killed."""
_ROOT = Path(__file__).resolve().parent.parent


class Mark(BaseModel):
    """What a demo's folder says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    started: datetime
    ports: dict[str, int]


class ServersError(Exception):
    """The servers cannot be started. `str(error)` is one sentence."""


@dataclass(frozen=True)
class Server:
    """A server that runs: its place, and its agent's process."""

    place: Place
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return self.place.folder / "agent.log"


@dataclass(frozen=True)
class Servers:
    """All servers of one demo. `stop` ends them; so does the end of this process, whatever its cause."""

    data: Path
    running: Mapping[str, Server]
    """By name: public, omega, m1 … m6."""
    held: ExitStack
    """The folder, which is this demo's alone until `stop`."""

    @property
    def alpha(self) -> Path:
        """The folder with ALPHA's updates."""
        return self.data / "alpha"

    @property
    def bot_key(self) -> Path:
        """The private key that the agents trust."""
        return self.data / "bot.key.pem"

    @property
    def config(self) -> Path:
        """The settings of a bot for these servers."""
        return self.data / "config.toml"

    @property
    def urls(self) -> dict[str, str]:
        """The agents' addresses by name."""
        return {name: server.place.url for name, server in self.running.items()}

    @property
    def fronts(self) -> dict[str, str]:
        """Where people see what each server runs, by name."""
        return {name: server.place.front for name, server in self.running.items()}

    @property
    def tokens(self) -> dict[str, str]:
        return {name: server.place.token for name, server in self.running.items()}

    @property
    def keys(self) -> dict[str, str]:
        """The agents' public keys by name."""
        return {name: server.place.public_key for name, server in self.running.items()}

    @property
    def processes(self) -> dict[str, subprocess.Popen[bytes]]:
        return {name: server.process for name, server in self.running.items()}

    def stop(self) -> None:
        """End every agent, and with it its slots and its front door; nothing where they have ended."""
        with self.held:
            _end(list(self.processes.values()))


def start(data: Path, keep: bool = False) -> Servers:
    """Start all agents with their state in `data`, and return once each answers.

    Without `keep` what an earlier demo left in `data` is removed; with it, its keys, ports and state are used again.
    Raises ServersError, and PortTakenError where a kept port is taken; nothing is left running then.
    """
    data = data.resolve()
    with ExitStack() as held, ExitStack() as ports:
        with _usable(data):
            held.enter_context(_alone(data))
            places = settle(data, ports.enter_context(prepared(data, keep)))
            build(data / "alpha")
        return Servers(data, _started(places), held.pop_all())


@contextmanager
def _usable(data: Path) -> Iterator[None]:
    """What the system refuses becomes a ServersError."""
    try:
        yield
    except OSError as error:
        raise ServersError(f"{data} cannot be used: {error.strerror}; name another folder: --data DIR.") from error


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """The folder for this process until the block ends. Raises ServersError where another demo runs in it."""
    _made(data)
    handle = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _locked(handle):
            raise ServersError(f"A demo runs in {data} already: end it, or name another folder: --data DIR.")
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def prepared(data: Path, keep: bool) -> Iterator[Mark]:
    """The folder made ready, and what it is to be marked with; the ports are reserved until the block ends."""
    if keep and (data / MARK).exists():
        mark = Mark.model_validate_json((data / MARK).read_text("utf-8"))
        with reserved_again(mark.ports):
            yield mark
        return
    _empty(data)
    with reserved({key: port for part in PARTS for key, port in _wanted(part)}) as ports:
        yield Mark(started=datetime.now(UTC).replace(microsecond=0), ports=ports)


def settle(data: Path, mark: Mark) -> tuple[Place, ...]:
    """Write down who is where, with the keys, tokens and settings that they need."""
    (data / MARK).write_text(mark.model_dump_json(indent=2) + "\n", "utf-8")
    places = tuple(_place(part, data / "servers" / part.name, mark.ports) for part in PARTS)
    _write_settings(data, places, mark.started)
    return places


def _made(data: Path) -> None:
    """The folder, where it is missing. Raises ServersError where what is in it is not a demo's."""
    if data.is_file():
        raise ServersError(f"{data} is a file; name a folder: --data DIR.")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.name != LOCK for path in data.iterdir()) and not (data / MARK).exists():
        raise ServersError(f"{data} holds something that is not a demo's; name another folder, or an empty one.")


def _empty(data: Path) -> None:
    """Remove what an earlier demo left, but for the lock, which is held, and the mark. Raises ServersError."""
    _made(data)
    for path in data.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in (LOCK, MARK):
            path.unlink()


def _wanted(part: Part) -> tuple[tuple[str, int], tuple[str, int]]:
    return (part.name, part.port), (f"{part.name} front door", part.front_port)


def _place(part: Part, folder: Path, ports: Mapping[str, int]) -> Place:
    """Where a server is; its key and token are made where they are missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (agent, _), (front, _) = _wanted(part)
    key = credentials.private_key(folder / "agent.key")
    return Place(part, folder, ports[agent], ports[front], key, credentials.token(folder / "bot.token"))


def _write_settings(data: Path, places: Sequence[Place], started: datetime) -> None:
    """Every agent's settings, and the bot's where there are none: those may have been edited."""
    bot_key = credentials.private_key(data / "bot.key.pem")
    omega = next(place for place in places if place.part.role == "omega")
    members = [place for place in places if place.part.role == "mainframe"]
    hashes = {place.part.name: credentials.sha256(credentials.token(place.omega_token_file)) for place in members}
    registry = [mainframe_entry(place, hashes[place.part.name], started) for place in members]
    for place in places:
        text = agent_settings(place, bot_key, omega, registry)
        place.settings_file.write_text(text, "utf-8")
    config = data / "config.toml"
    if not config.exists():
        config.write_text(bot_settings(places), "utf-8")


def _started(places: Sequence[Place]) -> dict[str, Server]:
    """All agents, once each answers; none where one does not. Raises ServersError."""
    servers: list[Server] = []
    try:
        for place in places:
            servers.append(launch(place))
        until = time.monotonic() + READY_SECONDS
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            for server in servers:
                _await_answer(client, server, until)
    except BaseException:
        _end([server.process for server in servers])
        raise
    return {server.place.part.name: server for server in servers}


def launch(place: Place) -> Server:
    """Start one agent whose settings are written, tied to this process by its standard input; returns at once."""
    command = (sys.executable, "-m", "demo.tether", "--config", str(place.settings_file), "--end-slots")
    with (place.folder / "agent.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log)  # noqa: S603 - our own program
    return Server(place, process)


def _await_answer(client: httpx.Client, server: Server, until: float) -> None:
    while not _answers(client, server.place.url):
        if server.process.poll() is not None:
            raise ServersError(f"The agent {server.place.part.name} ended at start: {_last_line(server.log)}")
        if time.monotonic() > until:
            raise ServersError(f"The agent {server.place.part.name} did not answer; see {server.log}.")
        time.sleep(0.05)


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"it left no word in {log}"


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Let go of all, then wait for each; what hangs is killed, and its slots end with it."""
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    until = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
