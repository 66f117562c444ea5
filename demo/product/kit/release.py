"""Says which release this is, what it brought, and which of its modules are loaded."""

from __future__ import annotations

from ..kit.http import Request, Response, json_response
from ..kit.markdown import rendered
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /version, /modules and the page /release."""

    def version(_: Request) -> Response:
        about = slot.about
        return json_response({"id": about.id, "component": about.component, "version": about.version})

    def modules(_: Request) -> Response:
        return json_response({"modules": [_row(loaded.name, loaded.error) for loaded in slot.modules]})

    def notes(_: Request) -> Response:
        return page(slot, "Release notes", f'<article class="card prose">{rendered(slot.about.notes)}</article>')

    paths = (("version", version), ("modules", modules), ("release", notes))
    routes = tuple(Route("GET", f"{slot.prefix}/{name}", handler) for name, handler in paths)
    return Feature(routes, link=("Release notes", f"{slot.prefix}/release"))


def _row(name: str, error: str | None) -> dict[str, object]:
    return {"name": name, "loaded": error is None} | ({"error": error} if error else {})
