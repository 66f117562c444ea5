"""The page and what it asks for: files, one stream of events a reader, and a handful of small posts."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from adapters.playground import drawing
from adapters.playground.bodies import (
    BegunBody,
    FieldBody,
    FormBody,
    LinkBody,
    Refused,
    SaidBody,
    ShareBody,
    read,
)
from adapters.playground.desk import Desk, Spoken
from adapters.playground.gate import Gate, Keys, refusal
from adapters.playground.lookout import Lookout, View
from adapters.playground.personas import Persona, personas_of
from adapters.playground.rates import Bucket
from adapters.playground.room import Room
from core.commands import Seen
from core.ports import Clock, Door, People

log = structlog.get_logger("ashat.playground")

PAGE = Path(__file__).parent / "page"
_STREAMS = 32
"""Readers at once. A browser opens six connections to one address at most."""
_SILENCE = 15.0
"""Seconds after which a stream says that it is alive."""
_SAYING = (10.0, 30.0)
_ASKING = (30.0, 90.0)
"""Requests a second, and at once: of what is said, and of what only helps to say it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the playground is given. `allows` says whether a link may go to a host."""

    room: Room
    door: Door
    people: People
    view: View
    clock: Clock
    allows: Callable[[str], bool]


class Site:
    """The application. `app` is what a server serves; `close` ends its streams."""

    def __init__(self, parts: Parts, addresses: Sequence[str], keys: Keys, cookie: str) -> None:
        self._parts = parts
        self._keys = keys
        self._cookie = cookie
        self._desk = Desk(parts.room, parts.door, parts.view)
        self._lookout = Lookout(parts.view, parts.room.wake)
        self._saying = Bucket(parts.clock, *_SAYING)
        self._asking = Bucket(parts.clock, *_ASKING)
        self._streams = 0
        self._closing = False
        files = _files()
        routes = [Route(path, _file(*content)) for path, content in files.items()]
        inner = Starlette(routes=[*routes, *self._routes()], exception_handlers={Refused: _refused, Exception: _fault})
        self.app: ASGIApp = Gate(inner, addresses, keys, cookie, (*files, "/session"))

    def close(self) -> None:
        self._closing = True
        self._parts.room.wake()

    def _routes(self) -> list[Route]:
        posts = {
            "/session": self._session,
            "/say": self._say,
            "/form": self._form,
            "/check": self._check,
            "/complete": self._complete,
            "/share": self._share,
        }
        return [Route("/events", self._events), *(Route(path, act, methods=["POST"]) for path, act in posts.items())]

    # -- small posts ---------------------------------------------------------------------------------------------------

    async def _session(self, request: Request) -> Response:
        """A first visit: the token of the printed link, for a cookie that no other site can use or read."""
        link = await read(request, LinkBody, self._asking)
        if not self._keys.opens(link.token):
            raise Refused(401, "This link is of another run; open the one that was printed last.")
        response = Response(status_code=204)
        response.set_cookie(self._cookie, self._keys.session, httponly=True, samesite="strict")
        return response

    async def _say(self, request: Request) -> Response:
        said = await read(request, SaidBody, self._saying)
        seen = Seen(said.seen.attempt, said.seen.digest, said.seen.run) if said.seen else None
        await self._desk.say(self._persona(said.speaker), Spoken(said.delivery, said.text, seen, said.reason))
        return JSONResponse({})

    async def _form(self, request: Request) -> Response:
        filled = await read(request, FormBody, self._saying)
        fields: Mapping[str, str | Sequence[str]] = filled.fields
        problem = await self._desk.fill_in(self._persona(filled.speaker), filled.delivery, filled.command, fields)
        return JSONResponse({"problem": problem})

    async def _check(self, request: Request) -> Response:
        field = await read(request, FieldBody, self._asking)
        return JSONResponse({"problem": self._desk.problem(field.command, field.field, field.value)})

    async def _complete(self, request: Request) -> Response:
        begun = await read(request, BegunBody, self._asking)
        words = await self._desk.completions(self._persona(begun.speaker), begun.text, every=begun.every)
        return JSONResponse({"words": list(words)})

    async def _share(self, request: Request) -> Response:
        shared = await read(request, ShareBody, self._saying)
        persona = self._persona(shared.speaker)
        if not persona.may_look or not self._parts.room.share(shared.number, persona.id, persona.name):
            raise Refused(404, "There is no such answer to share.")
        return JSONResponse({})

    def _persona(self, id_: str) -> Persona:
        found = next((one for one in personas_of(self._parts.people) if one.id == id_), None)
        if found is None:
            raise Refused(404, "There is nobody of that name to speak as.")
        return found

    # -- the stream ----------------------------------------------------------------------------------------------------

    async def _events(self, request: Request) -> Response:
        """All that is new after the change that the reader has; `Last-Event-ID` is the browser's own word for it."""
        persona = self._persona(request.query_params.get("as", ""))
        after = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < 16):
            raise Refused(400, "`after` is the number of the last change that was read.")
        if self._streams >= _STREAMS:
            raise Refused(503, "Too many pages are open; close some of them.")
        return StreamingResponse(self._stream(persona, int(after)), media_type="text/event-stream")

    async def _stream(self, persona: Persona, after: int) -> AsyncIterator[str]:
        self._streams += 1
        try:
            async with AsyncExitStack() as stack:
                if persona.may_look:
                    await stack.enter_async_context(self._lookout.watching())
                async for text in self._news(persona, after):
                    yield text
        finally:
            self._streams -= 1

    async def _news(self, persona: Persona, after: int) -> AsyncIterator[str]:
        room, shown = self._parts.room, _Shown()
        yield drawing.event("hello", {"speaker": persona.id, "mayLook": persona.may_look})
        while not self._closing:
            changed = room.changed
            for message in room.since(after, persona.id, may_look=persona.may_look):
                after = message.change
                yield drawing.event("message", drawing.message_json(message, self._parts.allows), after)
            people = drawing.people_json(personas_of(self._parts.people), room.mail())
            yield shown.event("people", people)
            newest = self._lookout.newest
            if newest is not None and persona.may_look:
                yield shown.event("picture", drawing.picture_json(newest, self._parts.allows))
            if not await _is_set(changed, _SILENCE):
                yield ": still here\n\n"


class _Shown:
    """What one stream has sent last, so that only what is different is sent again."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def event(self, name: Literal["people", "picture"], data: Any) -> str:
        text = drawing.event(name, data)
        if self._last.get(name) == text:
            return ""
        self._last[name] = text
        return text


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody foresaw; the server logs the whole story."""
    return refusal(500, "Our fault; the bot's log has the story. What you sent may have been done: `deploy status`")


def _files() -> dict[str, tuple[bytes, str]]:
    """The page's own files by path. Only what was there at the start is served."""
    found = {f"/{path.relative_to(PAGE).as_posix()}": path for path in sorted(PAGE.rglob("*")) if path.is_file()}
    files = {name: (path.read_bytes(), mimetypes.guess_type(path.name)[0] or "") for name, path in found.items()}
    return {"/" if name == "/index.html" else name: content for name, content in files.items()}


def _file(content: bytes, media_type: str) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return serve
