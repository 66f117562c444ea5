"""The gateway: sockets that say hello, sessions that outlive them, events in order, and every way to be thrown out."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import zstandard
from aiohttp import WSMsgType, web

from tests.discord.peer import limits
from tests.discord.peer.guilds import APP, State
from tests.discord.peer.payloads import Payloads
from tests.discord.peer.refused import Cut, Json

GUILDS, MEMBERS, GUILD_MESSAGES, DIRECT_MESSAGES = 1, 1 << 1, 1 << 9, 1 << 12
PRESENCES, MESSAGE_CONTENT = 1 << 8, 1 << 15
_INTENTS = (1 << 26) - 1
_DISPATCH, _RECONNECT, _INVALID, _HELLO, _ACK = 0, 7, 9, 10, 11

Compress = Callable[[bytes], bytes]


class Closed(Exception):
    """The app is thrown out with this close code."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{code} {words}")
        self.code = code
        self.words = words


@dataclass(eq=False)
class Link:
    """One connection. `silent`: its peer is gone without a word, so that nothing comes back, and nothing arrives."""

    request: web.Request
    socket: web.WebSocketResponse
    compress: Compress | None = None
    session: Session | None = None
    silent: bool = False
    beats: int = 0
    received: list[int] = field(default_factory=list)
    """The opcodes that the app sent on it."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, payload: Json) -> None:
        await self.raw(json.dumps(payload, separators=(",", ":")))

    async def raw(self, text: str) -> None:
        if self.silent or self.socket.closed:
            return
        async with self._turn:
            try:
                if self.compress is None:
                    await self.socket.send_str(text)
                else:
                    await self.socket.send_bytes(self.compress(text.encode()))
            except (ConnectionError, RuntimeError):
                return  # it closed at this moment: what it did not get is replayed at a resume


@dataclass(eq=False)
class Session:
    id: str
    intents: int
    link: Link | None = None
    sequence: int = 0
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=limits.SESSION_EVENTS))
    left_at: float = 0.0

    async def dispatch(self, name: str, data: Json) -> None:
        self.sequence += 1
        event: Json = {"op": _DISPATCH, "t": name, "s": self.sequence, "d": data}
        self.events.append(event)
        if self.link is not None:
            await self.link.send(event)


@dataclass
class Gateway:
    """`interval`: milliseconds between heartbeats. `granted`: privileged intents that the app may use."""

    state: State
    payloads: Payloads
    token: Callable[[], str]
    url: Callable[[], str]
    interval: int = 41_250
    granted: int = 0
    away: Literal["refused", "cut"] | None = None
    """While it is down: how its address behaves."""
    links: list[Link] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    connects: int = 0
    identifies: list[Json] = field(default_factory=list)
    resumes: int = 0

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """GET /gateway: until either side closes it."""
        if self.away == "refused":
            return web.Response(status=503)
        if self.away == "cut":
            raise Cut
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        link = Link(request, socket, _compressor(request.query.get("compress", "")))
        self.links.append(link)
        self.connects += 1
        try:
            await self._talk(link)
        except Closed as closed:
            await socket.close(code=closed.code, message=closed.words.encode())
        finally:
            self._gone(link)
        return socket

    async def _talk(self, link: Link) -> None:
        if link.request.query.get("v") != "10" or link.request.query.get("encoding") != "json":
            raise Closed(4012, "Invalid API version.")
        await link.send({"op": _HELLO, "s": None, "t": None, "d": {"heartbeat_interval": self.interval, "_trace": []}})
        async for message in link.socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            if not link.silent:
                await self._received(link, message.data)

    async def _received(self, link: Link, data: str | bytes) -> None:
        if len(data) > limits.GATEWAY_BYTES:
            raise Closed(4002, "Error while decoding payload.")
        try:
            said = json.loads(data)
            op, body = said["op"], said.get("d")
        except (ValueError, KeyError, TypeError):
            raise Closed(4002, "Error while decoding payload.") from None
        link.received.append(op)
        match op:
            case 1:
                link.beats += 1
                await link.send({"op": _ACK, "s": None, "t": None, "d": None})
            case 2:
                await self._identify(link, body)
            case 6:
                await self._resume(link, body)
            case 3 | 4 | 8:
                if link.session is None:
                    raise Closed(4003, "Not authenticated.")
            case _:
                raise Closed(4001, "Unknown opcode.")

    async def _identify(self, link: Link, body: Json) -> None:
        if link.session is not None:
            raise Closed(4005, "Already authenticated.")
        if body.get("token") != self.token():
            raise Closed(4004, "Authentication failed.")
        intents = body.get("intents")
        if not isinstance(intents, int) or intents & ~_INTENTS:
            raise Closed(4013, "Invalid intent(s).")
        if intents & (MEMBERS | PRESENCES | MESSAGE_CONTENT) & ~self.granted:
            raise Closed(4014, "Disallowed intent(s).")
        self.identifies.append(body)
        session = Session(f"session{self.state.snowflake()}", intents, link)
        self.sessions[session.id] = link.session = session
        mine = [one for one in self.state.guilds.values() if APP in one.members]
        await session.dispatch("READY", {
            "v": 10, "user": self.payloads.me(), "guilds": [{"id": one.id, "unavailable": True} for one in mine],
            "session_id": session.id, "resume_gateway_url": self.url(), "session_type": "normal", "shard": [0, 1],
            "application": {"id": APP, "flags": 0}, "private_channels": [], "relationships": [], "_trace": [],
        })  # fmt: skip
        if intents & GUILDS:
            for one in mine:
                await session.dispatch("GUILD_CREATE", self.payloads.guild(one))

    async def _resume(self, link: Link, body: Json) -> None:
        if body.get("token") != self.token():
            raise Closed(4004, "Authentication failed.")
        session = self.sessions.get(str(body.get("session_id")))
        if session is None or (session.link is None and self.state.now() - session.left_at > limits.SESSION_SECONDS):
            await link.send({"op": _INVALID, "s": None, "t": None, "d": False})
            return
        if int(body.get("seq") or 0) > session.sequence:
            raise Closed(4007, "Invalid seq.")
        self.resumes += 1
        session.link, link.session = link, session
        for event in [*session.events]:
            if event["s"] > body["seq"]:
                await link.send(event)
        await session.dispatch("RESUMED", {"_trace": []})

    def _gone(self, link: Link) -> None:
        if link in self.links:
            self.links.remove(link)
        if link.session is not None and link.session.link is link:
            link.session.link = None
            link.session.left_at = self.state.now()

    # -- what the peer says --------------------------------------------------------------------------------------------

    @property
    def live(self) -> list[Link]:
        """Connections with a session."""
        return [link for link in self.links if link.session and link.session.link is link and not link.socket.closed]

    @property
    def reachable(self) -> list[Session]:
        """Sessions that get events, at once or when they are resumed."""
        now = self.state.now()
        return [s for s in self.sessions.values() if s.link or now - s.left_at <= limits.SESSION_SECONDS]

    async def dispatch(self, name: str, data: Json, needs: int = 0) -> int:
        """An event for every session that asked for such; how many those are."""
        heard = [one for one in self.reachable if not needs or one.intents & needs]
        for session in heard:
            await session.dispatch(name, data)
        return len(heard)

    # -- what tests say ------------------------------------------------------------------------------------------------

    async def reconnect(self) -> None:
        """Opcode 7: the app is to connect again, and resumes."""
        for link in self.live:
            await link.send({"op": _RECONNECT, "s": None, "t": None, "d": None})

    async def invalidate(self, *, resumable: bool = False) -> None:
        """Opcode 9: the session is over."""
        for link in self.live:
            if not resumable and link.session:
                self.sessions.pop(link.session.id, None)
            await link.send({"op": _INVALID, "s": None, "t": None, "d": resumable})

    def forget(self) -> None:
        """No session can be resumed any more."""
        self.sessions.clear()

    async def close(self, code: int = 4000) -> None:
        """Every connection is closed with this code; after 4007 and 4009 nothing is left to resume."""
        for link in [*self.links]:
            if code in (1000, 1001, 4007, 4009) and link.session:
                self.sessions.pop(link.session.id, None)
            self._gone(link)
            await link.socket.close(code=code)

    def cut(self) -> None:
        """Every connection is gone without a close frame."""
        for link in [*self.links]:
            self._gone(link)
            if link.request.transport is not None:
                link.request.transport.abort()

    def go_silent(self) -> None:
        """Every connection that is open now stays open and dead: half-open."""
        for link in self.links:
            link.silent = True
            if link.session is not None and link.session.link is link:
                link.session.link, link.session.left_at = None, self.state.now()

    def goes_away(self, how: Literal["refused", "cut"] = "refused") -> None:
        """Down until `comes_back`."""
        self.away = how
        self.cut()

    def comes_back(self) -> None:
        self.away = None

    async def says(self, text: str) -> None:
        """Exactly this on every connection: what no decent gateway sends."""
        for link in self.live:
            await link.raw(text)

    async def garbles(self, name: str = "MESSAGE_CREATE", data: Any = None) -> None:
        """An event of this name with a body that makes no sense."""
        for session in self.reachable:
            await session.dispatch(name, data if data is not None else {"id": None})


def _compressor(kind: str) -> Compress | None:
    """One stream for the whole connection, flushed after each message."""
    if kind == "zlib-stream":
        deflate = zlib.compressobj()
        return lambda raw: deflate.compress(raw) + deflate.flush(zlib.Z_SYNC_FLUSH)
    if kind == "zstd-stream":
        stream = zstandard.ZstdCompressor().compressobj()
        return lambda raw: stream.compress(raw) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return None
