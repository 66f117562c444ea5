"""A small world for the fleet: a bot that signs, an OMEGA on a real socket, mainframes with loops, a clock to move."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from securesystemslib.signer import CryptoSigner
from starlette.applications import Starlette

from agent.api.app import build_app
from agent.api.auth import Doorman
from agent.changes import Changes
from agent.errors import Refused
from agent.fleet.distributions import Patience
from agent.fleet.link import OmegaConnection
from agent.fleet.mainframe import Mainframe, Pace
from agent.fleet.omega import Fleet
from agent.fleet.outbox import ReceiptOutbox
from agent.fleet.ports import Said
from agent.fleet.registry import Licence
from agent.fleet.routes import fleet_endpoints
from agent.slots.artifacts import ArtifactFolder
from core.release.signing import SignatureRefused, new_key, opened, public_key, public_text, sign, signer_from_pem
from core.release.wire import ComponentState, DistributionState, LeftOut, MainframeState, Receipt, Release

BOT_TOKEN = "the-bot-and-nobody-else"
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
QUICK = Pace(wait=20.0, settle=0.01, first_retry=0.02, slowest_retry=0.1)
BOUND = 20.0
"""Seconds within which something must come true."""


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Clock:
    """The time, moved by tests."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def passes(self, **spans: float) -> None:
        self.time += timedelta(**spans)


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fails after BOUND seconds."""
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)


class Bot:
    """Signs what servers are to run."""

    def __init__(self) -> None:
        self.signer = signer_from_pem(new_key())

    def release(self, generation: int, digest: str | None, **changes: Any) -> Release:
        fields: dict[str, Any] = {
            "purpose": "desired",
            "component": "main",
            "digest": digest,
            "generation": generation,
            "deployment": f"v{generation}",
            "attempt": 1,
            "nonce": f"nonce-{generation:04}",
            "issued_at": START,
        }
        return Release(**{**fields, **changes})

    def sign(self, release: Release) -> dict[str, Any]:
        return sign(self.signer, "release/v1", {release.component: release.digest or "0" * 64}, release)

    def leave_out(self, release: Release, *names: str, **changes: Any) -> dict[str, Any]:
        fields = {"component": release.component, "generation": release.generation, "order": 0, "mainframes": names}
        said = LeftOut(**{**fields, **changes})
        return sign(self.signer, "left-out/v1", {release.component: release.digest or "0" * 64}, said)

    def trusted(self, envelope: dict[str, Any]) -> Release:
        return self.trusted_as(envelope, "release/v1", Release)

    def trusted_as(self, envelope: dict[str, Any], name: str, model: type[Said]) -> Said:
        try:
            return opened(envelope, [public_key(public_text(self.signer))], name, model)
        except SignatureRefused as error:
            raise Refused("refused", str(error)) from error


class SmallHost:
    """A host without processes: it switches at once, and well, unless it is told that a digest `fails`."""

    def __init__(self, folder: Path, trusted: Callable[[dict[str, Any]], Release]) -> None:
        self.artifacts = ArtifactFolder(folder / "artifacts", 1 << 30)
        self.changes = Changes()
        self.trusted = trusted
        self.fails: dict[str, str] = {}
        self.desired: list[int] = []
        self._states: dict[str, ComponentState] = {}

    def components(self) -> tuple[ComponentState, ...]:
        return tuple(self._states.values())

    def running(self, component: str = "main") -> str | None:
        state = self._states.get(component)
        return state.running if state else None

    async def desire(self, release: Release, envelope: dict[str, Any]) -> ComponentState:
        before = self._states.get(release.component)
        if before is not None and release.generation <= before.generation:
            if release.generation < before.generation:
                raise Refused("older_generation", f"generation {release.generation} is older than {before.generation}")
            return before
        assert release.digest is None or self.artifacts.complete(release.digest)
        self.desired.append(release.generation)
        state = self._state(release, "switching", before.running if before else None)
        asyncio.get_running_loop().call_soon(self._switch, release)
        return state

    def crash(self, error: str, component: str = "main") -> None:
        self._put(self._states[component].model_copy(update={"status": "crashed", "error": error}))

    def _switch(self, release: Release) -> None:
        if error := self.fails.get(release.digest or ""):
            self._state(release, "failed", self.running(release.component), error)
        else:
            self._state(release, "healthy" if release.digest else "offline", release.digest)

    def _state(self, release: Release, status: Any, running: str | None, error: str | None = None) -> ComponentState:
        return self._put(
            ComponentState(
                component=release.component,
                generation=release.generation,
                wanted=release.digest,
                running=running,
                status=status,
                error=error,
                since=START,
            )
        )

    def _put(self, state: ComponentState) -> ComponentState:
        self._states[state.component] = state
        self.changes.mark()
        return state


@dataclass
class Server:
    """A mainframe as OMEGA's settings know it, and as it is itself."""

    name: str
    host: SmallHost
    folder: Path
    owner: str = "Ada"
    tier: str = "standard"
    until: datetime | None = None
    revoked: bool = False
    signer: CryptoSigner = field(default_factory=lambda: signer_from_pem(new_key()))

    @property
    def token(self) -> str:
        return f"token-of-{self.name}"

    def licence(self) -> Licence:
        return Licence(
            name=self.name,
            owner=self.owner,
            tier=self.tier,
            until=self.until,
            revoked=self.revoked,
            public_key=public_text(self.signer),
            token_sha256=token_hash(self.token),
        )

    def receipt(self, release: Release, **changes: Any) -> Receipt:
        fields: dict[str, Any] = {
            "mainframe": self.name,
            "component": release.component,
            "digest": release.digest,
            "generation": release.generation,
            "deployment": release.deployment,
            "attempt": release.attempt,
            "nonce": release.nonce,
            "healthy_at": START,
        }
        return Receipt(**{**fields, **changes})

    def sign(self, receipt: Receipt) -> dict[str, Any]:
        return sign(self.signer, "receipt/v1", {receipt.component: receipt.digest or "0" * 64}, receipt)


