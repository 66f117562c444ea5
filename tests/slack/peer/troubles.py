"""What a test lets go wrong between the app and Slack, call by call or for as long as it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from tests.slack.peer.refused import Json

When = Literal["before", "after"]
Away = Literal["cut", "503"]


@dataclass(frozen=True)
class Trouble:
    """One call of `method` fails, `before` or `after` it took hold. `status` None: its connection is cut."""

    method: str
    when: When
    status: int | None = None
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Cut(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class Troubles:
    away: Away | None = None
    """While Slack is gone: how its address behaves."""
    planned: list[Trouble] = field(default_factory=list)

    def cuts(self, method: str, when: When = "before", times: int = 1) -> None:
        """The next calls break off without an answer."""
        self.planned += [Trouble(method, when)] * times

    def fails(self, method: str, status: int = 500, when: When = "before", times: int = 1) -> None:
        """The next calls get a 5xx."""
        self.planned += [Trouble(method, when, status, {"ok": False, "error": "internal_error"})] * times

    def refuses(self, method: str, error: str, times: int = 1) -> None:
        """The next calls get this error code."""
        self.planned += [Trouble(method, "before", 200, {"ok": False, "error": error})] * times

    def limits(self, method: str, retry_after: int, times: int = 1) -> None:
        """The next calls get 429."""
        body: Json = {"ok": False, "error": "ratelimited"}
        self.planned += [Trouble(method, "before", 429, body, {"Retry-After": str(retry_after)})] * times

    def meets(self, method: str, when: When) -> web.Response | None:
        """What a call is answered with instead. Raises Cut."""
        if when == "before" and self.away:
            return _answered(Trouble(method, when, 503 if self.away == "503" else None))
        met = next((one for one in self.planned if one.method == method), None)
        if met is None or met.when != when:
            return None
        self.planned.remove(met)
        return _answered(met)


def _answered(trouble: Trouble) -> web.Response:
    if trouble.status is None:
        raise Cut
    return web.json_response(trouble.body, status=trouble.status, headers=trouble.headers)
