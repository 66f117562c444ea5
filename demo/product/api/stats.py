"""Figures about the notes, in one query: what the speed of the API is measured by."""

from __future__ import annotations

from ..kit.database import connected
from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot

_FIGURES = """
    SELECT count(*) AS notes, coalesce(sum(length(body)), 0) AS characters, min(at) AS oldest, max(at) AS newest
    FROM notes
"""


def feature(slot: Slot) -> Feature:
    """GET /api/stats."""

    def stats(_: Request) -> Response:
        with connected(slot.database) as connection:
            return json_response(dict(connection.execute(_FIGURES).fetchone()))

    return Feature((Route("GET", "/api/stats", stats),))
