"""Says that the process answers, and which release it is."""

from __future__ import annotations

import time

from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /healthz."""

    def healthy(_: Request) -> Response:
        uptime = round(time.monotonic() - slot.started, 1)
        return json_response({"status": "ok", "release": slot.about.id, "uptime_seconds": uptime})

    return Feature(routes=(Route("GET", f"{slot.prefix}/healthz", healthy),))
