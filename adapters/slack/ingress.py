"""Slack's requests over HTTP: read within bounds, verified, parsed, and handed to Bolt as Socket Mode hands it its own.

Bolt's own reading of a body takes a slash command that holds the word "payload" for something else, and fails on a
timestamp that is no number; so reading and verifying are done here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.chat.signed import bounded, is_fresh
from adapters.slack.setup import PATH as PATH
from core.ports import Clock

_KEPT = ("x-slack-retry-num", "x-slack-retry-reason")


class Ingress:
    """An ASGI application for `PATH`. What it refuses has touched nothing."""

    def __init__(self, app: AsyncApp, secret: str, clock: Clock) -> None:
        """Raises ValueError for an empty secret, with which anybody could sign."""
        if not secret.strip():
            raise ValueError("the signing secret is empty")
        self._app = app
        self._secret = secret.encode()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405, headers={"allow": "POST"})
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not (is_fresh(timestamp, self._clock) and signature.isascii()):
            return Response(status_code=401)
        raw = await bounded(request)
        if raw is None:
            return Response(status_code=413)
        if not hmac.compare_digest(self._signature(timestamp, raw), signature):
            return Response(status_code=401)
        body = _parsed(raw, request.headers.get("content-type", ""))
        if body is None:
            return Response(status_code=400)
        return await self._dispatched(body, request)

    async def _dispatched(self, body: dict[str, Any], request: Request) -> Response:
        if body.get("type") == "url_verification":
            return Response(str(body.get("challenge", "")), media_type="text/plain")
        headers: dict[str, str | Sequence[str]] = {
            name: value for name in _KEPT if (value := request.headers.get(name))
        }
        told = await self._app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body, headers=headers))
        kind = told.first_headers().get("content-type", "text/plain")
        return Response(told.body, told.status, media_type=kind)

    def _signature(self, timestamp: str, raw: bytes) -> str:
        return "v0=" + hmac.new(self._secret, b"v0:" + timestamp.encode() + b":" + raw, hashlib.sha256).hexdigest()


def _parsed(raw: bytes, kind: str) -> dict[str, Any] | None:
    """A form's fields, the JSON in its field `payload`, or the JSON that the body is; None where it is none of them."""
    try:
        text = raw.decode()
        if kind.partition(";")[0].strip() == "application/json":
            body = json.loads(text)
        else:
            form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
            body = json.loads(form["payload"]) if "payload" in form and "command" not in form else form
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
