"""One HTTP/1.1 connection: h11 for the grammar, asyncio's transport for the bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import h11

_PATIENCE = 75.0
"""Seconds for the other side to take what was sent to it."""
_READ_AHEAD = 256 * 1024
"""Bytes that are taken in before somebody asks for them."""

Event = h11.Event | type[h11.PAUSED]


class Wire(asyncio.Protocol):
    """What is queued goes out with `flush`, in one piece where it can. `opened` is called once it is connected."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], opened: Callable[[Wire], None] | None = None) -> None:
        self.http = h11.Connection(role)
        self.silent = True
        """Nothing has come since `start_next_cycle`."""
        self._opened = opened
        self._queued = bytearray()
        self._unread = 0
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()

    # -- asyncio's side ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._acknowledge_at_once()
        if self._opened is not None:
            self._opened(self)

    def data_received(self, data: bytes) -> None:
        self.silent = False
        self._acknowledge_at_once()
        self.http.receive_data(data)
        self._unread += len(data)
        if self._unread > _READ_AHEAD:
            self._transport.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        """Stay open: whoever has sent its whole request may still want the answer."""
        self.http.receive_data(b"")
        self._arrived.set()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.set()
        self._arrived.set()
        self._writable.set()

    def _acknowledge_at_once(self) -> None:
        """A release that sends head and body apart, as Python's own server does, waits for this with the body.

        The kernel would take its 40 ms for it on each connection but a new one. Linux forgets it, so it is said again.
        """
        if self.http.our_role is h11.CLIENT:
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    # -- the door's side --------------------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        address = self._transport.get_extra_info("peername")
        return str(address[0]) if address else ""

    def received(self) -> Event | None:
        """The next event, if it is here already. Raises h11.RemoteProtocolError."""
        event = self.http.next_event()
        return None if event is h11.NEED_DATA else cast("Event", event)

    async def receive(self) -> Event:
        """The next event. Raises h11.RemoteProtocolError, OSError."""
        while (event := self.received()) is None:
            if self._lost.is_set():
                raise ConnectionResetError("the connection is lost")
            self._arrived.clear()
            if self._unread > _READ_AHEAD:
                self._transport.resume_reading()
            self._unread = 0
            await self._arrived.wait()
        return event

    def queue(self, event: h11.Event) -> None:
        """Raises h11.LocalProtocolError."""
        self._queued += self.http.send(event) or b""

    async def flush(self) -> None:
        """Send what is queued. Raises OSError."""
        if self._queued:
            self._transport.write(bytes(self._queued))
            self._queued.clear()
        if not self._writable.is_set():
            await self._writable.wait()
        if self._lost.is_set():
            raise ConnectionResetError("the connection is lost")

    async def send(self, event: h11.Event) -> None:
        self.queue(event)
        await self.flush()

    @property
    def exchange_is_over(self) -> bool:
        """Whether request and answer have both ended, and another may follow on this connection."""
        return self.http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}

    @property
    def is_clean(self) -> bool:
        """Whether nothing came that nobody asked for, not even the end of the connection."""
        return self.http.trailing_data == (b"", False) and not self._transport.is_closing()

    def start_next_cycle(self) -> None:
        self.http.start_next_cycle()
        self.silent = True

    def cut(self) -> None:
        """Close without a proper end, so that the other side cannot take a part for the whole."""
        self._transport.abort()

    async def close(self) -> None:
        """Close once what was sent has gone out; cut where the other side does not take it."""
        self._transport.close()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._lost.wait()
        except TimeoutError:
            self.cut()
