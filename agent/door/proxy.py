"""The front door: a small HTTP/1.1 reverse proxy, a process of its own that outlives the agent.

Each request looks up its release anew, so that a switch is one atomic change of the route table: requests in flight
finish where they began, the next ones go to the new release, on the same connections. The agent asks how many are in
flight (a Unix socket beside the table) before it stops what was replaced.

Connections to releases are used again, but only for requests that may be repeated: a release may close a connection
in the instant in which a request is sent on it, and that request is then sent again on a new one. Nothing else is
ever sent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Never

import h11

from agent.door.forwarding import has_body, may_be_repeated, refusal, request_headers, request_path, response_headers
from agent.door.place import ROUTES
from agent.door.routes import RouteTable
from agent.door.upstreams import Upstreams
from agent.door.wire import Event, Wire

_IDLE = 75.0
"""Seconds that a client's connection may stay silent between requests."""
_REST_OF_BODY = 5.0
"""Seconds for a client to finish sending a body after its answer has been given."""


class DoorError(Exception):
    """An answer that the door gives itself: a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Stale(Exception):
    """The release closed a connection that had been used before, and gave no answer to what was sent on it."""


class Door:
    """All connections of the front door."""

    def __init__(self, folder: Path) -> None:
        self._table = RouteTable(folder / ROUTES)
        self.upstreams = Upstreams()
        self._clients: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Wire(h11.SERVER, self._welcome), host, port, backlog=1024)

    def close(self) -> None:
        """Cut what is left, after the grace."""
        self.upstreams.close()
        for task in self._clients:
            task.cancel()

    async def tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The agent's question: what is in flight, by upstream."""
        writer.write(json.dumps(self.upstreams.in_flight).encode())
        writer.close()
        await writer.wait_closed()

    def _welcome(self, client: Wire) -> None:
        task = asyncio.create_task(self._serve(client))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, client: Wire) -> None:
        """One client's connection, until either side is done with it."""
        try:
            while await self._one_request(client):
                client.start_next_cycle()
        except (OSError, asyncio.CancelledError):  # the client, its release or the door is gone in the middle
            client.cut()
        finally:
            await client.close()

    async def _one_request(self, client: Wire) -> bool:
        """Answer the next request; False where the connection is to be closed."""
        try:
            request = await _next_request(client)
            if not isinstance(request, h11.Request):
                return False
            await self._answer(client, request)
        except DoorError as error:
            await _say(client, error.status, str(error))
        except h11.RemoteProtocolError as error:
            await _say(client, error.error_status_hint, f"This is not HTTP as the front door reads it: {error}.")
        return client.exchange_is_over

    async def _answer(self, client: Wire, request: h11.Request) -> None:
        """Through a connection that is there already where that is safe, else, or where that was closed, a new one."""
        if reason := refusal(request):
            raise DoorError(*reason)
        if may_be_repeated(request):
            address = self._address(request)
            with self.upstreams.counted(address), contextlib.suppress(_Stale):
                if wire := self.upstreams.waiting(address):
                    await self._exchange(client, request, address, wire, reused=True)
                    return
        await self._answer_anew(client, request)

    async def _answer_anew(self, client: Wire, request: h11.Request) -> None:
        """On a new connection. A failed connect is tried once more, to where the release is then."""
        for is_last in (False, True):
            address = self._address(request)
            with self.upstreams.counted(address):
                try:
                    wire = await self.upstreams.connect(address)
                except OSError as error:
                    if is_last:
                        sentence = "The release behind this address does not answer; try again in a moment."
                        raise DoorError(502, sentence) from error
                else:
                    await self._exchange(client, request, address, wire, reused=False)
                    return

    async def _exchange(self, client: Wire, request: h11.Request, address: str, wire: Wire, *, reused: bool) -> None:
        try:
            if has_body(request):
                await _with_body(client, wire, request)
            else:
                await _without_body(client, wire, request, reused=reused)
        except BaseException:
            wire.cut()
            raise
        self.upstreams.give_back(address, wire)

    def _address(self, request: h11.Request) -> str:
        route = self._table.find(request_path(request))
        if route is None:
            raise DoorError(404, "Nothing is served at this address.")
        if route.upstream is None:
            raise DoorError(503, route.says or f"{route.component} is offline.")
        return route.upstream


