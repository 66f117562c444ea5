"""The front door: a small HTTP/1.1 reverse proxy, a process of its own that outlives the agent.

Each request looks up its release anew, so that a switch is one atomic change of the route table: requests in flight
finish where they began, the next ones go to the new release, on the same connections. The agent asks how many are in
flight (a Unix socket beside the table) before it stops what was replaced.

Imports asyncio and h11 alone. `python -m agent.door.proxy --listen 127.0.0.1:8080 --folder F`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import h11

from agent.door.forwarding import refusal, request_headers, request_path, response_headers
from agent.door.routes import RouteTable

ROUTES = "routes.json"
LISTENING = "listening.json"
STATUS_SOCKET = "door.sock"
_IDLE = 75.0
"""Seconds that a client's connection may stay silent between requests."""
_CONNECT = 5.0
"""Seconds for a release on this host to accept a connection."""
_REST_OF_BODY = 5.0
"""Seconds for a client to finish sending a body after its answer has been given."""
_READ = 65536


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class DoorError(Exception):
    """An answer that the door gives itself: a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Wire:
    """An HTTP/1.1 connection: h11 for the grammar, asyncio's streams for the bytes."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], streams: Streams) -> None:
        self.http = h11.Connection(role)
        self._reader, self._writer = streams

    async def receive(self) -> h11.Event | type[h11.PAUSED]:
        """The next event. Raises h11.RemoteProtocolError, OSError."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self._reader.read(_READ))
        return cast("h11.Event | type[h11.PAUSED]", event)

    async def send(self, event: h11.Event) -> None:
        data = self.http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()

    def cut(self) -> None:
        """Close without a proper end, so that the other side cannot take a part for the whole."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close once what was sent has gone out; cut where the other side does not take it."""
        self._writer.close()
        try:
            async with asyncio.timeout(_IDLE):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.cut()


class Door:
    """All connections of the front door."""

    def __init__(self, folder: Path) -> None:
        self._table = RouteTable(folder / ROUTES)
        self.in_flight: Counter[str] = Counter()
        """Requests by upstream that have been sent there, or are about to be, and are not answered to the end."""
        self.quiet = asyncio.Event()
        self.quiet.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, until either side is done with it."""
        client = Wire(h11.SERVER, (reader, writer))
        address = writer.get_extra_info("peername")
        try:
            while await self._one_request(client, str(address[0]) if address else ""):
                client.http.start_next_cycle()
        except OSError:  # the client, or its release, is gone in the middle
            client.cut()
        finally:
            await client.close()

    async def _one_request(self, client: Wire, peer: str) -> bool:
        """Answer the next request; False where the connection is to be closed."""
        try:
            request = await _next_request(client)
            if not isinstance(request, h11.Request):
                return False
            await self._answer(client, request, peer)
        except DoorError as error:
            await _say(client, error.status, str(error))
        except h11.RemoteProtocolError as error:
            await _say(client, error.error_status_hint, f"This is not HTTP as the front door reads it: {error}.")
        return client.http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}

    async def _answer(self, client: Wire, request: h11.Request, peer: str) -> None:
        if reason := refusal(request):
            raise DoorError(*reason)
        async with self._upstream(request_path(request)) as upstream:
            sending = asyncio.create_task(_send_request(client, upstream, request, peer))
            try:
                await _relay_answer(upstream, client)
                async with asyncio.timeout(_REST_OF_BODY):
                    await sending
            except TimeoutError:
                client.cut()
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending

    @contextlib.asynccontextmanager
    async def _upstream(self, path: str) -> AsyncIterator[Wire]:
        """A connection to the release for `path`, counted as in flight. A failed connect is tried once more, anew."""
        try:
            address, wire = await self._connect(path)
        except (OSError, TimeoutError):
            try:
                address, wire = await self._connect(path)
            except (OSError, TimeoutError) as error:
                raise DoorError(
                    502, "The release behind this address does not answer; try again in a moment."
                ) from error
        try:
            yield wire
        finally:
            wire.cut()
            self._leave(address)

    async def _connect(self, path: str) -> tuple[str, Wire]:
        route = self._table.find(path)
        if route is None:
            raise DoorError(404, "Nothing is served at this address.")
        if route.upstream is None:
            raise DoorError(503, route.says or f"{route.component} is offline.")
        host, _, port = route.upstream.rpartition(":")
        self.in_flight[route.upstream] += 1  # before the first await: a switch must see this request
        self.quiet.clear()
        try:
            async with asyncio.timeout(_CONNECT):
                streams = await asyncio.open_connection(host.strip("[]"), int(port))
        except BaseException:
            self._leave(route.upstream)
            raise
        return route.upstream, Wire(h11.CLIENT, streams)

    def _leave(self, address: str) -> None:
        self.in_flight[address] -= 1
        if not self.in_flight[address]:
            del self.in_flight[address]
        if not self.in_flight:
            self.quiet.set()

    async def tell(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The agent's question: what is in flight, by upstream."""
        writer.write(json.dumps(self.in_flight).encode())
        writer.close()
        await writer.wait_closed()