class World:
    """OMEGA and its mainframes. Everything started in it is ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.bot = Bot()
        self.artifacts = ArtifactFolder(folder / "omega", 1 << 30)
        self.servers: dict[str, Server] = {}
        self.patience = Patience(online_within=timedelta(seconds=90), receipt_timeout=timedelta(seconds=300))
        self.fleet: Fleet
        self.port = 0
        self._uvicorn: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._loops: dict[str, asyncio.Task[Any]] = {}

    # -- OMEGA ------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry_path(self) -> Path:
        return self.folder / "omega.sqlite3"

    async def start_omega(self) -> None:
        licences = [server.licence() for server in self.servers.values()]
        self.fleet = await Fleet.open(
            self.registry_path, licences, self.artifacts, self.bot.trusted_as, self.clock.now, self.patience
        )
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(self._app(), lifespan="off", ws="none", log_config=None)
        self._uvicorn = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=[listening]))
        await until(lambda: self._uvicorn is not None and self._uvicorn.started)

    def _app(self) -> Starlette:
        tokens = {server.name: token_hash(server.token) for server in self.servers.values()}
        return build_app(fleet_endpoints(self.fleet), Doorman(token_hash(BOT_TOKEN), tokens))

    async def stop_omega(self) -> None:
        if self._uvicorn is None or self._serving is None:
            return
        self.fleet.stop()
        self._uvicorn.should_exit = True
        await self._serving
        await self.fleet.close()
        self._uvicorn = self._serving = None

    async def restart_omega(self) -> None:
        await self.stop_omega()
        await self.start_omega()

    def artifact(self, content: bytes) -> str:
        """Put `content` on OMEGA, as the bot's upload would."""
        digest = hashlib.sha256(content).hexdigest()
        self.artifacts.path(digest).write_bytes(content)
        return digest

    # -- the bot ----------------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, token: str = BOT_TOKEN, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading authorities for plain http takes time
        async with httpx.AsyncClient(base_url=self.url, headers=headers, verify=unused, trust_env=False) as client:
            return await client.request(method, path, **request)

    async def put(
        self, release: Release, *, hold: bool = False, order: int = 0, left_out: dict[str, Any] | None = None
    ) -> httpx.Response:
        body = {"release": self.bot.sign(release), "hold": hold, "order": order}
        body |= {"left_out": left_out} if left_out else {}
        return await self.call("PUT", f"/v1/distributions/{release.component}", json=body)

    async def distribute(self, release: Release, *, hold: bool = False, order: int = 0) -> DistributionState:
        response = await self.put(release, hold=hold, order=order)
        assert response.status_code == 200, response.text
        return DistributionState.model_validate_json(response.content)

    def shown(self, name: str, component: str = "main") -> MainframeState:
        """How the newest distribution shows a mainframe."""
        return next(one for one in self.fleet.distribution(component).mainframes if one.name == name)

    async def shows(self, name: str, status: str, component: str = "main") -> MainframeState:
        await until(lambda: self.shown(name, component).status == status)
        return self.shown(name, component)

    # -- mainframes -------------------------------------------------------------------------------------------------

    def mainframe(self, name: str, **licence: Any) -> Server:
        folder = self.folder / name
        folder.mkdir()
        self.servers[name] = Server(name, SmallHost(folder, self.bot.trusted), folder, **licence)
        return self.servers[name]

    @asynccontextmanager
    async def connected(self, name: str) -> AsyncIterator[OmegaConnection]:
        """The bare connection of a mainframe, without its loop."""
        async with OmegaConnection(self.url, SecretStr(self.servers[name].token)) as omega:
            yield omega

    def wake(self, name: str, url: str | None = None) -> None:
        """Start the loop of a mainframe."""
        self._loops[name] = asyncio.create_task(self._loop(self.servers[name], url or self.url))

    async def sleep(self, name: str) -> None:
        """End its loop, as pulling the plug would."""
        loop = self._loops.pop(name)
        loop.cancel()
        await asyncio.wait([loop])
        if not loop.cancelled():
            loop.result()

    async def _loop(self, server: Server, url: str) -> None:
        outbox = ReceiptOutbox(server.folder / "receipts.json")
        async with OmegaConnection(url, SecretStr(server.token)) as omega:
            await Mainframe(server.name, server.host, omega, server.signer, outbox, QUICK).run()

    async def close(self) -> None:
        for name in list(self._loops):
            await self.sleep(name)
        await self.stop_omega()


