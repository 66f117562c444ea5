"""Slack's addresses over a real socket: Web API, response URLs, uploads, and the link of Socket Mode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.slack.peer import limits
from tests.slack.peer.api import WebApi
from tests.slack.peer.content import content, flag
from tests.slack.peer.installation import Installation
from tests.slack.peer.links import Links
from tests.slack.peer.refused import Json, RateLimited, Refused
from tests.slack.peer.troubles import Cut, Troubles
from tests.slack.peer.workspace import BOT, BOT_USER, Message, ResponseUrl, Workspace


@dataclass(frozen=True)
class Call:
    """One call that the app made, and the error that it was answered with."""

    method: str
    args: Json = field(repr=False)
    error: str | None
    messages: tuple[str, ...] = ()
    """Slack's words to that error."""


class Site:
    """`start` listens on a free port of loopback; `origin` is its address then."""

    def __init__(
        self, workspace: Workspace, installation: Installation, api: WebApi, links: Links, troubles: Troubles
    ) -> None:
        self.calls: list[Call] = []
        self._workspace = workspace
        self._installation = installation
        self._api = api
        self._troubles = troubles
        application = web.Application(middlewares=[self._cut_off], client_max_size=8 * 2**20)
        application.router.add_route("*", "/api/{method}", self._call)
        application.router.add_post("/response/{name}", self._respond)
        application.router.add_post("/upload/{name}", self._upload)
        application.router.add_get("/link/", links.accept)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    @property
    def origin(self) -> str:
        return self._api.origin

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self._api.origin = f"http://{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _cut_off(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """A call that meets a cut has no answer: its connection is closed."""
        try:
            return await handler(request)
        except Cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)

    # -- Web API -------------------------------------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        args = await _arguments(request)
        instead = self._troubles.meets(name, "before")
        if instead is not None:
            self.calls.append(Call(name, args, f"HTTP {instead.status}"))
            return instead
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or str(args.get("token", ""))
        answer = self._answered(name, args, token)
        return self._troubles.meets(name, "after") or answer

    def _answered(self, name: str, args: Json, token: str) -> web.Response:
        granted = {"X-OAuth-Scopes": ",".join(sorted(self._installation.scopes))}
        try:
            body = self._api.call(name, args, token)
        except Refused as error:
            self.calls.append(Call(name, args, error.error, error.messages))
            if isinstance(error, RateLimited):
                granted["Retry-After"] = str(error.retry_after)
            return web.json_response(error.body(), status=error.status, headers=granted)
        self.calls.append(Call(name, args, None))
        return web.json_response(body, headers=granted)

    # -- response URLs -------------------------------------------------------------------------------------------------

    async def _respond(self, request: web.Request) -> web.Response:
        self._troubles.meets("response_url", "before")
        args = await request.json()
        name = request.match_info["name"]
        try:
            self._take_response(name, args)
        except Refused as error:
            self.calls.append(Call("response_url", args, error.error, error.messages))
            return web.json_response(error.body(), status=404 if error.error.endswith("_url") else 400)
        self.calls.append(Call("response_url", args, None))
        return self._troubles.meets("response_url", "after") or web.Response(text="ok")

    def _take_response(self, name: str, args: Json) -> None:
        """Raises expired_url, used_url, invalid_url and what is wrong with the content."""
        url = self._workspace.response_urls.get(name)
        if url is None:
            raise Refused("invalid_url")
        if self._workspace.now() - url.at > limits.RESPONSE_URL_SECONDS:
            raise Refused("expired_url")
        if url.uses >= limits.RESPONSE_URL_USES:
            raise Refused("used_url")
        url.uses += 1
        if flag(args, "delete_original") and url.message is not None:
            url.message.deleted = True
            return
        self.respond(url, args)

    def respond(self, url: ResponseUrl, args: Json) -> None:
        """An answer to a command or a click, with the ack or later. Raises what is wrong with its content."""
        text, blocks = content(args, limits.TEXT_POSTED)
        now = self._workspace.now()
        if url.message is not None and flag(args, "replace_original"):
            url.message.versions.append((now, text, blocks))
            return
        in_channel = args.get("response_type") == "in_channel"
        thread = str(args["thread_ts"]) if args.get("thread_ts") else None
        said = Message(url.channel, self._workspace.ts(), BOT_USER, [(now, text, blocks)], BOT, thread)
        said.to = None if in_channel else url.user
        self._workspace.messages.append(said)

    async def _upload(self, request: web.Request) -> web.Response:
        kept = self._workspace.files.get(request.match_info["name"])
        body = await request.read()
        if kept is None or len(body) != kept["length"]:
            return web.Response(status=400)
        kept["content"] = body
        return web.Response(text=f"OK - {len(body)}")


async def _arguments(request: web.Request) -> Json:
    """From the query, a form or JSON, as apps may send them."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        said: Json = await request.json()
        return args | said
    return args | dict(await request.post())
