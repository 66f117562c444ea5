"""How Discord is heard, in a word, for whoever watches the bot: 200 where it is, 503 where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

PATH = "/healthz/discord"


@dataclass(frozen=True, slots=True)
class Health:
    """`state` is `connected`, `connecting`, `waiting` (another replica has the gateway), or `down`, and why."""

    state: str = "connecting"
    why: str = ""

    @property
    def well(self) -> bool:
        return self.state in ("connected", "waiting")


class HealthPage:
    """An ASGI application for `PATH`. It says no more than the state: anybody may ask."""

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        health = self._health()
        response = PlainTextResponse(health.state, 200 if health.well else 503)
        await response(scope, receive, send)
