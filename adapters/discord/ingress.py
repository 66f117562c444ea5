"""Discord's interactions over HTTP: read within bounds, verified by their signature, and heard like the gateway's.

The first answer, durable like everywhere, is the request's own; what follows goes out over REST.
https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from adapters.chat.signed import bounded, is_fresh
from adapters.discord.interaction import PING
from adapters.discord.interaction import Request as Asked
from core.ports import Clock


class Listener(Protocol):
    def is_ours(self, payload: Mapping[str, Any]) -> bool: ...

    async def interaction(self, payload: Mapping[str, Any], asked: Asked | None = None) -> None: ...


class Ingress:
    """An ASGI application for `PATH`. What it refuses has touched nothing."""

    def __init__(self, listener: Listener, public_key: str, clock: Clock) -> None:
        """Raises ValueError where `public_key` is no Ed25519 key in hexadecimal."""
        self._listener = listener
        self._key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked()
        try:
            response = await self._answer(Request(scope, receive), asked)
            await response(scope, receive, send)
        finally:
            asked.sent.set()

    async def _answer(self, request: Request, asked: Asked) -> Response:
        if request.method != "POST":
            return Response(status_code=405, headers={"allow": "POST"})
        timestamp = request.headers.get("x-signature-timestamp", "")
        if not is_fresh(timestamp, self._clock):
            return Response(status_code=401)
        raw = await bounded(request)
        if raw is None:
            return Response(status_code=413)
        if not self._signed(request.headers.get("x-signature-ed25519", ""), timestamp, raw):
            return Response(status_code=401)
        body = _parsed(raw)
        if body is None:
            return Response(status_code=400)
        if body.get("type") == PING:
            return JSONResponse({"type": PING})
        if not self._listener.is_ours(body):
            return Response(status_code=403)
        await self._listener.interaction(body, asked)
        return Response(status_code=400) if asked.answer is None else JSONResponse(asked.answer)

    def _signed(self, signature: str, timestamp: str, raw: bytes) -> bool:
        try:
            self._key.verify(bytes.fromhex(signature), timestamp.encode() + raw)
        except (InvalidSignature, ValueError):
            return False
        return True


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
