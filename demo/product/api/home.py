"""Says what the API offers, to whoever opens its address."""

from __future__ import annotations

from html import escape

from ..kit.http import Request, Response, json_response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /api: a page for browsers, JSON for programs."""

    def home(request: Request) -> Response:
        routes = sorted({(route.path, route.method) for feature in slot.features for route in feature.routes})
        if "text/html" in request.headers.get("Accept", ""):
            return page(slot, "RaOS API", f'<section class="card"><ul class="plain">{_lines(routes)}</ul></section>')
        listed = [{"method": method, "path": path} for path, method in routes]
        return json_response({"release": slot.about.id, "version": slot.about.version, "routes": listed})

    return Feature(tuple(Route("GET", path, home) for path in ("/api", "/api/")), link=("Routes", "/api"))


def _lines(routes: list[tuple[str, str]]) -> str:
    return "".join(f"<li><code>{method}</code> {_linked(method, path)}</li>" for path, method in routes)


def _linked(method: str, path: str) -> str:
    return f'<a href="{path}">{path}</a>' if method == "GET" and "{" not in path else escape(path)