async def _next_request(client: Wire) -> Event | None:
    """What the client sends next; None where it stays silent."""
    try:
        async with asyncio.timeout(_IDLE):
            return await client.receive()
    except TimeoutError:
        return None


async def _without_body(client: Wire, upstream: Wire, request: h11.Request, *, reused: bool) -> None:
    if client.http.their_state is h11.SEND_BODY:
        await client.receive()  # the end of a request without a body is there already
    try:
        upstream.queue(_forwarded(client, request))
        upstream.queue(h11.EndOfMessage())
        await upstream.flush()
    except OSError as error:
        _broken_off(client, upstream, reused=reused, error=error)
    await _relay_answer(upstream, client, reused=reused)


async def _with_body(client: Wire, upstream: Wire, request: h11.Request) -> None:
    """Both ways at once: a release may answer before it has read all."""
    sending = asyncio.create_task(_send_request(client, upstream, request))
    try:
        await _relay_answer(upstream, client, reused=False)
        async with asyncio.timeout(_REST_OF_BODY):
            await sending
    except TimeoutError:
        client.cut()
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


def _forwarded(client: Wire, request: h11.Request) -> h11.Request:
    return h11.Request(method=request.method, target=request.target, headers=request_headers(request, client.peer))


async def _send_request(client: Wire, upstream: Wire, request: h11.Request) -> None:
    """The request and its body. A release that has answered early need not read the rest, but the client sends it."""
    wanted = True
    try:
        await upstream.send(_forwarded(client, request))
        while True:
            if client.http.they_are_waiting_for_100_continue and client.http.our_state is h11.SEND_RESPONSE:
                await client.send(h11.InformationalResponse(status_code=100, headers=[]))
            event = await client.receive()
            if wanted and isinstance(event, h11.Data | h11.EndOfMessage):
                wanted = await _passed_on(event, upstream)
            if not isinstance(event, h11.Data):
                return
    except (OSError, h11.ProtocolError):
        upstream.cut()  # the client is gone, or speaks nonsense: the release must not take a part for the whole


async def _passed_on(event: h11.Data | h11.EndOfMessage, upstream: Wire) -> bool:
    try:
        await upstream.send(event if isinstance(event, h11.Data) else h11.EndOfMessage())
    except OSError:
        return False
    return True


async def _relay_answer(upstream: Wire, client: Wire, *, reused: bool) -> None:
    """Pass the answer on. Where it breaks off, so does the client's connection; before it began, the client is told."""
    try:
        while not isinstance(event := await _next_of_answer(upstream, client), h11.EndOfMessage):
            match event:
                case h11.Response():
                    headers = response_headers(event)
                    client.queue(h11.Response(status_code=event.status_code, headers=headers, reason=event.reason))
                case h11.Data():
                    client.queue(event)
                case h11.InformationalResponse(status_code=101) | h11.ConnectionClosed() | h11.PAUSED:
                    raise ConnectionResetError("the release broke off")
                case _:
                    continue
        client.queue(h11.EndOfMessage())
        await client.flush()
    except (OSError, h11.ProtocolError) as error:
        _broken_off(client, upstream, reused=reused, error=error)


async def _next_of_answer(upstream: Wire, client: Wire) -> Event:
    """What is here already is passed on together; before more is waited for, it goes out."""
    event = upstream.received()
    if event is None:
        await client.flush()
        event = await upstream.receive()
    return event


def _broken_off(client: Wire, upstream: Wire, *, reused: bool, error: Exception) -> Never:
    """Raises what becomes of the request: another try, an answer of the door's own, or a cut connection."""
    if reused and upstream.silent:
        raise _Stale from error
    if client.http.our_state is not h11.SEND_RESPONSE:
        raise ConnectionAbortedError("the answer broke off") from error
    raise DoorError(502, "The release behind this address broke off; try again in a moment.") from error


async def _say(client: Wire, status: int, sentence: str) -> None:
    """An answer of the door's own. The connection ends where the request's body has not been read."""
    if client.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    body = f"{sentence}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    if client.http.their_state is not h11.DONE:
        headers.append(("Connection", "close"))
    client.queue(h11.Response(status_code=status, headers=headers))
    client.queue(h11.Data(data=body))
    await client.send(h11.EndOfMessage())
