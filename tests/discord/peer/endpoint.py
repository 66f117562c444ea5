"""Interactions over HTTP: signed requests to an address of the app, whose answer is the first answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.discord.peer.refused import Json


class Endpoint:
    """`wall`: the time that signatures carry, in Unix seconds. `public_key` is what the app's settings name."""

    def __init__(self, url: str, key: Ed25519PrivateKey, wall: Callable[[], float]) -> None:
        self.url = url
        self._key = key
        self._wall = wall

    def signed(self, body: bytes, timestamp: str | None = None) -> dict[str, str]:
        """The headers of a request with this body."""
        at = str(int(self._wall())) if timestamp is None else timestamp
        signature = self._key.sign(at.encode() + body).hex()
        return {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": at, "Content-Type": "application/json"}

    async def request(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        """Exactly these bytes: status and body of the answer."""
        async with (
            ClientSession(timeout=ClientTimeout(60)) as client,
            client.post(self.url, data=body, headers=headers) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else None

    async def deliver(self, payload: Json) -> Json | None:
        """The first answer; None where it is to come by REST."""
        body = json.dumps(payload).encode()
        status, answer = await self.request(body, self.signed(body))
        assert status in (200, 202), f"the endpoint answered {status}"
        return answer if status == 200 else None

    async def is_saved(self) -> None:
        """What Discord tries before it takes the address: a ping, and one with a wrong signature."""
        body = json.dumps({"type": 1}).encode()
        assert await self.request(body, self.signed(body)) == (200, {"type": 1})
        forged = {**self.signed(body), "X-Signature-Ed25519": "00" * 64}
        status, _ = await self.request(body, forged)
        assert status == 401, f"a wrong signature was answered {status}"
