"""Discord's addresses over a real socket: REST v10, the gateway, uploaded files. Every request is kept."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.discord.peer.content import Upload
from tests.discord.peer.gateway import Gateway
from tests.discord.peer.guilds import State
from tests.discord.peer.rates import Rates, refused, template
from tests.discord.peer.refused import Cut, InvalidForm, RateLimited, Refused
from tests.discord.peer.troubles import Troubles

PREFIX = "/api/v10"


@dataclass(frozen=True)
class Call:
    """One request of the app, and what it was answered."""

    method: str
    path: str
    """After /api/v10, without the query."""
    route: str
    query: dict[str, str] = field(repr=False)
    kind: str
    """The content type of the body."""
    body: Any = field(repr=False)
    uploads: tuple[Upload, ...] = field(repr=False)
    status: int
    answer: Any = field(repr=False, default=None)
    error: int | None = None
    """Discord's code of the refusal."""
    words: str = ""
    hindered: bool = False
    """A test let it fail: it is not the peer's own answer."""


@dataclass(frozen=True)
class Asked:
    """A request as its handler gets it. `ids` are the variable parts of its path."""

    ids: dict[str, str]
    query: dict[str, str]
    body: Any
    uploads: Sequence[Upload]


Handler = Callable[[Asked], Awaitable[tuple[int, Any]]]


class Site:
    """`start` listens on a free port of loopback; `origin` is its address then."""

    def __init__(self, state: State, gateway: Gateway, rates: Rates, troubles: Troubles) -> None:
        self.origin = ""
        self.token = "MTAw.peer.token"
        self.watch: Callable[[Call], None] = lambda _: None
        """Told of every call."""
        self._state = state
        self._rates = rates
        self._troubles = troubles
        self._app = web.Application(middlewares=[self._cut_off], client_max_size=64 * 2**20)
        self._app.router.add_get("/gateway/", gateway.accept)
        self._app.router.add_get("/gateway", gateway.accept)
        self._app.router.add_get("/attachments/{path:.+}", self._file)
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)

    def route(self, method: str, path: str, handler: Handler) -> None:
        async def carried(request: web.Request) -> web.StreamResponse:
            return await self._call(request, handler)

        self._app.router.add_route(method, PREFIX + path, carried)

    async def start(self) -> None:
        self._app.router.add_route("*", PREFIX + "/{rest:.*}", self._unknown)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.origin = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _cut_off(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """A request that meets a cut has no answer: its connection is closed."""
        try:
            return await handler(request)
        except Cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        async def none(_asked: Asked) -> tuple[int, Any]:
            raise Refused(404, 0, "404: Not Found")

        return await self._call(request, none)

    async def _call(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path.removeprefix(PREFIX)
        route = f"{request.method} {template(path)}"
        body, uploads = await _body(request)
        said = (request.method, path, route, dict(request.query), request.content_type, body, uploads)
        try:
            hindrance = self._troubles.meets(route, "before")
            if hindrance is not None:
                self.watch(Call(*said, hindrance.status, hindered=True))
                return hindrance
        except Cut:
            self.watch(Call(*said, 0, hindered=True))
            raise
        answer = await self._answered(said, request, handler)
        return self._troubles.meets(route, "after") or answer

    async def _answered(self, said: tuple[Any, ...], request: web.Request, handler: Handler) -> web.Response:
        method, path, _, query, _, body, uploads = said
        headers: dict[str, str] = {}
        try:
            self._authenticate(request, path)
            headers = self._rates.take(method, path)
            status, answer = await handler(Asked(dict(request.match_info), query, body, uploads))
        except Refused as error:
            if isinstance(error, RateLimited):
                headers = headers | refused(error)
            words = str(error) if isinstance(error, InvalidForm) else error.message
            self.watch(Call(*said, error.status, error.body(), error.code, words))
            return answered(error.status, error.body(), headers)
        self.watch(Call(*said, status, answer))
        return answered(status, answer, headers)

    def _authenticate(self, request: web.Request, path: str) -> None:
        """Answers to interactions carry a token in their path; everything else the bot's in a header."""
        if path.startswith(("/webhooks/", "/interactions/")) or path == "/gateway":
            return
        if request.headers.get("Authorization") != f"Bot {self.token}":
            raise Refused(401, 0, "401: Unauthorized")

    async def _file(self, request: web.Request) -> web.Response:
        content = self._state.files.get(request.path.removeprefix("/"))
        content = content if content is not None else self._state.files.get(request.raw_path.removeprefix("/"))
        return web.Response(status=404) if content is None else web.Response(body=content)


def answered(status: int, answer: Any, headers: dict[str, str]) -> web.Response:
    """discord.py compares the content type as a whole: there must be no charset in it."""
    if answer is None:
        return web.Response(status=status, headers=headers)
    content = json.dumps(answer).encode()
    return web.Response(body=content, status=status, headers={**headers, "Content-Type": "application/json"})


async def _body(request: web.Request) -> tuple[Any, tuple[Upload, ...]]:
    if not request.content_type.startswith("multipart/"):
        raw = await request.read()
        try:
            return (json.loads(raw) if raw else None), ()
        except ValueError:
            return raw.decode(errors="replace"), ()
    body: Any = {}
    uploads = []
    async for part in await request.multipart():
        content = bytes(await part.read())  # type: ignore[union-attr]
        if part.name == "payload_json":  # type: ignore[union-attr]
            body = json.loads(content)
        else:
            uploads.append(Upload(str(part.name), str(part.filename), content))  # type: ignore[union-attr]
    return body, tuple(uploads)