async def _next_request(client: Wire) -> h11.Event | type[h11.PAUSED] | None:
    """What the client sends next; None where it stays silent."""
    try:
        async with asyncio.timeout(_IDLE):
            return await client.receive()
    except TimeoutError:
        return None


async def _send_request(client: Wire, upstream: Wire, request: h11.Request, peer: str) -> None:
    """The request and its body. A release that has answered early need not read the rest, but the client sends it."""
    wanted = True
    try:
        await upstream.send(
            h11.Request(method=request.method, target=request.target, headers=request_headers(request, peer))
        )
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


async def _relay_answer(upstream: Wire, client: Wire) -> None:
    """Pass the answer on. Where it breaks off, so does the client's connection; before it began, the client is told."""
    try:
        while not isinstance(event := await upstream.receive(), h11.EndOfMessage):
            match event:
                case h11.Response():
                    headers = response_headers(event)
                    await client.send(h11.Response(status_code=event.status_code, headers=headers, reason=event.reason))
                case h11.Data():
                    await client.send(event)
                case h11.InformationalResponse(status_code=101) | h11.ConnectionClosed() | h11.PAUSED:
                    _broken_off(client)
                case _:
                    continue
        await client.send(h11.EndOfMessage())
    except (OSError, h11.ProtocolError):
        _broken_off(client)


def _broken_off(client: Wire) -> None:
    if client.http.our_state is not h11.SEND_RESPONSE:
        raise ConnectionAbortedError("the answer broke off")
    raise DoorError(502, "The release behind this address broke off; try again in a moment.")


async def _say(client: Wire, status: int, sentence: str) -> None:
    """An answer of the door's own. The connection ends where the request's body has not been read."""
    if client.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    body = f"{sentence}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    if client.http.their_state is not h11.DONE:
        headers.append(("Connection", "close"))
    await client.send(h11.Response(status_code=status, headers=headers))
    await client.send(h11.Data(data=body))
    await client.send(h11.EndOfMessage())


async def run(host: str, port: int, folder: Path) -> None:
    """Serve until SIGTERM; then finish what is in flight, for a few seconds."""
    door = Door(folder)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(door.serve, host, port, backlog=1024)
    _write(folder / LISTENING, {"port": server.sockets[0].getsockname()[1]})
    status = await _status_server(door, folder)
    await stopped.wait()
    server.close()
    status.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REST_OF_BODY):
            await door.quiet.wait()


async def _status_server(door: Door, folder: Path) -> asyncio.Server:
    (folder / STATUS_SOCKET).unlink(missing_ok=True)
    with status_address(folder) as address:
        return await asyncio.start_unix_server(door.tell, address)


@contextlib.contextmanager
def status_address(folder: Path) -> Iterator[str]:
    """The status socket's address, however deep its folder is: a socket's own path may have 107 bytes only."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{STATUS_SOCKET}"
    finally:
        os.close(handle)


def _write(path: Path, data: dict[str, int]) -> None:
    scratch = path.with_name(f".{path.name}")
    scratch.write_text(json.dumps(data))
    scratch.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="agent.door.proxy", description="The front door of one host.")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--folder", required=True, type=Path, help="where the route table is")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    asyncio.run(run(host.strip("[]"), int(port), options.folder))


if __name__ == "__main__":
    main()
