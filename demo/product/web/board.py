"""The first page: how this console is, and a panel from every module that has one."""

from __future__ import annotations

import time
from html import escape

from ..kit.database import connected
from ..kit.http import Request, Response, json_response
from ..kit.markdown import plain
from ..kit.page import page
from ..kit.slot import Feature, Loaded, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET / and GET /status.json."""

    def board(_: Request) -> Response:
        panels = [_release(slot), _modules(slot), *(feature.panel() for feature in slot.features if feature.panel)]
        body = "".join(f'<section class="card">{panel}</section>' for panel in panels)
        return page(slot, "Status", f'<div class="grid">{body}</div>')

    def status(_: Request) -> Response:
        with connected(slot.database) as connection:
            notes = connection.execute("SELECT count(*) FROM notes").fetchone()[0]
        uptime = round(time.monotonic() - slot.started, 1)
        return json_response({"release": slot.about.id, "notes": notes, "uptime_seconds": uptime})

    return Feature((Route("GET", "/", board), Route("GET", "/status.json", status)))


def _release(slot: Slot) -> str:
    about = slot.about
    return (
        f'<h2>Running release</h2><p><span class="figure">{escape(about.version)}</span>'
        f'<span class="quiet">update {escape(about.id)}</span></p><p>{escape(plain(about.summary))}</p>'
    )


def _modules(slot: Slot) -> str:
    lines = "".join(f"<li>{_module(loaded)}</li>" for loaded in slot.modules)
    return f'<h2>Modules</h2><ul class="plain">{lines}</ul>'


def _module(loaded: Loaded) -> str:
    if loaded.error:
        return f'<span class="bad">{escape(loaded.name)}, not loaded</span><br><small>{escape(loaded.error)}</small>'
    return f'<span class="ok">{escape(loaded.name)}, loaded</span>'
