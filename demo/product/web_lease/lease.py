"""Waits at start until the notes that another console may still be writing are surely written."""

from __future__ import annotations

import time

from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot

LEASE_SECONDS = 6.0
"""How long a console may go on writing after it was told to stop."""


def feature(slot: Slot) -> Feature:
    """GET /lease. Returns once the lease has run out, so that the console starts that much later."""
    time.sleep(LEASE_SECONDS)

    def lease(_: Request) -> Response:
        return json_response({"waited_seconds": LEASE_SECONDS})

    return Feature((Route("GET", "/lease", lease),))
