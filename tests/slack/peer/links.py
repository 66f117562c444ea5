"""Socket Mode: connections that say hello, carry envelopes to the app, and are taken away as Slack takes them away."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from aiohttp import WSMsgType, web

from tests.slack.peer.refused import Json
from tests.slack.peer.troubles import Cut, Troubles
from tests.slack.peer.workspace import APP

MOST = 10
"""Connections of one app at once."""
_GLANCE = 0.002


@dataclass(eq=False)
class Link:
    """One connection. `silent`: its peer is gone without a word, so that nothing comes back, not even a pong."""

    request: web.Request
    socket: web.WebSocketResponse
    silent: bool = False
    sent: list[Json] = field(default_factory=list)


@dataclass
class Links:
    """All connections of the app, the oldest first."""

    troubles: Troubles
    open: list[Link] = field(default_factory=list)
    connects: int = 0
    _acks: dict[str, asyncio.Future[Json]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _turn: int = 0

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """GET /link/: until either side closes it."""
        if self.troubles.away or len(self.open) >= MOST:
            raise Cut
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        link = Link(request, socket)
        self.open.append(link)
        self.connects += 1
        await socket.send_json({
            "type": "hello", "num_connections": len(self.open), "connection_info": {"app_id": APP},
            "debug_info": {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060},
        })  # fmt: skip
        try:
            await self._listen(link)
        finally:
            self._gone(link)
        return socket

    def _gone(self, link: Link) -> None:
        if link in self.open:
            self.open.remove(link)

    async def _listen(self, link: Link) -> None:
        async for message in link.socket:
            if link.silent:
                continue
            if message.type is WSMsgType.PING:
                await link.socket.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                self._acknowledged(json.loads(message.data))

    def _acknowledged(self, said: Json) -> None:
        waiting = self._acks.get(str(said.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(said.get("payload") or {})

    async def deliver(self, kind: str, payload: Json, patience: float, *, responds: bool) -> Json | None:
        """Hand the app an envelope and give the payload of its ack; where it is not acked, try another connection.

        None: nobody acked, or nobody is connected.
        """
        envelope_id = f"env-{next(self._numbers)}"
        self._acks[envelope_id] = asyncio.get_running_loop().create_future()
        tried: list[Link] = []
        try:
            while link := await self._next(tried, patience):
                envelope: Json = {"envelope_id": envelope_id, "type": kind, "payload": payload,
                                  "accepts_response_payload": responds}  # fmt: skip
                if kind == "events_api":
                    envelope |= {"retry_attempt": len(tried), "retry_reason": "timeout" if tried else ""}
                tried.append(link)
                answer = await self._sent(link, envelope, patience)
                if answer is not None:
                    return answer
        finally:
            del self._acks[envelope_id]
        return None

    async def _next(self, tried: list[Link], patience: float) -> Link | None:
        """Slack picks any connection: here, each in turn. The first is waited for, as the app may be reconnecting."""
        for _ in range(int(patience / _GLANCE)):
            left = [link for link in self.open if link not in tried]
            if left:
                self._turn += 1
                return left[self._turn % len(left)]
            if any(link in self.open for link in tried):
                return None
            await asyncio.sleep(_GLANCE)
        return None

    async def _sent(self, link: Link, envelope: Json, patience: float) -> Json | None:
        """The payload of its ack; None after `patience`, or at once where the connection is gone."""
        link.sent.append(envelope)
        ack = self._acks[str(envelope["envelope_id"])]
        if not link.silent:
            try:
                await link.socket.send_json(envelope)
            except ConnectionError:
                self._gone(link)
                return None  # closed at this moment: another connection gets it
        for _ in range(int(patience / _GLANCE)):
            if ack.done():
                return ack.result()
            if link not in self.open:
                return None
            await asyncio.sleep(_GLANCE)
        return None

    # -- what tests say ------------------------------------------------------------------------------------------------

    async def disconnect(self, reason: Literal["warning", "refresh_requested", "link_disabled"]) -> None:
        """Tell the app on every connection; after a refresh they are closed, as Slack does some seconds later."""
        for link in [*self.open]:
            await link.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})
            if reason != "warning":
                self._gone(link)
                await link.socket.close()

    def go_silent(self) -> None:
        """Every connection that is open now stays open and dead."""
        for link in self.open:
            link.silent = True

    def cut(self) -> None:
        """Every connection is gone without a close frame."""
        for link in [*self.open]:
            self._gone(link)
            if link.request.transport is not None:
                link.request.transport.abort()
