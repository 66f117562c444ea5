"""Requests that a platform signs: how old they may be, and how large."""

from __future__ import annotations

from starlette.requests import Request

from core.ports import Clock

MAX_BODY = 1024 * 1024
"""Bytes. The largest payloads, views with their state and clicks with their message, are well below."""
STALE = 300.0
"""Seconds that a request may be old, or early; what is replayed within is known by its id.

https://docs.slack.dev/authentication/verifying-requests-from-slack; Discord names no limit of its own.
"""


def is_fresh(timestamp: str, clock: Clock) -> bool:
    """Whether these are seconds since 1970, in ASCII digits, and near enough to now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(clock.now().timestamp() - int(timestamp)) <= STALE


async def bounded(request: Request) -> bytes | None:
    """The body; None where it is larger than anything that a platform sends."""
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > MAX_BODY:
        return None
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            return None
    return bytes(data)
