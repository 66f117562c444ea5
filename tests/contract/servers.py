"""Public and OMEGA for the contract suite: in memory, and as processes with real releases and real mainframes."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
from pydantic import SecretStr
from securesystemslib.signer import CryptoSigner

from adapters.artifacts.content import ContentStore
from adapters.artifacts.memory import MemoryStore
from adapters.servers.client import HttpAgents
from adapters.servers.guard import Guard
from adapters.servers.link import Credential
from adapters.servers.memory import MemoryAgents, MemoryMainframe
from core.ports import Agents
from core.release.signing import new_key, public_text, signer_from_pem
from core.state import Server, ServerRole
from tests.contract.updates import product, tar_gz
from tests.support.ports import free_port

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
"""Seconds; what is waited for takes well under one, but the machine may be busy."""
EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)
_numbers = count(1)


class World(Protocol):
    """Both servers, and what a test does around them. Mainframes: m1, m2 (of a server owner), m3 (licence expired)."""

    agents: Agents
    public: Server
    omega: Server

    async def add(self, content: bytes) -> str:
        """Put an artifact into the bot's store; its digest."""

    def damage(self, digest: str) -> None:
        """Flip a bit of it there."""

    def will_not_start(self, digest: str) -> None:
        """That release ends at once."""

    def will_fail(self, check: str) -> None:
        """A check asks for what the release does not have."""


async def eventually(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], object]) -> T:
    """The first answer that is as `wanted`."""
    limit = time.monotonic() + PATIENCE
    while True:
        answer = await ask()
        if wanted(answer):
            return answer
        if time.monotonic() > limit:
            raise AssertionError(f"within {PATIENCE:g} s it came no further than {answer!r}")
        await asyncio.sleep(0.05)


def fresh(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}{next(_numbers)}"


def good(component: str, level: str = "standard") -> bytes:
    """A release that is healthy; each call makes another one."""
    return tar_gz(product(fresh("word"), component, level, sys.executable))


def broken(component: str) -> bytes:
    """A release that ends at once."""
    manifest = (
        f'component = "{component}"\n[run]\nstart = ["{sys.executable}", "-c", "raise SystemExit({next(_numbers)})"]\n'
    )
    return tar_gz({"release.toml": manifest.encode()})


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def _server(role: ServerRole, url: str, key: str) -> Server:
    return Server(role, "main", role, url, "eve", datetime.now(UTC), key)


class MemoryWorld:
    def __init__(self) -> None:
        self._store = MemoryStore()
        agents = MemoryAgents(_SystemClock(), self._store.content)
        self._public = agents.public()
        mainframes = [
            MemoryMainframe("m1", "Ann"),
            MemoryMainframe("m2", "Ben", "server-owner"),
            MemoryMainframe("m3", "Cid", licence_until=EXPIRED),
        ]
        omega = agents.omega(mainframes=mainframes)
        self.agents: Agents = agents
        self.public = _server("public", self._public.url, self._public.public_key)
        self.omega = _server("omega", omega.url, omega.public_key)
        self._omega = omega

    async def add(self, content: bytes) -> str:
        return (await self._store.add(_blocks(content), len(content)))[0]

    def damage(self, digest: str) -> None:
        self._store.damage(digest)

    def will_not_start(self, digest: str) -> None:
        self._public.refuse_start("it ended at once", digest)
        self._omega.refuse_switch("it ended at once", digest)

    def will_fail(self, check: str) -> None:
        self._public.fail_check(check, seen="404", where="/missing")


@dataclass(frozen=True)
class Processes:
    """The agents that run, and how the bot reaches them."""

    public_url: str
    omega_url: str
    token: str
    signer: CryptoSigner
    public_key: str
    omega_key: str