class Wire:
    """A TCP relay between a mainframe and OMEGA that can be cut, or bent, on its way down."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self.bend: Callable[[bytes], bytes | None] = lambda data: data
        """Given each piece on its way to the mainframe: what passes, or None to cut the connection."""
        self.passed = 0

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for relay in self._relays:
            relay.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    async def _relay(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        writers = [near_out]
        try:
            far, far_out = await asyncio.open_connection("127.0.0.1", self._world.port)
            writers.append(far_out)
            await self._pump_both(near, near_out, far, far_out)
        except ConnectionError:
            return  # either end is gone: so is the other, as on a real wire
        finally:
            for writer in writers:
                writer.transport.abort()
            await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
            self._relays.discard(task)

    async def _pump_both(
        self,
        near: asyncio.StreamReader,
        near_out: asyncio.StreamWriter,
        far: asyncio.StreamReader,
        far_out: asyncio.StreamWriter,
    ) -> None:
        up = asyncio.create_task(self._pump(near, far_out, lambda data: data))
        down = asyncio.create_task(self._pump(far, near_out, lambda data: self.bend(data)))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, bend: Callable[[bytes], bytes | None]
    ) -> None:
        while data := await source.read(65536):
            passing = bend(data)
            if passing is None:
                return
            sink.write(passing)
            await sink.drain()
