"""The gateway, kept: down at the start, cut, half-open, malformed, invalid, resumed: the process lives and comes back.

discord.py speaks the protocol (heartbeats, compression, identify, resume); this says when to try again. It covers what
the library does not: a gateway that is down at the first connect ends it, one malformed event ends it, and a half-open
socket is noticed after a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import aiohttp
import discord
import structlog
import yarl
from discord.errors import ConnectionClosed
from discord.gateway import ReconnectWebSocket

from adapters.discord.connection import Client, Socket
from adapters.discord.health import Health
from adapters.discord.rest import Rest
from adapters.discord.setup import Setup
from adapters.discord.tasks import Tasks

log = structlog.get_logger("ashat.discord")

_CONNECTING = 30.0
"""Seconds until it has greeted, and then until a session has begun."""
_HOPELESS = {
    4004: "the bot's token is not valid",
    4010: "the shard is not valid",
    4011: "the bot is in so many servers that it needs shards",
    4012: "this version of the gateway is not valid any more",
    4013: "the intents are not valid",
    4014: "the intents are not allowed",
}
"""Close codes after which a quick new try would meet the same: https://discord.com/developers/docs/topics/opcodes-and-status-codes."""
_FAREWELL = 2.0
"""Seconds that closing may take when the program stops."""
_STEADY = 30.0
"""Seconds of a connection after which what failed before it does not count any more."""

Heard = Callable[[Mapping[str, Any]], Coroutine[None, None, None]]


class Turn(Protocol):
    """Which of several replicas has the gateway."""

    async def mine(self) -> bool:
        """Take it, or keep it, for a while: to be asked again every few seconds."""

    async def over(self) -> None:
        """Another may begin."""


class Alone:
    """There is no other."""

    async def mine(self) -> bool:
        return True

    async def over(self) -> None:
        """Nobody waits."""


