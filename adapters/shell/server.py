"""The answering side: reads one request a line, and hands it to the door as its connection's user."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path

import structlog

from adapters.shell.wire import LONGEST_LINE, Answer, BadLine, Outcome, encoded, request_of
from core.commands import Wait
from core.parsing import Ignore, Reply, parse_words, render
from core.people import Account
from core.plain import lines, safe
from core.ports import Door, Incoming

log = structlog.get_logger("ashat.shell")

_GRACE = 5.0
"""Seconds for answers that are under way when the bot stops."""
_CREDENTIALS = struct.Struct("3i")
"""struct ucred of Linux (unix(7)): process, user and group of the other side."""


class ShellServer:
    """Listens at `path`, whose place was claimed before. `home` is the channel that gets the cards of its pushes."""

    def __init__(self, path: Path, door: Door, home: str) -> None:
        self._path = path
        self._door = door
        self._home = home
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """A socket file that is there was left behind: whoever made it no longer holds the claim."""
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.fchmod(listening.fileno(), 0o600)  # Linux gives the file the mode that its socket has when it is bound
        listening.bind(str(self._path))
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(self._accepted, sock=listening, limit=LONGEST_LINE)

    async def stop(self) -> None:
        """Take no new commands, and let those that are under way end; a wait is cut."""
        self._stopping.set()
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        if self._talks:
            _, late = await asyncio.wait(self._talks, timeout=_GRACE)
            for talk in late:
                talk.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        account = Account("shell", str(peer_uid(writer)))
        try:
            line = await reader.readline()
            if not self._stopping.is_set() and line.endswith(b"\n"):
                writer.write(encoded(await self._answered(line, account, reader)))
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            log.info("connection ended", why=str(error))
        finally:
            writer.close()

    async def _answered(self, line: bytes, account: Account, reader: asyncio.StreamReader) -> Answer:
        try:
            request = request_of(line)
        except BadLine as error:
            return Answer("usage", (f"{error}",))
        parsed = parse_words(request.words)
        match parsed:
            case Reply():
                return Answer("usage", (safe(parsed.text),))
            case Ignore():
                return Answer("ignored", ())
            case _:
                message = Incoming("shell", request.id, account, self._home, render(parsed), shell=True)  # noqa: S604 - the chat's own word
                if isinstance(parsed, Wait):
                    return await self._while_there(message, reader)
                return await self._reply(message)

    async def _reply(self, message: Incoming) -> Answer:
        reply = await self._door.answer(message)
        outcome: Outcome = reply.outcome
        return Answer(outcome, tuple(lines(reply.card)), reply.id)

    async def _while_there(self, message: Incoming, reader: asyncio.StreamReader) -> Answer:
        """A wait may last for days: it ends when the one who asked has gone, or when the bot stops."""
        answering = asyncio.create_task(self._reply(message))
        over = (asyncio.create_task(reader.read(1)), asyncio.create_task(self._stopping.wait()))
        try:
            await asyncio.wait({answering, *over}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ConnectionError("the wait was over before its end")
            return answering.result()
        finally:
            for task in (answering, *over):
                task.cancel()
            await asyncio.gather(answering, *over, return_exceptions=True)


def peer_uid(writer: asyncio.StreamWriter) -> int:
    """The user on the other side, as the kernel knows them. Raises OSError."""
    connection = writer.get_extra_info("socket")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return int(uid)
