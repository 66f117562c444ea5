"""The owner's panel: what the owner of a server wants to know of this console's process."""

from __future__ import annotations

import resource
import threading
import time
from itertools import count

from ..kit.http import Request, Response, json_response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """The page /owner and /owner.json."""
    served = count(1)
    latest = {"requests": 0}

    def counted(_: Request) -> None:
        latest["requests"] = next(served)

    def figures() -> dict[str, int]:
        uptime = int(time.monotonic() - slot.started)
        seconds = resource.getrusage(resource.RUSAGE_SELF)
        processor = int((seconds.ru_utime + seconds.ru_stime) * 1000)
        return {**latest, "uptime_seconds": uptime, "processor_ms": processor, "threads": threading.active_count()}

    def shown(_: Request) -> Response:
        cards = "".join(
            f'<section class="card"><span class="figure">{value}</span>'
            f'<span class="quiet">{name.replace("_", " ")}</span></section>'
            for name, value in figures().items()
        )
        return page(slot, "Owner", f'<div class="grid">{cards}</div>')

    def listed(_: Request) -> Response:
        return json_response(figures())

    routes = (Route("GET", "/owner", shown), Route("GET", "/owner.json", listed))
    return Feature(routes, link=("Owner", "/owner"), before=counted)
