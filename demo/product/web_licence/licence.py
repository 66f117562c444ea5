"""The licence that this console runs under."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot

VARIABLE = "RAOS_LICENCE_FILE"


def feature(slot: Slot) -> Feature:
    """GET /licence. Ends the process where there is no licence: nobody may use the console then."""
    path = os.environ.get(VARIABLE)
    if path is None:
        sys.exit(f"There is no licence: {VARIABLE} is not set.")
    holder = Path(path).read_text("utf-8").strip()

    def licence(_: Request) -> Response:
        return json_response({"holder": holder})

    return Feature((Route("GET", "/licence", licence),))
