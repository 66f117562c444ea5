"""The agent's HTTP application: one table of endpoints, behind one gate that authenticates, validates and explains."""

from __future__ import annotations

import asyncio
import errno
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from agent.api.auth import Doorman
from agent.api.endpoint import Call, Endpoint
from agent.errors import Refused
from agent.logs import get_logger
from core.release.wire import Problem

_BODY_BYTES = 1024 * 1024
"""No honest JSON body comes near; artifacts are streamed and have their own limit."""
_SILENCE = 60.0
"""Seconds without a byte after which an upload is given up; the next one goes on from there."""
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""The disk is full, or whoever runs the agent has used up what is allowed."""

log = get_logger(__name__)
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def build_app(endpoints: Sequence[Endpoint], doorman: Doorman, lifespan: Lifespan | None = None) -> Starlette:
    """An application that serves `endpoints` to whom `doorman` admits."""
    app = Starlette(
        routes=[
            Route(path, _gate([e for e in endpoints if e.path == path], doorman), methods=methods)
            for path, methods in _by_path(endpoints).items()
        ],
        exception_handlers={HTTPException: _unrouted},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def answer(status: int, body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), status, headers, "application/json")


def _by_path(endpoints: Sequence[Endpoint]) -> dict[str, list[str]]:
    """Raises ValueError where two rows of the table are about the same: which of them counts must not be a matter
    of their order, since they may admit different callers."""
    paths: dict[str, list[str]] = {}
    for endpoint in endpoints:
        methods = paths.setdefault(endpoint.path, [])
        if endpoint.method in methods:
            raise ValueError(f"two endpoints for {endpoint.method} {endpoint.path}")
        methods.append(endpoint.method)
    return paths


def _gate(endpoints: Sequence[Endpoint], doorman: Doorman) -> Callable[[Request], Awaitable[Response]]:
    """Every request of one path goes through here: known caller, valid body, and an explained failure."""
    by_method = {endpoint.method: endpoint for endpoint in endpoints}

    async def handle(request: Request) -> Response:
        endpoint = by_method.get(request.method) or by_method["GET"]  # type: ignore[call-overload]  # any string comes
        try:
            caller = doorman.admit(request.headers.get("authorization"), endpoint.callers)
            body = await _body(request, endpoint.takes) if endpoint.takes else None
            result = await endpoint.handle(Call(request, caller, body))
        except Refused as refused:
            log.info("refused", method=request.method, path=request.url.path, kind=refused.kind, problem=str(refused))
            return answer(refused.status, refused.body(), refused.headers)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                return _fault(request)
            log.exception("no room", method=request.method, path=request.url.path)
            full = Refused(
                "no_space", f"this host cannot write: {error.strerror}; make room on its disk, and ask again"
            )
            return answer(full.status, full.body())
        except ClientDisconnect:
            log.info("caller went away", method=request.method, path=request.url.path)
            return Response(status_code=400)
        except Exception:  # noqa: BLE001 - the last resort: logged with a reference that the caller gets
            return _fault(request)
        return result if isinstance(result, Response) else answer(200, result)

    return handle


async def _body(request: Request, model: type[BaseModel]) -> BaseModel:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY_BYTES:
            raise Refused("too_large", f"the body is larger than {_BODY_BYTES} bytes")
    try:
        return model.model_validate_json(bytes(data))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Refused("bad_request", f"{where}: {first['msg']}") from error


def _fault(request: Request) -> Response:
    """What nobody foresaw: the caller gets a reference, the log the whole story."""
    reference = secrets.token_hex(4)
    log.exception("request failed", method=request.method, path=request.url.path, reference=reference)
    sentence = f"The agent met a fault of its own; its log has it as {reference}."
    return answer(500, Problem(kind="internal", problem=sentence, reference=reference))


async def _unrouted(request: Request, error: Exception) -> Response:
    """Paths and methods that are not in the table; whoever asks, they say nothing about this host."""
    assert isinstance(error, HTTPException)
    kind = "not_found" if error.status_code == 404 else "bad_request"
    sentence = f"there is no {request.method} {request.url.path} in version 1 of the agent's API"
    return answer(error.status_code, Problem(kind=kind, problem=sentence), dict(error.headers or {}))


async def read_upload(request: Request) -> AsyncIterator[bytes]:
    """The body of an upload. It ends where the caller goes away or stays silent, and what came until then is kept."""
    chunks = aiter(request.stream())
    try:
        while True:
            async with asyncio.timeout(_SILENCE):
                chunk = await anext(chunks)
            yield chunk
    except StopAsyncIteration:
        return
    except (ClientDisconnect, TimeoutError):
        log.info("upload broke off", path=request.url.path)
