"""What a test lets go wrong between the app and Discord, request by request or for as long as it says.

A request is named by its route: `POST /channels/{id}/messages`, `POST /interactions/{id}/{token}/callback`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from tests.discord.peer.rates import refused
from tests.discord.peer.refused import Cut, Json, RateLimited

When = Literal["before", "after"]
Away = Literal["cut", "503"]

POST = "POST /channels/{id}/messages"
EDIT = "PATCH /channels/{id}/messages/{id}"
ANSWER = "POST /interactions/{id}/{token}/callback"


@dataclass(frozen=True)
class Trouble:
    """One request of `route` fails, `before` or `after` it took hold. `status` None: its connection is cut."""

    route: str
    when: When
    status: int | None = None
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Troubles:
    away: Away | None = None
    """While the REST API is gone: how its address behaves."""
    planned: list[Trouble] = field(default_factory=list)

    def cuts(self, route: str, when: When = "before", times: int = 1) -> None:
        """The next requests break off without an answer."""
        self.planned += [Trouble(route, when)] * times

    def fails(self, route: str, status: int = 500, when: When = "before", times: int = 1) -> None:
        """The next requests get a 5xx."""
        self.planned += [Trouble(route, when, status, {"message": "Internal Server Error", "code": 0})] * times

    def refuses(self, route: str, status: int, code: int, times: int = 1) -> None:
        """The next requests get this error."""
        self.planned += [Trouble(route, "before", status, {"message": "Refused", "code": code})] * times

    def limits(
        self, route: str, retry_after: float, times: int = 1, *, everywhere: bool = False, via: bool = True
    ) -> None:
        """The next requests get 429; without `via` it comes from the proxy in front, as for a banned address."""
        error = RateLimited(retry_after, everywhere=everywhere)
        headers = refused(error) if via else {}
        self.planned += [Trouble(route, "before", 429, error.body(), headers)] * times

    def meets(self, route: str, when: When) -> web.Response | None:
        """What a request is answered with instead. Raises Cut."""
        if when == "before" and self.away:
            return _answered(Trouble(route, when, 503 if self.away == "503" else None))
        met = next((one for one in self.planned if one.route == route), None)
        if met is None or met.when != when:
            return None
        self.planned.remove(met)
        return _answered(met)


def _answered(trouble: Trouble) -> web.Response:
    if trouble.status is None:
        raise Cut
    answer = web.json_response(trouble.body, status=trouble.status, headers=trouble.headers)
    answer.headers["Content-Type"] = "application/json"
    return answer
