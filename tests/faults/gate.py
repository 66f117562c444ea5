"""A way to a server through which one request can be made to stand still: before it gets there, or on its way back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Moment = Literal["before", "after"]
_BLOCK = 65536


class Gate:
    """Passes every byte on, until `shut`. The next request with these words in its first line then waits for `open`."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._words: bytes | None = None
        self._moment: Moment = "before"
        self._opened = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self.holds = asyncio.Event()
        """Set once a request stands here: before it has got there, or when it has and the answer is known."""
        self.url = ""

    def shut(self, words: bytes, moment: Moment) -> None:
        self._words, self._moment = words, moment
        self.holds.clear()
        self._opened.clear()

    def open(self) -> None:
        """What stands here goes on, wherever its sender is now."""
        self._opened.set()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        there, back = await asyncio.open_connection(self._host, self._port)
        held: list[bool] = []
        try:
            await asyncio.gather(self._requests(reader, back, held), self._answers(there, writer, held))
        finally:
            back.transport.abort()
            writer.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, held: list[bool]) -> None:
        while block := await _read(reader):
            if self._words is not None and self._words in block.partition(b"\r\n")[0]:
                self._words = None  # the same request from somebody else may pass
                held.append(self._moment == "after")
                if self._moment == "before":
                    await self._stand()
            out.write(block)
            await out.drain()
        out.write_eof()

    async def _answers(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, held: list[bool]) -> None:
        while block := await _read(reader):
            if True in held:
                held.clear()
                await self._stand()
            with contextlib.suppress(ConnectionError):  # whom it is for may be dead by now
                out.write(block)
                await out.drain()

    async def _stand(self) -> None:
        self.holds.set()
        await self._opened.wait()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Nothing where the connection has ended, in whatever way."""
    try:
        return await reader.read(_BLOCK)
    except ConnectionError:
        return b""


@asynccontextmanager
async def gate(url: str) -> AsyncIterator[Gate]:
    """A gate in front of the server at `url`, which is http on this machine."""
    host, _, port = url.removeprefix("http://").partition(":")
    made = Gate(host, int(port))
    server = await asyncio.start_server(made._connection, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in tuple(made._connections):
            task.cancel()
        await asyncio.gather(*made._connections, return_exceptions=True)