class Gateway:
    def __init__(
        self, setup: Setup, rest: Rest, tasks: Tasks, interaction: Heard, message: Heard,
        joined: Callable[[str], None], turn: Turn | None = None,
    ) -> None:  # fmt: skip
        """`joined` is told each guild that the bot is in, when it learns of it."""
        self._setup = setup
        self._rest = rest
        self._tasks = tasks
        self._interaction = interaction
        self._message = message
        self._joined = joined
        self._turn = turn or Alone()
        self._running: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[Any]] = set()
        self._failures = 0
        self._since = 0.0
        """When the connection that there is was ready, by the event loop's clock."""
        self._resume: dict[str, Any] = {}
        """What the library needs to go on with the session that there was."""
        self.health = Health()

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._running is None:
            return
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._running = None
        if self._closing:
            _, late = await asyncio.wait(set(self._closing), timeout=_FAREWELL)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._turn.over()

    # -- the supervisor ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        client = Client(self._rest, self._parsers())
        kind = self._socket_class()
        while True:
            try:
                await self._wait_for_turn()
                await self._connection(client, kind)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is logged, and the gateway comes back
                self._failed(error)
                await asyncio.sleep(self._pause(error))

    async def _wait_for_turn(self) -> None:
        while not await self._turn.mine():
            self._say("waiting", "another replica has the gateway")
            self._resume = {}
            await asyncio.sleep(self._setup.hold)

    async def _connection(self, client: Client, kind: type[Socket]) -> None:
        """One connection, to its end, which is an exception."""
        self._say("connecting")
        socket = await self._opened(client, kind)
        minding = asyncio.create_task(self._mind(socket))
        try:
            while True:
                await socket.poll_event()
        except ReconnectWebSocket as again:
            self._resume = _to_resume(socket) if again.resume else {}
            raise
        except Exception:
            self._resume = _to_resume(socket)
            raise
        finally:
            minding.cancel()
            self._leave(socket)

    async def _opened(self, client: Client, kind: type[Socket]) -> Socket:
        """Connected, greeted, and identified or resumed. One that says nothing is not left open."""
        self._rest.client.socket = None
        try:
            async with asyncio.timeout(_CONNECTING):
                return await kind.from_client(client, initial=True, **self._resume)
        except BaseException:
            if self._rest.client.socket is not None:
                self._later(_closed(self._rest.client.socket))
            raise

    async def _mind(self, socket: Socket) -> None:
        """Close it where no session begins; and where another took over from one that stood still for too long."""
        late = asyncio.get_running_loop().time() + _CONNECTING
        while True:
            await asyncio.sleep(self._setup.hold)
            if self.health.state != "connected" and asyncio.get_running_loop().time() > late:
                log.warning("the gateway begins no session")
                await socket.close(code=4000)
                return
            try:
                mine = await self._turn.mine()
            except Exception:
                log.exception("cannot keep the gateway")
                continue
            if not mine:
                log.warning("another replica took the gateway over")  # two would answer everything twice
                await socket.close(code=4000)
                return

    def _leave(self, socket: Socket) -> None:
        """Close in the background: a half-open one takes its time."""
        socket.leave()
        self._later(_closed(socket.socket))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _failed(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        steady = self.health.state == "connected" and now - self._since > _STEADY
        self._failures = 1 if steady else self._failures + 1
        code = error.code if isinstance(error, ConnectionClosed) else None
        if code in _HOPELESS:
            self._resume = {}
            self._say("down", _HOPELESS[code])
            log.error("Discord's gateway refuses", code=code, why=_HOPELESS[code])
        elif isinstance(error, ReconnectWebSocket):
            self._say("connecting", "it asked for a new connection, or was cut")
            log.info("reconnecting to Discord's gateway", resume=bool(self._resume))
        elif isinstance(error, OSError | TimeoutError | aiohttp.ClientError | discord.DiscordException):
            self._say("down", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
            log.warning("Discord's gateway is down", why=self.health.why, tries=self._failures)
        else:
            self._resume = {}
            self._say("down", type(error).__name__)
            log.exception("Discord's gateway failed", exc_info=error)

    def _pause(self, error: Exception) -> float:
        """At once the first time, then longer and longer; never in step with others that were cut off too."""
        if isinstance(error, ConnectionClosed) and error.code in _HOPELESS:
            return self._setup.longest
        if self._failures <= 1 and isinstance(error, ReconnectWebSocket):
            return 0.0
        most = min(self._setup.backoff * 2 ** min(self._failures - 1, 10), self._setup.longest)
        return random.uniform(most / 2, most)  # noqa: S311 - jitter

    def _say(self, state: str, why: str = "") -> None:
        self.health = Health(state, why)

    # -- what it says --------------------------------------------------------------------------------------------------

    def _parsers(self) -> dict[str, Callable[[Any], None]]:
        return {
            "READY": self._ready,
            "RESUMED": self._ready,
            "GUILD_CREATE": lambda guild: self._joined(str(guild["id"])),
            "INTERACTION_CREATE": self._begins(self._interaction),
            "MESSAGE_CREATE": self._begins(self._message),
        }

    def _begins(self, heard: Heard) -> Callable[[Any], None]:
        def begin(payload: Any) -> None:
            self._tasks.start(heard(payload))

        return begin

    def _ready(self, data: Any) -> None:
        self._since = asyncio.get_running_loop().time()
        self._say("connected")
        log.info("connected to Discord's gateway", resumed="session_id" not in data)

    def _socket_class(self) -> type[Socket]:
        given = {
            "DEFAULT_GATEWAY": yarl.URL(self._setup.gateway_url),
            "quiet": self._setup.quiet, "patience": self._setup.patience,
        }  # fmt: skip
        return type("GatewaySocket", (Socket,), given)


def _to_resume(socket: Socket) -> dict[str, Any]:
    if socket.session_id is None:
        return {}
    return {
        "resume": True, "session": socket.session_id, "sequence": socket.sequence, "gateway": socket.gateway,
    }  # fmt: skip


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    """With a code that keeps the session, so that it can be resumed."""
    with contextlib.suppress(OSError, aiohttp.ClientError, RuntimeError):
        await socket.close(code=4000)
