"""Requests and sockets without any library: what the peer takes and refuses, said to it directly."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import zstandard
from aiohttp import ClientSession, ClientWebSocketResponse, FormData, WSMsgType

from tests.discord.peer.discord import Discord
from tests.discord.peer.guilds import APP, GUILD
from tests.discord.peer.refused import Json

COMMANDS = f"/applications/{APP}/guilds/{GUILD}/commands"
DEPLOYMENTS = "/channels/400000000000000001/messages"
PUSH: Json = {"type": 1, "name": "push", "description": "Push", "options": [
    {"type": 3, "name": "id", "description": "Which", "required": True, "autocomplete": True},
]}  # fmt: skip
DEPLOY: Json = {"name": "deploy", "description": "Deployments", "type": 1, "options": [PUSH]}


async def ask(
    discord: Discord, method: str, path: str, body: Any = None, *, token: str | None = None,
    files: dict[str, bytes] | None = None,
) -> tuple[int, Any]:  # fmt: skip
    """Status and body of the answer."""
    headers = {"Authorization": f"Bot {discord.token if token is None else token}"}
    sent: dict[str, Any] = {} if body is None else {"json": body}
    if files is not None:
        form = FormData(quote_fields=False)
        form.add_field("payload_json", json.dumps(body or {}), content_type="application/json")
        for number, (name, content) in enumerate(files.items()):
            form.add_field(f"files[{number}]", BytesIO(content), filename=name)
        sent = {"data": form}
    async with (
        ClientSession() as client,
        client.request(method, discord.api_url + path, headers=headers, **sent) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if text else None


async def answers(discord: Discord, type_: int, data: Json | None = None) -> tuple[int, Any]:
    """The first answer to what somebody did last."""
    one = [*discord.state.interactions.values()][-1]
    return await ask(discord, "POST", f"/interactions/{one.id}/{one.token}/callback", {"type": type_, "data": data})


class Wire:
    """One connection to the gateway."""

    def __init__(self, socket: ClientWebSocketResponse, compress: str) -> None:
        self._socket = socket
        self._zlib = zlib.decompressobj()
        self._zstd = zstandard.ZstdDecompressor().decompressobj()
        self._compress = compress
        self.code: int | None = None

    async def says(self, op: int, d: Any = None) -> None:
        await self._socket.send_json({"op": op, "d": d})

    async def says_text(self, text: str) -> None:
        await self._socket.send_str(text)

    async def hears(self) -> Json | None:
        """The next payload; None where it was closed, with `code`."""
        message = await self._socket.receive(30)
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            self.code = self._socket.close_code
            return None
        raw: str | bytes = message.data
        if isinstance(raw, bytes):
            raw = (self._zlib if self._compress == "zlib-stream" else self._zstd).decompress(raw)
        said: Json = json.loads(raw)
        return said

    async def identifies(self, discord: Discord, **more: Any) -> Json | None:
        """What it is answered, after HELLO."""
        await self.hears()
        await self.says(2, {"token": discord.token, "intents": 1, "properties": {}, **more})
        return await self.hears()


@asynccontextmanager
async def wire(discord: Discord, compress: str = "", version: str = "10") -> AsyncIterator[Wire]:
    query = f"?v={version}&encoding=json" + (f"&compress={compress}" if compress else "")
    async with ClientSession() as client, client.ws_connect(discord.gateway_url + query) as socket:
        yield Wire(socket, compress)
