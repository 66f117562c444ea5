"""From a request to the module that answers it."""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from http import HTTPStatus

from ..kit.http import Request, RequestError, Response, json_response
from ..kit.page import error_page, security_headers
from ..kit.slot import Route, Slot


class App:
    """Answers every request of one release; each answer names the release and carries the security headers."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._headers = (("X-RaOS-Release", slot.about.id), *security_headers(slot))
        self._before = [feature.before for feature in slot.features if feature.before]
        routes = [route for feature in slot.features for route in feature.routes]
        self._paths = {route.path for route in routes}
        self._exact = {(route.method, route.path): route for route in routes if "{" not in route.path}
        self._patterns = [route for route in routes if "{" in route.path]

    def __call__(self, request: Request) -> Response:
        try:
            response = self._answer(request)
        except RequestError as refusal:
            response = self._problem(request, refusal.status, str(refusal))
        except Exception:  # noqa: BLE001 - one broken handler must not take the connection of others down
            sys.stderr.write(f"{request.method} {request.path} failed:\n{traceback.format_exc()}")
            response = self._problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Something broke here. It was logged.")
        return replace(response, headers=(*self._headers, *response.headers))

    def _answer(self, request: Request) -> Response:
        for before in self._before:
            before(request)
        method = "GET" if request.method == "HEAD" else request.method
        if route := self._exact.get((method, request.path)):
            return route.handler(request)
        for route in self._patterns:
            parts = _match(route, request.path)
            if parts is not None and route.method == method:
                return route.handler(replace(request, parts=parts))
        raise self._unanswered(request)

    def _unanswered(self, request: Request) -> RequestError:
        """Say why nothing answers: the path's module is down, the method is wrong, or there is no such page."""
        owner = request.path.removeprefix(self._slot.prefix).strip("/").partition("/")[0].partition(".")[0]
        if any(loaded.name == owner and loaded.error for loaded in self._slot.modules):
            return RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, f"The module {owner} is not loaded.")
        if any(_match(path, request.path) is not None for path in self._paths):
            return RequestError(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not possible here.")
        return RequestError(HTTPStatus.NOT_FOUND, "There is nothing at this address.")

    def _problem(self, request: Request, status: HTTPStatus, problem: str) -> Response:
        if "text/html" in request.headers.get("Accept", ""):
            return error_page(self._slot, status, problem)
        return json_response({"error": problem}, status)


def _match(route: Route | str, path: str) -> dict[str, str] | None:
    """The values of the pattern's `{…}` segments in `path`, or None where it does not fit."""
    pattern = (route.path if isinstance(route, Route) else route).split("/")
    segments = path.split("/")
    if len(pattern) != len(segments):
        return None
    parts: dict[str, str] = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{") and segment:
            parts[wanted.strip("{}")] = segment
        elif wanted != segment:
            return None
    return parts