class RealWorld:
    def __init__(self, processes: Processes, folder: Path) -> None:
        self._store = ContentStore.open(folder)
        credentials = {
            url: Credential(SecretStr(processes.token)) for url in (processes.public_url, processes.omega_url)
        }
        guard = Guard({"127.0.0.1"}.__contains__)
        self.agents: Agents = HttpAgents(credentials, processes.signer, self._store, guard)
        self.public = _server("public", processes.public_url, processes.public_key)
        self.omega = _server("omega", processes.omega_url, processes.omega_key)

    async def add(self, content: bytes) -> str:
        return (await self._store.add(_blocks(content), len(content)))[0]

    def damage(self, digest: str) -> None:
        path = self._store.path(digest)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    def will_not_start(self, digest: str) -> None:
        """It really does not."""

    def will_fail(self, check: str) -> None:
        """It really does."""


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Public, OMEGA and three mainframes, each a process; all have ended when this has."""
    signer, token = signer_from_pem(new_key()), secrets.token_hex(16)
    trust = f'bot_keys = ["{public_text(signer)}"]\nbot_token_sha256 = "{_hashed(token)}"'
    ports = {name: free_port() for name in ("public", "omega", "m1", "m2", "m3")}
    keys = {name: _key(folder / name) for name in ports}
    tokens = {name: secrets.token_hex(16) for name in ("m1", "m2", "m3")}
    entries = [
        _mainframe_entry("m1", "standard", keys, tokens),
        _mainframe_entry("m2", "server-owner", keys, tokens),
        _mainframe_entry("m3", "standard", keys, tokens) + f"licence_until = {EXPIRED.isoformat()}\n",
    ]
    omega_url = f"http://127.0.0.1:{ports['omega']}"
    with ExitStack() as running:
        for name, port in ports.items():
            more = "".join(entries) if name == "omega" else ""
            if name in tokens:
                (folder / name / "omega.token").write_text(tokens[name])
                more = f'[omega]\nurl = "{omega_url}"\ntoken_file = "omega.token"\n'
            role = name if name in ("public", "omega") else "mainframe"
            running.enter_context(_process(folder / name, _settings(role, name, port, trust, more)))
        for port in ports.values():
            _wait_until_up(port)
        yield Processes(
            public_url=f"http://127.0.0.1:{ports['public']}",
            omega_url=omega_url,
            token=token,
            signer=signer,
            public_key=keys["public"],
            omega_key=keys["omega"],
        )


def _settings(role: str, name: str, port: int, trust: str, more: str) -> str:
    return (
        f'role = "{role}"\nname = "{name}"\nlisten = "127.0.0.1:{port}"\ndata = "data"\nallow_same_user = true\n'
        f'keep_warm = false\n[front]\nlisten = "127.0.0.1:{free_port()}"\n[trust]\n{trust}\n{more}'
    )


def _mainframe_entry(name: str, tier: str, keys: dict[str, str], tokens: dict[str, str]) -> str:
    return (
        f'[[mainframes]]\nname = "{name}"\nowner = "Owner of {name}"\ntier = "{tier}"\n'
        f'public_key = "{keys[name]}"\ntoken_sha256 = "{_hashed(tokens[name])}"\n'
    )


@contextmanager
def _process(folder: Path, settings: str) -> Iterator[None]:
    config = folder / "agent.toml"
    config.write_text(settings)
    command = [sys.executable, "-m", "agent", "--config", str(config), "--end-slots"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_up(port: int) -> None:
    limit = time.monotonic() + PATIENCE
    with httpx.Client(trust_env=False) as client:
        while True:
            try:
                if client.get(f"http://127.0.0.1:{port}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                if time.monotonic() > limit:
                    raise
            time.sleep(0.05)


def _key(folder: Path) -> str:
    """An agent's key in its place; its public half."""
    pem = new_key()
    (folder / "data").mkdir(parents=True)
    path = folder / "data" / "agent.key"
    path.write_bytes(pem)
    path.chmod(0o600)
    return public_text(signer_from_pem(pem))


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    yield content
