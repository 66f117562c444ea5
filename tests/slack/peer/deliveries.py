"""From Slack to the app: signed HTTP requests or Socket Mode envelopes, each acknowledged in time, or tried again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlencode

import aiohttp

from tests.slack.peer.links import Links
from tests.slack.peer.refused import Json

Kind = Literal["slash_commands", "interactive", "events_api"]
RETRIES = 3
"""Times that an event is delivered again: at once, after a minute and after five; here without the waiting."""


class NotAcknowledged(AssertionError):
    """People would read that the app did not respond. `status` is the HTTP status, None where nothing came."""

    def __init__(self, kind: Kind, status: int | None) -> None:
        super().__init__(f"the app did not acknowledge {kind}: {status or 'no answer in time'}")
        self.status = status


class Transport(Protocol):
    async def deliver(self, kind: Kind, payload: Json) -> Json:
        """The body of the ack. Raises NotAcknowledged."""


def signed(secret: str, body: str, timestamp: str) -> dict[str, str]:
    """The headers that prove a request to be Slack's."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


def encoded(kind: Kind, payload: Json) -> tuple[str, str]:
    """The body as Slack sends it, and its content type."""
    match kind:
        case "slash_commands":
            return urlencode(payload), "application/x-www-form-urlencoded"
        case "interactive":
            return urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded"
        case "events_api":
            return json.dumps(payload), "application/json"


@dataclass(frozen=True)
class Http:
    """Requests to `url`. `wall` is the time that signatures carry, in Unix seconds."""

    url: str
    secret: str
    wall: Callable[[], float]
    patience: float

    async def deliver(self, kind: Kind, payload: Json) -> Json:
        status = None
        for attempt in range(1 + RETRIES * (kind == "events_api")):
            reason = "http_error" if status else "http_timeout"
            retry = {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason} if attempt else {}
            status, body, headers = await self._posted(kind, payload, retry)
            if status == 200:
                return body
            if headers.get("X-Slack-No-Retry") == "1":
                break
        raise NotAcknowledged(kind, status)

    async def _posted(self, kind: Kind, payload: Json, retry: dict[str, str]) -> tuple[int | None, Json, Json]:
        body, content_type = encoded(kind, payload)
        headers = {"Content-Type": content_type, **retry, **signed(self.secret, body, str(int(self.wall())))}
        try:
            return await self.request(body, headers)
        except (TimeoutError, aiohttp.ClientError):
            return None, {}, {}

    async def request(self, body: str, headers: dict[str, str]) -> tuple[int, Json, Json]:
        """Any request at all, as anybody may send one: status, body, headers."""
        limit = aiohttp.ClientTimeout(total=self.patience)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(self.url, data=io.BytesIO(body.encode()), headers=headers) as answer,
        ):
            text = await answer.text()
            said: Json = json.loads(text) if answer.content_type == "application/json" and text else {"text": text}
            return answer.status, said if isinstance(said, dict) else {}, dict(answer.headers)


@dataclass(frozen=True)
class Sockets:
    """Envelopes over whichever connection is open."""

    links: Links
    patience: float

    async def deliver(self, kind: Kind, payload: Json) -> Json:
        answer = await self.links.deliver(kind, payload, self.patience, responds=kind != "events_api")
        if answer is None:
            raise NotAcknowledged(kind, None)
        return answer

    async def connected(self, seconds: float = 30.0) -> None:
        """Wait until the app has a connection."""
        for _ in range(int(seconds / 0.01)):
            if any(not link.silent for link in self.links.open):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"the app did not connect within {seconds:g} s")
